/** Placement, quotas of pods, tokens in pods and kubectl itself, as upstream's sig-scheduling, sig-auth and sig-cli tests use them. */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busybox } from '../harness/dabba.ts';
import { type Json, until, untilGone } from './api.ts';
import { imageWith, imageWithNode, type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
let nodes: string[];
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'scheduling');
    nodes = (await pods.api.get('/api/v1/nodes')).items.map(({ metadata }: Json) => metadata.name);
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

const options = { timeout: 90_000 };
const kubectl = async (...args: readonly string[]): Promise<string> =>
  await cluster.kubectl('-n', pods.namespace, ...args);
const unschedulable = ({ status }: Json): boolean =>
  status.conditions?.some(
    ({ type, status: is, reason }: Json) => type === 'PodScheduled' && is === 'False' && reason === 'Unschedulable',
  );
const remove = async (name: string): Promise<void> => {
  await pods.api.delete(pods.path('pods', name), { gracePeriodSeconds: 0 });
  await untilGone(pods.api, pods.path('pods', name));
};

test('[sig-architecture] Conformance Tests should have at least two untainted nodes', options, async () => {
  const { items } = await pods.api.get('/api/v1/nodes');
  assert.ok(items.filter(({ spec }: Json) => !spec.taints && !spec.unschedulable).length >= 2);
});

