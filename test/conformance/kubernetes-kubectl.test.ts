/** What kubectl asks of a control plane, command by command, with each of its versions. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ControlPlane } from '../harness/control-plane.ts';
import { kubectls } from '../harness/kubectls.ts';
import { eventually } from '../harness/machine.ts';

const options = { timeout: 480_000 };
const container = { name: 'c', image: 'registry.example/app:1' };
const web = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } },
  },
};

for (const { version, program } of kubectls)
  describe(`kubectl ${version}`, () => {
    let plane: ControlPlane;
    before(async () => {
      plane = await ControlPlane.start(program);
    });
    after(() => plane[Symbol.asyncDispose]());

    test('discovery, versions and health', options, async () => {
      await plane.says(/Server Version: v1\.34/, 'version');
      await plane.says(/deployments +deploy +apps\/v1 +true +Deployment/, 'api-resources');
      await plane.says(/autoscaling\/v2/, 'api-versions');
      await plane.says(/is running at/, 'cluster-info');
      await plane.says(/livez check passed/, 'get --raw /livez?verbose');
      await plane.says(/"issuer"/, 'get --raw /.well-known/openid-configuration');
      await plane.says(/apiserver_request_total/, 'get --raw /metrics');
      await plane.says(/desired pods/, 'explain deployment.spec.replicas');
      await plane.says(/FIELDS:/, 'explain pods --recursive');
    });

    test('get in every form', options, async () => {
      await plane.says(/default +Active/, 'get namespaces');
      await plane.says(/n1 +Ready/, 'get nodes -o wide');
      await plane.says(/name: kubernetes/, 'get service kubernetes -o yaml');
      await plane.says(/^10\.100\.0\.1$/m, 'get service kubernetes -o jsonpath={.spec.clusterIP}');
      await plane.says(/service\/kubernetes/, 'get all -o name');
      await plane.says(/kube-system/, 'get ns --sort-by=.metadata.name --show-labels');
      await plane.refuses(/not found/, 'get pods nothing');
    });

    test('apply, diff and delete', options, async () => {
      await plane.says(/created/, 'apply -f -', web);
      await plane.says(/unchanged/, 'apply -f -', web);
      await plane.says(/successfully rolled out/, 'rollout status deployment/web --timeout=120s');
      const changed = { ...web, spec: { ...web.spec, replicas: 3 } };
      const diff = await plane.kubectl(['diff', '-f', '-'], { input: changed });
      assert.equal(diff.status, 1, diff.output);
      assert.match(diff.output, /\+ +replicas: 3/);
      await plane.says(/configured/, 'apply -f -', changed);
      await plane.says(/successfully rolled out/, 'rollout status deployment/web --timeout=120s');
      await plane.says(/3\/3/, 'get deployment web');
      await plane.says(/condition met/, 'wait --for=condition=Available deployment/web --timeout=120s');
    });

    test('server-side apply keeps owners apart', options, async () => {
      const map = (value: string) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'ssa' },
        data: { k: value },
      });
      await plane.says(/serverside-applied/, 'apply --server-side --field-manager=a -f -', map('1'));
      await plane.refuses(/conflict with "a": \.data\.k/, 'apply --server-side --field-manager=b -f -', map('2'));
      await plane.says(/serverside-applied/, 'apply --server-side --force-conflicts --field-manager=b -f -', map('2'));
      await plane.says(/manager: b/, 'get configmap ssa -o yaml --show-managed-fields');
    });

    test('create, replace and refusals', options, async () => {
      await plane.says(/created/, 'create configmap made --from-literal=a=b');
      await plane.refuses(/already exists/, 'create configmap made');
      const made = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made' }, data: { a: 'c' } };
      await plane.says(/replaced/, 'replace -f -', made);
      await plane.says(/dry run/, 'create configmap never --dry-run=server');
      await plane.refuses(/not found/, 'get configmap never');
      await plane.refuses(/unknown field "spec\.replica"/, 'create -f -', {
        ...web,
        metadata: { name: 'x' },
        spec: { ...web.spec, replica: 1 },
      });
      await plane.refuses(/is invalid/, 'create -f -', {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'BAD' },
        spec: { ports: [{ port: 99_999 }] },
      });
      await plane.says(/created/, 'create secret generic hidden --from-literal=password=x');
      await plane.says(/created/, 'create serviceaccount robot');
      await plane.says(/created/, 'create quota q --hard=pods=50');
      await plane.says(/created/, 'create poddisruptionbudget pdb --selector=app=web --min-available=1');
      await plane.says(/created/, 'create ingress i --class=none --rule=example.com/*=web:80');
      await plane.says(/created/, 'create priorityclass high --value=1000');
    });

    test('patch, edit in place, label, annotate, taint', options, async () => {
      await plane.says(
        /patched/,
        'patch deployment web -p {"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"A","value":"1"}]}]}}}}',
      );
      await plane.says(
        /patched/,
        'patch deployment web --type=json -p [{"op":"replace","path":"/spec/replicas","value":2}]',
      );
      await plane.says(/patched/, 'patch deployment web --type=merge -p {"metadata":{"annotations":{"x":"y"}}}');
      await plane.says(/labeled/, 'label deployment web tier=front');
      await plane.says(/annotated/, 'annotate deployment web note=1');
      await plane.says(/tainted/, 'taint nodes n1 k=v:NoSchedule');
      await plane.says(/untainted/, 'taint nodes n1 k-');
      await plane.says(/image updated/, 'set image deployment/web c=registry.example/app:2');
      await plane.says(/env updated/, 'set env deployment/web VERSION=2');
      await plane.says(/resource requirements updated/, 'set resources deployment/web --requests=cpu=10m');
      await plane.says(/successfully rolled out/, 'rollout status deployment/web --timeout=120s');
      await plane.says(/app:2/, 'get deployment web -o jsonpath={.spec.template.spec.containers[0].image}');
    });

    test('scale, rollout history, undo, restart', options, async () => {
      await plane.says(/scaled/, 'scale deployment/web --replicas=4');
      await plane.says(/REVISION/, 'rollout history deployment/web');
      await plane.says(/rolled back/, 'rollout undo deployment/web');
      await plane.says(/restarted/, 'rollout restart deployment/web');
      await plane.says(/paused/, 'rollout pause deployment/web');
      await plane.says(/resumed/, 'rollout resume deployment/web');
      await plane.says(/successfully rolled out/, 'rollout status deployment/web --timeout=120s');
      await plane.says(/autoscaled/, 'autoscale deployment web --min=1 --max=5 --cpu-percent=50');
      await plane.says(/Deployment\/web/, 'get hpa');
    });

    test('services, endpoints and describe', options, async () => {
      await plane.says(/exposed/, 'expose deployment web --port=80 --target-port=8080');
      await eventually('the service has endpoints', 10_000, async () =>
        (await plane.kubectl(['get', 'endpointslices'])).output.includes('10.0.0.1'),
      );
      await plane.says(/ClusterIP/, 'get service web -o wide');
      await plane.says(/Selector: +app=web/, 'describe service web');
      await plane.says(/RollingUpdate/, 'describe deployment web');
      await plane.says(/Allocated resources/, 'describe node n1');
      const name = (await plane.says(/pod\//, 'get pods -l app=web -o name')).split('\n')[0]!;
      await plane.says(/QoS Class/, `describe ${name}`);
      await plane.says(new RegExp(`/containerLogs/default/${name.slice(4)}/c\\?`), `logs ${name}`);
      await plane.says(/Scheduled/, 'get events');
      await plane.says(/SuccessfulCreate|ScalingReplicaSet/, 'events --for deployment/web');
    });

    test('who may do what', options, async () => {
      await plane.says(/admin/, 'auth whoami');
      await plane.says(/yes/, 'auth can-i * *');
      await plane.says(/\*\.\*/, 'auth can-i --list');
      await plane.says(/created/, 'create role reader --verb=get,list --resource=pods');
      await plane.says(/created/, 'create rolebinding reads --role=reader --serviceaccount=default:robot');
      const robot = '--as=system:serviceaccount:default:robot';
      await plane.says(/yes/, `auth can-i list pods ${robot}`);
      await plane.refuses(/no/, `auth can-i list secrets ${robot}`);
      await plane.refuses(/Forbidden/, `get secrets ${robot}`);
      const token = (await plane.says(/^ey/, 'create token robot')).trim();
      const asRobot = `--kubeconfig=/dev/null --server=https://127.0.0.1:${plane.cluster.port} --insecure-skip-tls-verify --token=${token}`;
      await plane.says(/web/, `get pods ${asRobot}`);
      await plane.refuses(/Forbidden/, `delete pods --all ${asRobot}`);
      await plane.refuses(/[Uu]nauthorized|logged in/, `get pods ${asRobot.replace(token, 'wrong')}`);
    });

    test('jobs, cron jobs, stateful and daemon sets', options, async () => {
      await plane.says(/created/, 'create job j --image=registry.example/app:1');
      await plane.says(/condition met/, 'wait --for=condition=Complete job/j --timeout=120s');
      const cron = await plane.kubectl([
        'create',
        'cronjob',
        'cj',
        '--image=registry.example/app:1',
        '--schedule=*/5 * * * *',
      ]);
      assert.equal(cron.status, 0, cron.output);
      await plane.says(/\*\/5 \* \* \* \*/, 'get cronjobs');
      await plane.says(/created/, 'apply -f -', {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'ds' },
        spec: {
          selector: { matchLabels: { app: 'ds' } },
          template: { metadata: { labels: { app: 'ds' } }, spec: { containers: [container] } },
        },
      });
      await plane.says(/successfully rolled out/, 'rollout status daemonset/ds --timeout=120s');
      await plane.says(/created/, 'apply -f -', {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'db' },
        spec: {
          serviceName: 'db',
          replicas: 2,
          selector: { matchLabels: { app: 'db' } },
          template: { metadata: { labels: { app: 'db' } }, spec: { containers: [container] } },
        },
      });
      await plane.says(
        /rolling update complete|roll out complete|successfully/,
        'rollout status statefulset/db --timeout=120s',
      );
    });

    test('custom resources', options, async () => {
      await plane.says(/created/, 'apply -f -', {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: 'widgets.example.com' },
        spec: {
          group: 'example.com',
          scope: 'Namespaced',
          names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wd'] },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: {
                openAPIV3Schema: {
                  type: 'object',
                  properties: {
                    spec: { type: 'object', properties: { size: { type: 'integer', description: 'How big.' } } },
                  },
                },
              },
              subresources: { status: {} },
              additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
            },
          ],
        },
      });
      await plane.says(/condition met/, 'wait --for=condition=Established crd/widgets.example.com --timeout=40s');
      const widget = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: { size: 3 } };
      await plane.says(/created/, 'apply -f -', widget);
      await plane.says(/unchanged/, 'apply -f -', widget);
      await plane.says(/w +3/, 'get wd');
      await plane.says(/How big/, 'explain widget.spec.size');
      await plane.says(/deleted/, 'delete widget w');
      await plane.says(/deleted/, 'delete crd widgets.example.com');
    });

    test('cordon, drain, delete and wait', options, async () => {
      await plane.says(/cordoned/, 'cordon n1');
      await plane.says(/drained/, 'drain n1 --ignore-daemonsets --force --delete-emptydir-data --timeout=240s');
      await plane.says(/uncordoned/, 'uncordon n1');
      await plane.says(/created/, 'run single --image=registry.example/app:1');
      await plane.says(/condition met/, 'wait --for=condition=Ready pod/single --timeout=120s');
      await plane.says(/deleted/, 'delete pod single --wait=true');
      await plane.says(/deleted/, 'delete deployment,service,hpa,ingress,pdb --all --wait=true');
      await eventually(
        'nothing of the deployment is left',
        10_000,
        async () => !(await plane.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'name'])).output.includes('pod/'),
      );
      await plane.says(/created/, 'create namespace passing');
      await plane.says(/created/, 'create configmap inside -n passing');
      await plane.says(/deleted/, 'delete namespace passing --wait=true --timeout=240s');
    });
  });
