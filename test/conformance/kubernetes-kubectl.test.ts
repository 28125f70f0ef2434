/**
 * What kubectl asks of a control plane, command by command: a cluster in this process over the embedded store, its controllers and scheduler running, and a node that only says
 * that its pods run. What needs real containers is tested elsewhere.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { after, before, test } from 'node:test';
import { systemClock } from '#base';
import { openSqliteStore } from '#store';
import { leases, nodes, pods } from '../../src/kubernetes/resources.ts';
import { isStatusError } from '../../src/kubernetes/status.ts';
import { makeTestCluster, type TestCluster } from '../../src/kubernetes/test-cluster.ts';
import type { Pod } from '../../src/kubernetes/types.ts';
import { eventually } from '../harness/machine.ts';

const work = mkdtempSync(join(tmpdir(), 'dabba-kubectl-'));
const kubeconfig = join(work, 'config');
let cluster: TestCluster;

before(async () => {
  const store = openSqliteStore({ directory: join(work, 'store'), clock: systemClock });
  cluster = await makeTestCluster({
    store,
    components: ['controllers', 'scheduler'],
    ports: { dialKubelet: kubeletThatTalks() },
  });
  writeKubeconfig();
  for (const name of ['n1', 'n2']) await addNode(name);
  runPods();
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

/** Logs say who is asked. */
function kubeletThatTalks() {
  const server = createServer((request, response) => response.end(`${request.url}\n`));
  return async () => {
    const [ours, theirs] = duplexPair();
    server.emit('connection', theirs);
    return ours;
  };
}

function writeKubeconfig(): void {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const { settings, credentials, port } = cluster;
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'c',
          cluster: {
            server: `https://127.0.0.1:${port}`,
            'certificate-authority-data': base64(settings.ca.certificatePem),
          },
        },
      ],
      users: [
        {
          name: 'u',
          user: {
            'client-certificate-data': base64(credentials.certificatePem),
            'client-key-data': base64(credentials.keyPem),
          },
        },
      ],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
}

async function addNode(name: string): Promise<void> {
  const { client } = cluster;
  await client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' };
  const now = new Date().toISOString();
  const ready = {
    type: 'Ready',
    status: 'True',
    lastHeartbeatTime: now,
    lastTransitionTime: now,
    reason: 'KubeletReady',
    message: '',
  };
  const status = { capacity: amounts, allocatable: amounts, conditions: [ready] };
  await client.patch(nodes, { name }, { kind: 'merge', body: { status } }, { subresource: 'status' });
  const renewTime = now.replace('Z', '000Z');
  await client.create(leases, {
    metadata: { namespace: 'kube-node-lease', name },
    spec: { holderIdentity: name, renewTime, leaseDurationSeconds: 3600 },
  });
}

/** Every pod with a node is running at once, and gone at once when it is to go. */
function runPods(): void {
  const ignored = (error: unknown) => {
    if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
  };
  cluster.informers.of(pods).onChange(({ now }) => {
    if (now?.spec?.nodeName) void act(now).catch(ignored);
  });
}

async function act(pod: Pod): Promise<void> {
  const { client } = cluster;
  const name = { namespace: pod.metadata!.namespace!, name: pod.metadata!.name! };
  if (pod.metadata?.deletionTimestamp) return client.delete(pods, name, { gracePeriodSeconds: 0 });
  if (pod.status?.phase !== 'Pending') return;
  const isJob = pod.spec!.restartPolicy === 'Never';
  const startedAt = new Date().toISOString();
  const containerStatuses = pod.spec!.containers.map(({ name, image = '' }) => ({
    name,
    image,
    imageID: '',
    ready: !isJob,
    started: true,
    restartCount: 0,
    state: isJob
      ? { terminated: { exitCode: 0, reason: 'Completed', startedAt, finishedAt: startedAt } }
      : { running: { startedAt } },
  }));
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: startedAt,
  }));
  const status = {
    phase: isJob ? 'Succeeded' : 'Running',
    podIP: '10.0.0.1',
    startTime: startedAt,
    containerStatuses,
    conditions,
  };
  await client.patch(pods, name, { kind: 'merge', body: { status } }, { subresource: 'status' });
}

interface Outcome {
  readonly status: number;
  readonly output: string;
}

function kubectl(args: readonly string[], input?: string | object): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: work };
  const child = execFile('kubectl', args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
    const status = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
    resolve({ status, output: stdout + stderr });
  });
  child.stdin!.end(typeof input === 'object' ? JSON.stringify(input) : (input ?? ''));
  return promise;
}

/** Runs a command that must succeed and say something. */
async function says(expected: RegExp, args: string, input?: string | object): Promise<string> {
  const { status, output } = await kubectl(args.split(' '), input);
  assert.equal(status, 0, `kubectl ${args}: ${output}`);
  assert.match(output, expected, `kubectl ${args}`);
  return output;
}

async function refuses(expected: RegExp, args: string, input?: string | object): Promise<void> {
  const { status, output } = await kubectl(args.split(' '), input);
  assert.notEqual(status, 0, `kubectl ${args} was not refused: ${output}`);
  assert.match(output, expected, `kubectl ${args}`);
}

