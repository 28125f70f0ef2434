/** The rarer commands of kubectl, each with what it is for and with what it must refuse. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { ControlPlane } from '../harness/control-plane.ts';
import { kubectls } from '../harness/kubectls.ts';
import { eventually } from '../harness/machine.ts';

const options = { timeout: 480_000 };
const container = { name: 'c', image: 'registry.example/app:1' };
const deployment = (name: string, replicas = 2) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: name } },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [container] } },
  },
});
const configMap = (name: string, data: object, labels = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
});
const list = (...items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items });

for (const { version, program } of kubectls)
  describe(`kubectl ${version}`, () => {
    let plane: ControlPlane;
    before(async () => {
      plane = await ControlPlane.start(program);
      await plane.says(/created/, 'apply -f -', deployment('web'));
      await plane.says(/rolled out/, 'rollout status deployment/web --timeout=120s');
    });
    after(() => plane[Symbol.asyncDispose]());

    /** `kubectl edit` with an editor that runs a line of sed over the file and prints it: what was wrong with the last attempt stands in its first lines. */
    const edit = async (sed: string, args: string) => {
      const editor = plane.file('editor', `#!/bin/sh\nsed -i '${sed}' "$1"; cat "$1"\n`, 0o755);
      return await plane.kubectl(args.split(' '), { env: { KUBE_EDITOR: editor } });
    };
    const field = async (what: string, path: string) =>
      (await plane.kubectl(['get', ...what.split(' '), '-o', `jsonpath=${path}`])).output;

    test('what the server has', options, async () => {
      await plane.says(
        /deployments +deploy +apps\/v1 +true +Deployment +create,delete,deletecollection,get,list,patch,update,watch +all/,
        'api-resources -o wide',
      );
      await plane.says(/^clusterroles\.rbac/m, 'api-resources --namespaced=false --verbs=list -o name');
      await plane.says(/^pods +po +v1 +true +Pod$/m, 'api-resources --api-group= --no-headers');
      await plane.says(/metrics.*\[\]MetricSpec/s, 'explain hpa.spec --api-version=autoscaling/v2');
      await plane.says(/httpGet/, 'explain pod.spec.containers.livenessProbe');
      await plane.refuses(/does not exist/, 'explain pod.spec.nothing');
    });

    test('edit', options, async () => {
      const grown = await edit('s/replicas: 2/replicas: 3/', 'edit deployment web');
      assert.match(grown.output, /deployment\.apps\/web edited/);
      assert.equal(await field('deployment web', '{.spec.replicas}'), '3');
      assert.match((await edit('', 'edit deployment web')).output, /no changes made/);
      const invalid = await edit('s/replicas: 3/replicas: -1/', 'edit deployment web');
      assert.notEqual(invalid.status, 0);
      assert.match(invalid.output, /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/);
      assert.match((await edit('s/app: web/app: other/', 'edit deployment web')).output, /field is immutable/);
      const made = await plane.kubectl(['create', '--edit', '-f', '-'], {
        input: configMap('edited', { k: 'before' }),
        env: { KUBE_EDITOR: plane.file('editor', '#!/bin/sh\nsed -i s/before/after/ "$1"\n', 0o755) },
      });
      assert.equal(made.status, 0, made.output);
      assert.equal(await field('configmap edited', '{.data.k}'), 'after');
      const last = await edit(
        's/replicas":2/replicas":4/;s/replicas: 2/replicas: 4/',
        'apply edit-last-applied deployment/web',
      );
      assert.match(last.output, /edited/);
      await plane.says(/replicas: 4/, 'apply view-last-applied deployment/web');
    });

    test('kustomize, prune and recursion', options, async () => {
      const file = (name: string, content: object) => plane.file(`k/${name}`, JSON.stringify(content));
      file('one.json', configMap('one', { k: '1' }));
      file('two.json', configMap('two', { k: '2' }));
      plane.file(
        'k/kustomization.yaml',
        'namePrefix: k-\nlabels: [{pairs: {tool: kustomize}}]\nresources: [one.json, two.json]\nconfigMapGenerator: [{name: made, literals: [a=b]}]\n',
      );
      const folder = plane.file('k/x', '').slice(0, -2);
      await plane.says(/name: k-one/, `kustomize ${folder}`);
      await plane.says(/configmap\/k-one created/, `apply -k ${folder}`);
      await plane.says(/k-two/, `get -k ${folder}`);
      assert.equal((await plane.kubectl(['diff', '-k', folder])).status, 0);
      await plane.says(/deleted/, `delete -k ${folder}`);
      const pruned = (...names: readonly string[]) =>
        list(...names.map((name) => configMap(name, { k: '1' }, { prune: 'yes' })));
      await plane.says(/p1 created/, 'apply --prune -l prune=yes -f -', pruned('p1', 'p2'));
      await plane.says(/p2 pruned/, 'apply --prune -l prune=yes -f -', pruned('p1'));
      await plane.refuses(/not found/, 'get configmap p2');
    });

    test('server-side apply, by one who applied from the client before', options, async () => {
      await plane.says(/created/, 'apply -f -', configMap('moved', { a: '1', b: '1' }));
      await plane.says(/serverside-applied/, 'apply --server-side -f -', configMap('moved', { a: '2' }));
      assert.equal(
        await field('configmap moved', '{.data}'),
        '{"a":"2"}',
        'what it applied before and does not now is gone',
      );
      await plane.says(/configured|serverside-applied/, 'apply -f -', configMap('moved', { a: '3' }));
      const diff = await plane.kubectl(
        ['diff', '--server-side', '--field-manager=other', '--force-conflicts', '-f', '-'],
        {
          input: configMap('moved', { a: '4' }),
        },
      );
      assert.equal(diff.status, 1, diff.output);
      assert.match(diff.output, /\+ +a: "4"/);
      await plane.says(
        /serverside-applied \(server dry run\)/,
        'apply --server-side --dry-run=server -f -',
        configMap('moved', { a: '3' }),
      );
    });

    test('get in its rarer forms', options, async () => {
      await plane.says(
        /^NAME +REPLICAS\nweb +\d$/m,
        'get deployments -o custom-columns=NAME:.metadata.name,REPLICAS:.spec.replicas',
      );
      await plane.says(/^web;/m, 'get deployments -o go-template={{range.items}}{{.metadata.name}};{{end}}');
      await plane.says(/n1 [^]*\nn2 /, 'get nodes --chunk-size=1 --no-headers');
      await plane.says(/web/, 'get pods --field-selector=status.phase=Running');
      await plane.says(/NAME +DESIRED +AVAILABLE +AGE\nweb +3 /, 'get deployment web --subresource=scale');
      await plane.says(/"kind":"ConfigMapList"/, 'get --raw /api/v1/namespaces/default/configmaps');
      await plane.says(/web.*app=web/, 'get deployment -l app=web --show-labels --show-kind');
      await plane.says(/kube-system/, 'get pods,services,namespaces -A');
      await plane.refuses(/server doesn't have a resource type "nothings"/, 'get nothings');
      await plane.refuses(/[Uu]nable to find|unable to parse/, 'get pods -l !');
      await plane.says(/"name":"raw"/, 'create --raw /api/v1/namespaces/default/configmaps -f -', configMap('raw', {}));
    });

    test('wait', options, async () => {
      await plane.says(/condition met/, 'wait deployment/web --for=jsonpath={.status.readyReplicas}=3 --timeout=120s');
      const deleted = plane.kubectl('wait configmap/edited --for=delete --timeout=120s'.split(' '));
      await plane.says(/deleted/, 'delete configmap edited');
      assert.equal((await deleted).status, 0);
      const created = plane.kubectl('wait configmap/later --for=create --timeout=120s'.split(' '));
      await plane.says(/created/, 'create configmap later');
      assert.equal((await created).status, 0, (await created).output);
      await plane.refuses(/timed out/, 'wait deployment/web --for=condition=Nothing --timeout=1s');
      await plane.says(/condition met/, 'wait nodes --all --for=condition=Ready --timeout=40s');
    });

    test('set and expose', options, async () => {
      await plane.says(/created/, 'create configmap settings --from-literal=COLOUR=red');
      await plane.says(/env updated/, 'set env deployment/web --from=configmap/settings');
      assert.match(await field('deployment web', '{..env}'), /"configMapKeyRef":\{"key":"COLOUR","name":"settings"\}/);
      await plane.says(/COLOUR/, 'set env deployment/web --list');
      await plane.says(/env updated/, 'set env deployment/web COLOUR-');
      await plane.says(/serviceaccount updated/, 'set serviceaccount deployment/web default');
      await plane.says(
        /resource requirements updated/,
        'set resources deployment/web --limits=cpu=1,memory=64Mi --requests=cpu=10m',
      );
      await plane.refuses(
        /must be less than or equal to cpu limit/,
        'set resources deployment/web --limits=cpu=1 --requests=cpu=2',
      );
      await plane.says(/exposed/, 'expose deployment web --name=np --type=NodePort --port=80');
      assert.match(await field('service np', '{.spec.ports[0].nodePort}'), /^3\d{4}$/);
      await plane.says(/selector updated/, 'set selector service np app=other');
      await plane.says(/created/, 'create service externalname ext --external-name=example.com');
      await plane.says(/created/, 'create service clusterip headless --clusterip=None --tcp=80:8080');
      await plane.says(/created/, 'create service loadbalancer lb --tcp=80');
      await plane.says(/<pending>/, 'get service lb');
      await plane.says(/created/, 'create clusterrolebinding cb --clusterrole=view --user=u');
      await plane.says(/subjects updated/, 'set subject clusterrolebinding cb --group=g');
    });

    test('rollout: history, a revision, undo to one, restart of other kinds', options, async () => {
      await plane.says(/image updated/, 'set image deployment/web c=registry.example/app:9');
      await plane.says(/rolled out/, 'rollout status deployment/web --timeout=120s');
      await plane.says(/annotated/, 'annotate deployment web kubernetes.io/change-cause=nine');
      const history = await plane.says(/\d+ +nine/, 'rollout history deployment/web');
      const [first = ''] = /^\d+/m.exec(history) ?? [];
      await plane.says(/app:1/, `rollout history deployment/web --revision=${first}`);
      await plane.says(/rolled back/, `rollout undo deployment/web --to-revision=${first}`);
      await plane.says(/rolled out/, 'rollout status deployment/web --timeout=120s');
      assert.equal(
        await field('deployment web', '{.spec.template.spec.containers[0].image}'),
        'registry.example/app:1',
      );
      await plane.refuses(/unable to find/, 'rollout undo deployment/web --to-revision=99');
      for (const kind of ['DaemonSet', 'StatefulSet']) {
        const { replicas, ...spec } = deployment('set').spec;
        const more = kind === 'StatefulSet' ? { replicas, serviceName: 'set' } : {};
        await plane.says(/created/, 'apply -f -', {
          apiVersion: 'apps/v1',
          kind,
          metadata: { name: 'set' },
          spec: { ...spec, ...more },
        });
        await plane.says(/complete|rolled out/, `rollout status ${kind}/set --timeout=120s`);
        await plane.says(/restarted/, `rollout restart ${kind}/set`);
        await plane.says(/complete|rolled out/, `rollout status ${kind}/set --timeout=120s`);
        await plane.says(/^2/m, `rollout history ${kind}/set`);
        await plane.says(/rolled back/, `rollout undo ${kind}/set`);
        await plane.says(/complete|rolled out/, `rollout status ${kind}/set --timeout=120s`);
        await plane.says(/deleted/, `delete ${kind} set`);
      }
    });

    test('labels, annotations and taints of many', options, async () => {
      await plane.says(/n1 labeled\n.*n2 labeled/s, 'label nodes --all rack=a');
      await plane.refuses(/already has a value/, 'label nodes n1 rack=b');
      await plane.says(/labeled/, 'label nodes n1 rack=b --overwrite');
      await plane.says(/rack=b/, 'label nodes n1 --list');
      await plane.refuses(/Invalid value|invalid label/, 'label nodes n1 rack=not/valid');
      await plane.says(/tainted/, 'taint nodes -l rack=b k=v:NoExecute');
      assert.equal(await field('node n1', '{.spec.taints[0].effect}'), 'NoExecute');
      await plane.says(/untainted/, 'taint nodes n1 k:NoExecute-');
      await plane.says(/annotated/, 'annotate deployments --all owner=me');
      assert.equal(await field('deployment web', '{.metadata.annotations.owner}'), 'me');
    });

    test('deletion: cascades, selections, replacing by force', options, async () => {
      await plane.says(/created/, 'apply -f -', deployment('parent', 1));
      await plane.says(/rolled out/, 'rollout status deployment/parent --timeout=120s');
      await plane.says(/deleted/, 'delete deployment parent --cascade=orphan');
      await plane.says(/parent-/, 'get replicaset -l app=parent');
      await plane.says(/deleted/, 'delete replicaset -l app=parent --cascade=foreground');
      assert.match((await plane.kubectl(['get', 'pods', '-l', 'app=parent'])).output, /No resources found/);
      await plane.says(/created/, 'run forced --image=registry.example/app:1');
      await plane.says(/condition met/, 'wait --for=condition=Ready pod/forced --timeout=120s');
      const before = await field('pod forced', '{.metadata.uid}');
      await plane.says(/replaced/, 'replace --force --grace-period=0 -f -', {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'forced' },
        spec: { containers: [container] },
      });
      assert.notEqual(await field('pod forced', '{.metadata.uid}'), before);
      await plane.says(/deleted/, 'delete pod forced --now');
      await plane.says(/deleted.* \(server dry run\)/, 'delete deployment web --dry-run=server');
      await plane.says(/web/, 'get deployment web');
      await plane.says(/deleted/, 'delete configmaps --field-selector=metadata.name=later');
    });

    test('patch of parts', options, async () => {
      await plane.says(/patched/, 'patch deployment web --subresource=scale --type=merge -p {"spec":{"replicas":1}}');
      assert.equal(await field('deployment web', '{.spec.replicas}'), '1');
      await plane.says(
        /patched/,
        'patch node n1 --subresource=status -p {"status":{"capacity":{"example.com/thing":"3"}}}',
      );
      assert.equal(await field('node n1', '{.status.capacity.example\\.com/thing}'), '3');
      await plane.refuses(
        /[Tt]he request is invalid|test failed|testing/,
        'patch deployment web --type=json -p [{"op":"test","path":"/spec/replicas","value":9}]',
      );
      await plane.says(/patched/, 'patch -f - -p {"data":{"k":"patched"}}', configMap('raw', {}));
    });

    test('what happened', options, async () => {
      await plane.says(/ScalingReplicaSet/, 'get events --sort-by=.lastTimestamp');
      await plane.says(
        /ScalingReplicaSet/,
        'get events --field-selector=involvedObject.kind=Deployment,reason=ScalingReplicaSet',
      );
      await plane.says(/LAST SEEN +TYPE +REASON/, 'events --types=Normal');
      await plane.says(/NAMESPACE/, 'events -A');
      await plane.says(/"kind": "EventList"|"reason"/, 'events -o json');
      await plane.says(/"kind": "NodeList"[^]*"kind": "EventList"[^]*"kind": "DeploymentList"/, 'cluster-info dump');
    });

    test('tokens, roles and certificates', options, async () => {
      await plane.says(/created/, 'create serviceaccount robot');
      await plane.says(/created/, 'create secret generic bound');
      const token = await plane.says(
        /^ey/,
        'create token robot --duration=20m --audience=me --bound-object-kind=Secret --bound-object-name=bound',
      );
      const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
      assert.deepEqual([claims.aud, claims.exp - claims.iat], [['me'], 1200]);
      assert.equal(claims['kubernetes.io'].secret.name, 'bound');
      await plane.refuses(/expirationSeconds: Invalid value/, 'create token robot --duration=1m');
      const role = {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'r', namespace: 'default' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      };
      await plane.says(/reconciled/, 'auth reconcile -f -', role);
      await plane.says(/created/, 'create rolebinding rb --role=r --serviceaccount=default:robot');
      await plane.says(/pods +\[\] +\[\] +\[get\]/, 'auth can-i --list --as=system:serviceaccount:default:robot');
      await plane.says(/created/, 'create clusterrole health --verb=get --non-resource-url=/healthz');
      await plane.says(/created/, 'create clusterrole sum --aggregation-rule=part=yes');
      const key = plane.file(
        'key.pem',
        execFileSync('openssl', ['genrsa', '2048'], { encoding: 'utf8', stdio: 'pipe' }),
      );
      const request = execFileSync('openssl', ['req', '-new', '-key', key, '-subj', '/CN=eve'], { stdio: 'pipe' });
      await plane.says(/created/, 'create -f -', {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'eve' },
        spec: {
          request: request.toString('base64'),
          signerName: 'kubernetes.io/kube-apiserver-client',
          usages: ['client auth'],
        },
      });
      await plane.says(/eve.*kubernetes\.io\/kube-apiserver-client.*Pending/, 'get csr');
      await plane.says(/denied/, 'certificate deny eve');
      await plane.says(/Denied/, 'get csr eve');
      await plane.refuses(/conflict|already|denied/i, 'certificate approve eve');
      const pair = plane.file(
        'cert.pem',
        execFileSync('openssl', ['req', '-x509', '-key', key, '-subj', '/CN=x'], { encoding: 'utf8', stdio: 'pipe' }),
      );
      await plane.says(/created/, `create secret tls pair --cert=${pair} --key=${key}`);
      await plane.says(/kubernetes\.io\/tls +2/, 'get secret pair');
      await plane.says(
        /created/,
        'create secret docker-registry pull --docker-server=r --docker-username=u --docker-password=p',
      );
    });

    test('jobs of cron jobs, autoscalers, budgets, and drain that heeds them', options, async () => {
      const cron = [
        'create',
        'cronjob',
        'cj',
        '--image=registry.example/app:1',
        '--restart=Never',
        '--schedule=0 0 1 1 *',
      ];
      assert.equal((await plane.kubectl(cron)).status, 0);
      await plane.says(/created/, 'create job now --from=cronjob/cj');
      await plane.says(/condition met/, 'wait --for=condition=Complete job/now --timeout=120s');
      await plane.says(/patched/, 'patch cronjob cj -p {"spec":{"suspend":true}}');
      await plane.says(/True/, 'get cronjob cj');
      await plane.says(/autoscaled/, 'autoscale deployment web --min=2 --max=3');
      await eventually('it is scaled', 20_000, async () => (await field('deployment web', '{.spec.replicas}')) === '2');
      await plane.says(/rolled out/, 'rollout status deployment/web --timeout=120s');
      await plane.says(/created/, 'create poddisruptionbudget pdb --selector=app=web --min-available=2');
      await eventually(
        'the budget is counted',
        10_000,
        async () => (await field('pdb pdb', '{.status.currentHealthy}')) === '2',
      );
      for (const node of ['n1', 'n2']) await plane.says(/cordoned/, `cordon ${node}`);
      const on = await field('pods -l app=web', '{.items[0].spec.nodeName}');
      await plane.refuses(
        /Cannot evict pod as it would violate the pod's disruption budget/,
        `drain ${on} --ignore-daemonsets --force --timeout=7s`,
      );
      await plane.says(/deleted/, 'delete pdb pdb');
      await plane.says(/uncordoned/, `uncordon ${on === 'n1' ? 'n2' : 'n1'}`);
      await plane.says(/evicting pod[^]*drained/, `drain ${on} --ignore-daemonsets --force --timeout=120s`);
      await plane.says(/uncordoned/, `uncordon ${on}`);
    });
  });