/** The CPU, in thousandths, that a node has left. */
async function free(node: string): Promise<number> {
  const milli = (text: string): number => (text.endsWith('m') ? Number.parseInt(text, 10) : Number(text) * 1000);
  const { status } = await pods.api.get(`/api/v1/nodes/${node}`);
  const { items } = await pods.api.get(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`);
  const requested = items
    .filter(({ status: { phase } }: Json) => phase !== 'Succeeded' && phase !== 'Failed')
    .flatMap(({ spec }: Json) => spec.containers)
    .reduce((sum: number, { resources }: Json) => sum + milli(resources?.requests?.cpu ?? '0'), 0);
  return milli(status.allocatable.cpu) - requested;
}
const on = (node: string): Json => ({ nodeSelector: { 'kubernetes.io/hostname': node } });
const cpu = (milli: number): Json => ({ resources: { requests: { cpu: `${milli}m` }, limits: { cpu: `${milli}m` } } });

test(
  '[sig-scheduling] SchedulerPredicates validates resource limits of pods that are allowed to run',
  options,
  async () => {
    const [node] = nodes;
    const left = await free(node!);
    const filler = await pods.ready(pods.pod('sleep 600', cpu(Math.floor(left * 0.7)), on(node!)));
    const { metadata } = await pods.create('pods', pods.pod('true', cpu(Math.floor(left * 0.5)), on(node!)));
    const waiting = await until(pods.api, pods.path('pods', metadata.name), unschedulable);
    assert.match(waiting.status.conditions[0].message, /0\/2 nodes are available: .*Insufficient cpu/);
    await remove(metadata.name);
    await remove(filler.metadata.name);
  },
);
test('[sig-scheduling] SchedulerPredicates validates that NodeSelector is respected if matching', options, async () => {
  await pods.api.patch(`/api/v1/nodes/${nodes[1]}`, { metadata: { labels: { 'e2e.example.com/here': '42' } } });
  const pod = await pods.ready(pods.pod('sleep 600', {}, { nodeSelector: { 'e2e.example.com/here': '42' } }));
  assert.equal(pod.spec.nodeName, nodes[1]);
  await remove(pod.metadata.name);
});
test(
  '[sig-scheduling] SchedulerPredicates validates that NodeSelector is respected if not matching',
  options,
  async () => {
    const { metadata } = await pods.create('pods', pods.pod('true', {}, { nodeSelector: { label: 'nonempty' } }));
    await until(pods.api, pods.path('pods', metadata.name), unschedulable);
    await remove(metadata.name);
  },
);
test(
  '[sig-scheduling] SchedulerPredicates validates that there exists conflict between pods with same hostPort and protocol but one using 0.0.0.0 hostIP',
  options,
  async () => {
    const ports = (hostIP?: string): Json => ({
      ports: [{ containerPort: 8080, hostPort: 54322, protocol: 'TCP', ...(hostIP && { hostIP }) }],
    });
    const first = await pods.ready(pods.pod('sleep 600', ports(), on(nodes[0]!)));
    const { metadata } = await pods.create('pods', pods.pod('sleep 600', ports('127.0.0.1'), on(nodes[0]!)));
    await until(pods.api, pods.path('pods', metadata.name), unschedulable);
    await remove(metadata.name);
    await remove(first.metadata.name);
  },
);

async function priority(name: string, value: number): Promise<string> {
  await pods.api.post('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name }, value });
  return name;
}
for (const [title, high, isCritical] of [
  ['validates basic preemption works', 'preempt-high', false],
  ['validates lower priority pod preemption by critical pod', 'system-cluster-critical', true],
  ['validates pod disruption condition is added to the preempted pod', 'preempt-higher', false],
] as const)
  test(`[sig-scheduling] SchedulerPreemption ${title}`, options, async () => {
    const low = await priority(`low-${high}`, 1);
    const priorityClassName = isCritical ? high : await priority(high, 1000);
    const left = await free(nodes[0]!);
    const finalizers = title.includes('condition') ? ['e2e.example.com/held'] : undefined;
    const victim = pods.pod('sleep 600', cpu(Math.floor(left * 0.8)), { ...on(nodes[0]!), priorityClassName: low });
    const { metadata } = await pods.ready({
      ...victim,
      metadata: { ...victim.metadata, ...(finalizers && { finalizers }) },
    });
    const preemptor = pods.pod('sleep 600', cpu(Math.floor(left * 0.5)), { ...on(nodes[0]!), priorityClassName });
    const running = pods.ready(preemptor);
    if (finalizers) {
      const preempted = await until(
        pods.api,
        pods.path('pods', metadata.name),
        (pod) =>
          pod.metadata.deletionTimestamp && pod.status.conditions.some(({ type }: Json) => type === 'DisruptionTarget'),
      );
      assert.equal(
        preempted.status.conditions.find(({ type }: Json) => type === 'DisruptionTarget').reason,
        'PreemptionByScheduler',
      );
      await pods.api.patch(pods.path('pods', metadata.name), { metadata: { finalizers: null } });
    }
    await untilGone(pods.api, pods.path('pods', metadata.name));
    assert.equal((await running).spec.nodeName, nodes[0]);
    await remove(preemptor.metadata.name);
  });

test(
  '[sig-scheduling] SchedulerPreemption PreemptionExecutionPath runs ReplicaSets to verify preemption running path',
  options,
  async () => {
    const thing = 'e2e.example.com/fakecpu';
    const node = `/api/v1/nodes/${nodes[0]}`;
    await pods.api.patch(`${node}/status`, { status: { capacity: { [thing]: '1000' } } });
    await until(pods.api, node, ({ status }) => status.allocatable[thing] === '1k');
    const sets = `/apis/apps/v1/namespaces/${pods.namespace}/replicasets`;
    const run = async (name: string, value: number, amount: string): Promise<void> => {
      const labels = { app: name };
      const resources = { requests: { [thing]: amount }, limits: { [thing]: amount } };
      const priorityClassName = await priority(`path-${name}`, value);
      const { spec } = pods.pod('sleep 600', { resources }, { ...on(nodes[0]!), priorityClassName });
      const template = { metadata: { labels }, spec: { ...spec, restartPolicy: 'Always' } };
      await pods.api.post(sets, {
        metadata: { name },
        spec: { replicas: 1, selector: { matchLabels: labels }, template },
      });
    };
    const isReady = ({ status }: Json): boolean => status.readyReplicas === 1;
    for (const [index, amount] of ['200', '300', '450'].entries()) {
      await run(`rs-${index + 1}`, index + 1, amount);
      await until(pods.api, `${sets}/rs-${index + 1}`, isReady);
    }
    const { items: before } = await pods.api.get(`${pods.path('pods')}?labelSelector=app%3Drs-3`);
    await run('rs-4', 4, '500');
    await until(pods.api, `${sets}/rs-4`, isReady);
    for (const name of ['rs-1', 'rs-2']) {
      await until(pods.api, `${sets}/${name}`, ({ status }) => !status.readyReplicas);
      const { items } = await pods.api.get(`${pods.path('pods')}?labelSelector=app%3D${name}`);
      assert.ok(items.length >= 1, 'another is made in place of the one that had to leave');
    }
    const { items: kept } = await pods.api.get(`${pods.path('pods')}?labelSelector=app%3Drs-3`);
    assert.equal(kept[0].metadata.uid, before[0].metadata.uid, 'what fits beside stays');
    for (const index of [1, 2, 3, 4]) await pods.api.delete(`${sets}/rs-${index}`);
    await pods.api.patch(`${node}/status`, { status: { capacity: { [thing]: null } } });
  },
);

test(
  '[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied.',
  options,
  async () => {
    const own = await Pods.in(cluster.api, 'limits');
    await own.create('limitranges', {
      metadata: { name: 'range' },
      spec: {
        limits: [
          {
            type: 'Container',
            min: { cpu: '50m', memory: '100Mi' },
            max: { cpu: '500m', memory: '500Mi' },
            default: { cpu: '500m', memory: '500Mi' },
            defaultRequest: { cpu: '100m', memory: '200Mi' },
          },
        ],
      },
    });
    const none = await own.create('pods', own.pod('true'));
    assert.deepEqual(none.spec.containers[0].resources, {
      limits: { cpu: '500m', memory: '500Mi' },
      requests: { cpu: '100m', memory: '200Mi' },
    });
    const partial = await own.create('pods', own.pod('true', { resources: { requests: { cpu: '300m' } } }));
    assert.deepEqual(partial.spec.containers[0].resources.requests, { cpu: '300m', memory: '200Mi' });
    const small = { requests: { cpu: '10m' } };
    for (const [resources, why] of [
      [small, /minimum cpu usage per Container is 50m, but request is 10m/],
      [{ requests: { cpu: '600m' }, limits: { cpu: '600m' } }, /maximum cpu usage per Container is 500m/],
    ] as const) {
      const { message } = await own.api.refused(403, 'POST', own.path('pods'), own.pod('true', { resources }));
      assert.match(message, why);
    }
    const range = await own.api.get(own.path('limitranges', 'range'));
    range.spec.limits[0].min = { cpu: '9m' };
    await own.api.put(own.path('limitranges', 'range'), range);
    await own.create('pods', own.pod('true', { resources: small }));
    await own.api.delete(own.path('limitranges', 'range'));
    await untilGone(own.api, own.path('limitranges', 'range'));
    const after = await own.create('pods', own.pod('true'));
    assert.deepEqual(after.spec.containers[0].resources, {});
  },
);

const taint = { key: 'e2e.example.com/evict', value: 'x', effect: 'NoExecute' };
const taints = async (value: Json): Promise<Json> =>
  await pods.api.patch(`/api/v1/nodes/${nodes[0]}`, { spec: { taints: value } });
test('[sig-node] NoExecuteTaintManager Multiple Pods evicts pods with minTolerationSeconds', options, async () => {
  const tolerations = (tolerationSeconds: number): Json => ({
    tolerations: [{ ...taint, operator: 'Equal', tolerationSeconds }],
  });
  const first = await pods.ready(pods.pod('sleep 600', {}, { ...on(nodes[0]!), ...tolerations(1) }));
  const second = await pods.ready(pods.pod('sleep 600', {}, { ...on(nodes[0]!), ...tolerations(4) }));
  await taints([taint]);
  await untilGone(pods.api, pods.path('pods', first.metadata.name));
  assert.equal((await pods.api.call('GET', pods.path('pods', second.metadata.name))).status, 200);
  await untilGone(pods.api, pods.path('pods', second.metadata.name));
  await taints(null);
});
test('[sig-node] NoExecuteTaintManager Single Pod removing taint cancels eviction', options, async () => {
  const pod = await pods.ready(
    pods.pod(
      'sleep 600',
      {},
      { ...on(nodes[0]!), tolerations: [{ ...taint, operator: 'Equal', tolerationSeconds: 4 }] },
    ),
  );
  await taints([taint]);
  await taints(null);
  // Longer than it was tolerated, counted by a container's own clock.
  await pods.output('sleep 6');
  assert.equal((await pods.api.get(pods.path('pods', pod.metadata.name))).metadata.deletionTimestamp, undefined);
  await remove(pod.metadata.name);
});

const quotas = async (own: Pods, hard: Json, extra: Json = {}): Promise<(used: Json) => Promise<Json>> => {
  await own.create('resourcequotas', { metadata: { name: 'quota' }, spec: { hard, ...extra } });
  return async (used) =>
    await until(own.api, own.path('resourcequotas', 'quota'), ({ status }) =>
      Object.entries(used).every(([name, value]) => status?.used?.[name] === value),
    );
};
test(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod.',
  options,
  async () => {
    const own = await Pods.in(cluster.api, 'quota-pod');
    const used = await quotas(own, { pods: '2', cpu: '1', memory: '500Mi' });
    await used({ pods: '0' });
    const resources = (cpu: string): Json => ({
      resources: { requests: { cpu, memory: '100Mi' }, limits: { cpu, memory: '100Mi' } },
    });
    const { metadata } = await own.ready(own.pod('sleep 600', resources('500m')));
    await used({ pods: '1', cpu: '500m', memory: '100Mi' });
    const refusal = await own.api.refused(403, 'POST', own.path('pods'), own.pod('true', resources('600m')));
    assert.match(refusal.message, /exceeded quota: quota/);
    await own.api.delete(own.path('pods', metadata.name), { gracePeriodSeconds: 0 });
    await used({ pods: '0', cpu: '0' });
  },
);
test('[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope.', options, async () => {
  const own = await Pods.in(cluster.api, 'quota-scope');
  const used = await quotas(own, { pods: '5' }, { scopes: ['BestEffort'] });
  await used({ pods: '0' });
  const effort = await own.create('pods', own.pod('sleep 600'));
  await own.create('pods', own.pod('sleep 600', cpu(50)));
  await used({ pods: '1' });
  await own.api.delete(own.path('pods', effort.metadata.name), { gracePeriodSeconds: 0 });
  await used({ pods: '0' });
});
test('[sig-api-machinery] ResourceQuota should verify ResourceQuota with terminating scopes.', options, async () => {
  const own = await Pods.in(cluster.api, 'quota-terminating');
  const used = await quotas(own, { pods: '5' }, { scopes: ['Terminating'] });
  await used({ pods: '0' });
  await own.create('pods', own.pod('sleep 600'));
  await own.create('pods', own.pod('sleep 600', {}, { activeDeadlineSeconds: 3600 }));
  await used({ pods: '1' });
});

// Identities in pods

const mount = '/var/run/secrets/kubernetes.io/serviceaccount';
test('[sig-auth] ServiceAccounts should mount an API token into pods', options, async () => {
  // The token is good for as long as its pod is there.
  const { metadata } = await pods.ready(pods.pod('sleep 600'));
  const read = async (file: string): Promise<string> =>
    await kubectl('exec', metadata.name, '--', 'cat', `${mount}/${file}`);
  assert.equal(await read('namespace'), pods.namespace);
  const { data } = await pods.api.get(pods.path('configmaps', 'kube-root-ca.crt'));
  assert.equal(await read('ca.crt'), data['ca.crt'].trim());
  const review = await pods.api.post('/apis/authentication.k8s.io/v1/tokenreviews', {
    spec: { token: await read('token') },
  });
  const { user } = review.status;
  assert.equal(user.username, `system:serviceaccount:${pods.namespace}:default`);
  for (const group of ['serviceaccounts', `serviceaccounts:${pods.namespace}`, 'authenticated'])
    assert.ok(user.groups.includes(`system:${group}`), group);
  assert.deepEqual(user.extra['authentication.kubernetes.io/pod-name'], [metadata.name]);
  await remove(metadata.name);
});
test('[sig-auth] ServiceAccounts should mount projected service account token', options, async () => {
  const volumes = [
    {
      name: 'token',
      projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'e2e', expirationSeconds: 600 } }] },
    },
  ];
  const token = await pods.output('cat /t/token', { volumeMounts: [{ name: 'token', mountPath: '/t' }] }, { volumes });
  const claims: Json = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
  assert.deepEqual(claims.aud, ['e2e']);
  assert.ok(claims['kubernetes.io'].pod.name);
});
test('[sig-auth] ServiceAccounts should allow opting out of API token automount', options, async () => {
  await pods.create('serviceaccounts', { metadata: { name: 'nomount' }, automountServiceAccountToken: false });
  const mounts = async (spec: Json): Promise<number> =>
    (await pods.create('pods', pods.pod('true', {}, spec))).spec.containers[0].volumeMounts?.length ?? 0;
  assert.equal(await mounts({ serviceAccountName: 'nomount' }), 0);
  assert.equal(await mounts({ serviceAccountName: 'nomount', automountServiceAccountToken: true }), 1);
  assert.equal(await mounts({ automountServiceAccountToken: false }), 0);
  assert.equal(await mounts({}), 1);
});
test(
  '[sig-auth] ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer',
  options,
  async () => {
    // A pod's own client of the server: linked with nothing, and it finds the cluster by the pod's account.
    const [path = ''] = (await cluster.dabba.client('which', ['kubectl'])).stdout.split('\n');
    const image = await imageWith(cluster.dabba, 'kubectl', { '/bin/kubectl': path });
    const volumes = [
      { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'oidc-test' } }] } },
    ];
    const container = { image, volumeMounts: [{ name: 'token', mountPath: '/t' }] };
    const script =
      'kubectl get --raw /.well-known/openid-configuration; echo; kubectl get --raw /openid/v1/jwks; echo; cat /t/token';
    const [found = '', keys = '', token = ''] = (await pods.output(script, container, { volumes })).split(/\n+/);
    const { issuer, jwks_uri: keysAt } = JSON.parse(found);
    assert.match(keysAt, /^https:/);
    const [header, payload, signature] = token.split('.').map((part) => Buffer.from(part, 'base64url'));
    const claims = JSON.parse(payload!.toString());
    assert.equal(claims.iss, issuer);
    assert.deepEqual(claims.aud, ['oidc-test']);
    const jwk = JSON.parse(keys).keys.find(({ kid }: Json) => kid === JSON.parse(header!.toString()).kid);
    const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')));
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    assert.ok(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature!));
  },
);

// kubectl

test('[sig-cli] api-versions should check if v1 is in available api versions', options, async () => {
  assert.ok((await kubectl('api-versions')).split('\n').includes('v1'));
});
test(
  '[sig-cli] cluster-info should check if Kubernetes control plane services is included in cluster-info',
  options,
  async () => {
    assert.match(await kubectl('cluster-info'), /Kubernetes control plane.*is running at/);
  },
);
test('[sig-cli] version should check is all data is printed', options, async () => {
  const output = await kubectl('version');
  for (const line of ['Client Version:', 'Server Version:']) assert.ok(output.includes(line));
});
test('[sig-cli] diff finds a difference for Deployments', options, async () => {
  const manifest = (image: string): string =>
    cluster.dabba.file(
      'diff.json',
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'diff' },
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: 'diff' } },
          template: { metadata: { labels: { app: 'diff' } }, spec: { containers: [{ name: 'c', image }] } },
        },
      }),
    );
  await kubectl('create', '-f', manifest(busybox));
  const outcome = await cluster.dabba.client('kubectl', [
    '--kubeconfig',
    cluster.kubeconfig,
    '-n',
    pods.namespace,
    'diff',
    '-f',
    manifest('other'),
  ]);
  assert.equal(outcome.status, 1, outcome.stderr);
  assert.match(outcome.stdout, /^\+\s+- image: other/m);
  await kubectl('delete', 'deployment', 'diff');
});
test('[sig-cli] server-side dry-run should check if kubectl can dry-run update Pods', options, async () => {
  await kubectl('run', 'dry', '--image', busybox, '--labels=run=dry', '--', 'sleep', '600');
  await kubectl(
    'patch',
    'pod',
    'dry',
    '-p',
    '{"spec":{"containers":[{"name":"dry","image":"other"}]}}',
    '--dry-run=server',
  );
  assert.equal(await kubectl('get', 'pod', 'dry', '-o', 'jsonpath={.spec.containers[0].image}'), busybox);
  await kubectl('delete', 'pod', 'dry', '--now');
});
test('[sig-cli] run pod should create a pod from an image when restart is Never', options, async () => {
  await kubectl('run', 'once', '--restart=Never', '--image', busybox);
  assert.equal((await pods.api.get(pods.path('pods', 'once'))).spec.restartPolicy, 'Never');
  await kubectl('delete', 'pod', 'once', '--now');
});
test("[sig-cli] replace should update a single-container pod's image", options, async () => {
  await kubectl('run', 'replaced', '--image', busybox, '--', 'sleep', '600');
  // Until it runs, the kubelet writes too.
  await kubectl('wait', '--for=condition=Ready', 'pod/replaced', '--timeout=30s');
  const pod = await pods.api.get(pods.path('pods', 'replaced'));
  const image = busybox.replace(':latest', '');
  const file = cluster.dabba.file(
    'pod.json',
    JSON.stringify({ ...pod, spec: { ...pod.spec, containers: [{ ...pod.spec.containers[0], image }] } }),
  );
  await kubectl('replace', '-f', file);
  assert.equal((await pods.api.get(pods.path('pods', 'replaced'))).spec.containers[0].image, image);
  await kubectl('delete', 'pod', 'replaced', '--now');
});
test('[sig-cli] label should update the label on a resource', options, async () => {
  await kubectl('run', 'labelled', '--image', busybox, '--', 'sleep', '600');
  await kubectl('label', 'pods', 'labelled', 'testing-label=testing-label-value');
  assert.match(await kubectl('get', 'pod', 'labelled', '-L', 'testing-label'), /testing-label-value/);
  await kubectl('label', 'pods', 'labelled', 'testing-label-');
  assert.doesNotMatch(await kubectl('get', 'pod', 'labelled', '-L', 'testing-label'), /testing-label-value/);
  await kubectl('delete', 'pod', 'labelled', '--now');
});
test('[sig-cli] logs should be able to retrieve and filter logs', options, async () => {
  await kubectl(
    'run',
    'logs',
    '--image',
    busybox,
    '--restart=Never',
    '--',
    'sh',
    '-c',
    'for i in $(seq 10); do echo "line $i"; done',
  );
  await until(pods.api, pods.path('pods', 'logs'), ({ status }) => status.phase === 'Succeeded');
  assert.equal((await kubectl('logs', 'logs')).trim().split('\n').length, 10);
  assert.equal(await kubectl('logs', 'logs', '--tail=1'), 'line 10');
  assert.equal(await kubectl('logs', 'logs', '--limit-bytes=1'), 'l');
  assert.match(await kubectl('logs', 'logs', '--tail=1', '--timestamps'), /^\d{4}-\d\d-\d\dT[\d:.]+Z line 10/);
  assert.equal((await kubectl('logs', 'logs', '--since=24h')).trim().split('\n').length, 10);
});
const controller = (name: string): string =>
  cluster.dabba.file(
    `${name}.json`,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name },
      spec: {
        replicas: 1,
        selector: { app: name },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'c', image: busybox, command: ['sleep', '600'], ports: [{ containerPort: 6379 }] }],
          },
        },
      },
    }),
  );
test('[sig-cli] describe rc and pods', options, async () => {
  await kubectl('create', '-f', controller('described'));
  await until(pods.api, pods.path('replicationcontrollers', 'described'), ({ status }) => status.readyReplicas === 1);
  const said = await kubectl('describe', 'rc', 'described');
  for (const line of ['Name:', 'Replicas:', 'Pods Status:', 'Pod Template:', 'Events:'])
    assert.ok(said.includes(line), line);
  const [{ metadata }] = (await pods.api.get(`${pods.path('pods')}?labelSelector=app%3Ddescribed`)).items;
  assert.match(await kubectl('describe', 'pod', metadata.name), /Controlled By:\s+ReplicationController\/described/);
  assert.match(await kubectl('describe', 'node', nodes[0]!), /Allocated resources:/);
  assert.match(await kubectl('describe', 'namespace', pods.namespace), /Status:\s+Active/);
});
test('[sig-cli] patch should add annotations for pods in rc', options, async () => {
  await kubectl('create', '-f', controller('annotated'));
  await until(pods.api, pods.path('replicationcontrollers', 'annotated'), ({ status }) => status.readyReplicas === 1);
  const [{ metadata }] = (await pods.api.get(`${pods.path('pods')}?labelSelector=app%3Dannotated`)).items;
  await kubectl('patch', 'pod', metadata.name, '-p', '{"metadata":{"annotations":{"x":"y"}}}');
  assert.equal((await pods.api.get(pods.path('pods', metadata.name))).metadata.annotations.x, 'y');
});
test('[sig-cli] expose should create services for rc', options, async () => {
  await kubectl('create', '-f', controller('exposed'));
  await kubectl('expose', 'rc', 'exposed', '--name=rm2', '--port=1234', '--target-port=6379');
  await until(pods.api, pods.path('endpoints', 'rm2'), ({ subsets }) => subsets?.[0]?.ports[0].port === 6379);
  await kubectl('expose', 'service', 'rm2', '--name=rm3', '--port=2345', '--target-port=6379');
  await until(pods.api, pods.path('endpoints', 'rm3'), ({ subsets }) => subsets?.[0]?.ports[0].port === 6379);
});
test('[sig-cli] Update Demo should create and stop a replication controller', options, async () => {
  await kubectl('create', '-f', controller('stopped'));
  await until(pods.api, pods.path('replicationcontrollers', 'stopped'), ({ status }) => status.readyReplicas === 1);
  await kubectl('delete', 'rc', 'stopped');
  for (const { metadata } of (await pods.api.get(`${pods.path('pods')}?labelSelector=app%3Dstopped`)).items)
    await untilGone(pods.api, pods.path('pods', metadata.name));
});
test('[sig-cli] Update Demo should scale a replication controller', options, async () => {
  await kubectl('create', '-f', controller('scaled'));
  for (const replicas of [2, 1]) {
    await kubectl('scale', 'rc', 'scaled', `--replicas=${replicas}`, '--timeout=1m');
    await until(
      pods.api,
      pods.path('replicationcontrollers', 'scaled'),
      ({ status }) => status.readyReplicas === replicas && status.replicas === replicas,
    );
  }
});
test('[sig-cli] Guestbook application should create and stop a working application', options, async () => {
  const image = await imageWithNode(cluster.dabba);
  await pods.create('configmaps', {
    metadata: { name: 'guestbook' },
    data: { 'server.cjs': readFileSync(join(import.meta.dirname, 'guestbook-server.cjs'), 'utf8') },
  });
  const tier = (name: string, { replicas, port }: { readonly replicas: number; readonly port: number }): Json[] => {
    const labels = { app: name };
    const container = {
      name: 'server',
      image,
      command: ['node', '/code/server.cjs', name.replace('agnhost-', '')],
      readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
      volumeMounts: [{ name: 'code', mountPath: '/code' }],
    };
    const spec = {
      terminationGracePeriodSeconds: 1,
      containers: [container],
      volumes: [{ name: 'code', configMap: { name: 'guestbook' } }],
    };
    return [
      { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: labels, ports: [{ port }] } },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name },
        spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      },
    ];
  };
  const tiers = { 'agnhost-primary': 1, 'agnhost-replica': 2, frontend: 3 };
  const items = Object.entries(tiers).flatMap(([name, replicas]) =>
    tier(name, { replicas, port: name === 'frontend' ? 8080 : 6379 }),
  );
  const file = cluster.dabba.file('guestbook.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await kubectl('create', '-f', file);
  for (const name of Object.keys(tiers)) await kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
  const ask = async (query: string): Promise<Json> =>
    await pods.api.get(`${pods.path('services', 'frontend:8080')}/proxy/guestbook?key=messages&${query}`);
  const read = async (): Promise<Json> => JSON.parse(await ask('cmd=get')).data;
  assert.equal(await read(), '');
  assert.equal(await ask('cmd=set&value=TestEntry'), 'Updated');
  // Whichever frontend and replica are asked.
  for (let time = 0; time < 10; time++) assert.equal(await read(), 'TestEntry');
  await kubectl('delete', '-f', file, '--wait=true');
  const selector = `labelSelector=${encodeURIComponent(`app in (${Object.keys(tiers).join()})`)}`;
  for (const { metadata } of (await pods.api.get(`${pods.path('pods')}?${selector}`)).items)
    await untilGone(pods.api, pods.path('pods', metadata.name));
});