const options = { timeout: 120_000 };
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

test('discovery, versions and health', options, async () => {
  await says(/Server Version: v1\.34/, 'version');
  await says(/deployments +deploy +apps\/v1 +true +Deployment/, 'api-resources');
  await says(/autoscaling\/v2/, 'api-versions');
  await says(/is running at/, 'cluster-info');
  await says(/livez check passed/, 'get --raw /livez?verbose');
  await says(/"issuer"/, 'get --raw /.well-known/openid-configuration');
  await says(/apiserver_request_total/, 'get --raw /metrics');
  await says(/desired pods/, 'explain deployment.spec.replicas');
  await says(/FIELDS:/, 'explain pods --recursive');
});

test('get in every form', options, async () => {
  await says(/default +Active/, 'get namespaces');
  await says(/n1 +Ready/, 'get nodes -o wide');
  await says(/name: kubernetes/, 'get service kubernetes -o yaml');
  await says(/^10\.100\.0\.1$/m, 'get service kubernetes -o jsonpath={.spec.clusterIP}');
  await says(/service\/kubernetes/, 'get all -o name');
  await says(/kube-system/, 'get ns --sort-by=.metadata.name --show-labels');
  await refuses(/not found/, 'get pods nothing');
});

test('apply, diff and delete', options, async () => {
  await says(/created/, 'apply -f -', web);
  await says(/unchanged/, 'apply -f -', web);
  await says(/successfully rolled out/, 'rollout status deployment/web --timeout=30s');
  const changed = { ...web, spec: { ...web.spec, replicas: 3 } };
  const diff = await kubectl(['diff', '-f', '-'], changed);
  assert.equal(diff.status, 1, diff.output);
  assert.match(diff.output, /\+ +replicas: 3/);
  await says(/configured/, 'apply -f -', changed);
  await says(/successfully rolled out/, 'rollout status deployment/web --timeout=30s');
  await says(/3\/3/, 'get deployment web');
  await says(/condition met/, 'wait --for=condition=Available deployment/web --timeout=30s');
});

test('server-side apply keeps owners apart', options, async () => {
  const map = (value: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'ssa' },
    data: { k: value },
  });
  await says(/serverside-applied/, 'apply --server-side --field-manager=a -f -', map('1'));
  await refuses(/conflict with "a": \.data\.k/, 'apply --server-side --field-manager=b -f -', map('2'));
  await says(/serverside-applied/, 'apply --server-side --force-conflicts --field-manager=b -f -', map('2'));
  await says(/manager: b/, 'get configmap ssa -o yaml --show-managed-fields');
});

test('create, replace and refusals', options, async () => {
  await says(/created/, 'create configmap made --from-literal=a=b');
  await refuses(/already exists/, 'create configmap made');
  const made = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made' }, data: { a: 'c' } };
  await says(/replaced/, 'replace -f -', made);
  await says(/dry run/, 'create configmap never --dry-run=server');
  await refuses(/not found/, 'get configmap never');
  await refuses(/unknown field "spec\.replica"/, 'create -f -', {
    ...web,
    metadata: { name: 'x' },
    spec: { ...web.spec, replica: 1 },
  });
  await refuses(/is invalid/, 'create -f -', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'BAD' },
    spec: { ports: [{ port: 99_999 }] },
  });
  await says(/created/, 'create secret generic hidden --from-literal=password=x');
  await says(/created/, 'create serviceaccount robot');
  await says(/created/, 'create quota q --hard=pods=50');
  await says(/created/, 'create poddisruptionbudget pdb --selector=app=web --min-available=1');
  await says(/created/, 'create ingress i --class=none --rule=example.com/*=web:80');
  await says(/created/, 'create priorityclass high --value=1000');
});

test('patch, edit in place, label, annotate, taint', options, async () => {
  await says(
    /patched/,
    'patch deployment web -p {"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"A","value":"1"}]}]}}}}',
  );
  await says(/patched/, 'patch deployment web --type=json -p [{"op":"replace","path":"/spec/replicas","value":2}]');
  await says(/patched/, 'patch deployment web --type=merge -p {"metadata":{"annotations":{"x":"y"}}}');
  await says(/labeled/, 'label deployment web tier=front');
  await says(/annotated/, 'annotate deployment web note=1');
  await says(/tainted/, 'taint nodes n1 k=v:NoSchedule');
  await says(/untainted/, 'taint nodes n1 k-');
  await says(/image updated/, 'set image deployment/web c=registry.example/app:2');
  await says(/env updated/, 'set env deployment/web VERSION=2');
  await says(/resource requirements updated/, 'set resources deployment/web --requests=cpu=10m');
  await says(/successfully rolled out/, 'rollout status deployment/web --timeout=30s');
  await says(/app:2/, 'get deployment web -o jsonpath={.spec.template.spec.containers[0].image}');
});

test('scale, rollout history, undo, restart', options, async () => {
  await says(/scaled/, 'scale deployment/web --replicas=4');
  await says(/REVISION/, 'rollout history deployment/web');
  await says(/rolled back/, 'rollout undo deployment/web');
  await says(/restarted/, 'rollout restart deployment/web');
  await says(/paused/, 'rollout pause deployment/web');
  await says(/resumed/, 'rollout resume deployment/web');
  await says(/successfully rolled out/, 'rollout status deployment/web --timeout=30s');
  await says(/autoscaled/, 'autoscale deployment web --min=1 --max=5 --cpu-percent=50');
  await says(/Deployment\/web/, 'get hpa');
});

test('services, endpoints and describe', options, async () => {
  await says(/exposed/, 'expose deployment web --port=80 --target-port=8080');
  await eventually('the service has endpoints', 10_000, async () =>
    (await kubectl(['get', 'endpointslices'])).output.includes('10.0.0.1'),
  );
  await says(/ClusterIP/, 'get service web -o wide');
  await says(/Selector: +app=web/, 'describe service web');
  await says(/RollingUpdate/, 'describe deployment web');
  await says(/Allocated resources/, 'describe node n1');
  const name = (await says(/pod\//, 'get pods -l app=web -o name')).split('\n')[0]!;
  await says(/QoS Class/, `describe ${name}`);
  await says(new RegExp(`/containerLogs/default/${name.slice(4)}/c\\?`), `logs ${name}`);
  await says(/Scheduled/, 'get events');
  await says(/SuccessfulCreate|ScalingReplicaSet/, 'events --for deployment/web');
});

test('who may do what', options, async () => {
  await says(/admin/, 'auth whoami');
  await says(/yes/, 'auth can-i * *');
  await says(/\*\.\*/, 'auth can-i --list');
  await says(/created/, 'create role reader --verb=get,list --resource=pods');
  await says(/created/, 'create rolebinding reads --role=reader --serviceaccount=default:robot');
  const robot = '--as=system:serviceaccount:default:robot';
  await says(/yes/, `auth can-i list pods ${robot}`);
  await refuses(/no/, `auth can-i list secrets ${robot}`);
  await refuses(/Forbidden/, `get secrets ${robot}`);
  const token = (await says(/^ey/, 'create token robot')).trim();
  const asRobot = `--kubeconfig=/dev/null --server=https://127.0.0.1:${cluster.port} --insecure-skip-tls-verify --token=${token}`;
  await says(/web/, `get pods ${asRobot}`);
  await refuses(/Forbidden/, `delete pods --all ${asRobot}`);
  await refuses(/[Uu]nauthorized|logged in/, `get pods ${asRobot.replace(token, 'wrong')}`);
});

test('jobs, cron jobs, stateful and daemon sets', options, async () => {
  await says(/created/, 'create job j --image=registry.example/app:1');
  await says(/condition met/, 'wait --for=condition=Complete job/j --timeout=30s');
  const cron = await kubectl(['create', 'cronjob', 'cj', '--image=registry.example/app:1', '--schedule=*/5 * * * *']);
  assert.equal(cron.status, 0, cron.output);
  await says(/\*\/5 \* \* \* \*/, 'get cronjobs');
  await says(/created/, 'apply -f -', {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ds' },
    spec: {
      selector: { matchLabels: { app: 'ds' } },
      template: { metadata: { labels: { app: 'ds' } }, spec: { containers: [container] } },
    },
  });
  await says(/successfully rolled out/, 'rollout status daemonset/ds --timeout=30s');
  await says(/created/, 'apply -f -', {
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
  await says(/rolling update complete|roll out complete|successfully/, 'rollout status statefulset/db --timeout=30s');
});

test('custom resources', options, async () => {
  await says(/created/, 'apply -f -', {
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
  await says(/condition met/, 'wait --for=condition=Established crd/widgets.example.com --timeout=10s');
  const widget = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: { size: 3 } };
  await says(/created/, 'apply -f -', widget);
  await says(/unchanged/, 'apply -f -', widget);
  await says(/w +3/, 'get wd');
  await says(/How big/, 'explain widget.spec.size');
  await says(/deleted/, 'delete widget w');
  await says(/deleted/, 'delete crd widgets.example.com');
});

test('cordon, drain, delete and wait', options, async () => {
  await says(/cordoned/, 'cordon n1');
  await says(/drained/, 'drain n1 --ignore-daemonsets --force --delete-emptydir-data --timeout=60s');
  await says(/uncordoned/, 'uncordon n1');
  await says(/created/, 'run single --image=registry.example/app:1');
  await says(/condition met/, 'wait --for=condition=Ready pod/single --timeout=30s');
  await says(/deleted/, 'delete pod single --wait=true');
  await says(/deleted/, 'delete deployment,service,hpa,ingress,pdb --all --wait=true');
  await eventually(
    'nothing of the deployment is left',
    10_000,
    async () => !(await kubectl(['get', 'pods', '-l', 'app=web', '-o', 'name'])).output.includes('pod/'),
  );
  await says(/created/, 'create namespace passing');
  await says(/created/, 'create configmap inside -n passing');
  await says(/deleted/, 'delete namespace passing --wait=true --timeout=60s');
});
