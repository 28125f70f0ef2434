/** Controllers with pods that run, as upstream's sig-apps tests use them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { busybox } from '../harness/dabba.ts';
import { type Json, until, untilGone, Watch } from './api.ts';
import { type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'apps');
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

const options = { timeout: 120_000 };
const apps = (resource: string, name?: string): string =>
  `/apis/apps/v1/namespaces/${pods.namespace}/${resource}${name === undefined ? '' : `/${name}`}`;
const batch = (resource: string, name?: string): string =>
  apps(resource, name).replace('/apis/apps/v1/', '/apis/batch/v1/');
const labelled = async (selector: string): Promise<Json[]> =>
  (await pods.api.get(`${pods.path('pods')}?labelSelector=${encodeURIComponent(selector)}`)).items;

function template(app: string, script = 'sleep 3600', extra: Json = {}, labels: Json = {}): Json {
  return {
    metadata: { labels: { app, ...labels } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'test', image: busybox, command: ['sh', '-c', script] }],
      ...extra,
    },
  };
}
const workload = (name: string, replicas: number, spec: Json = {}, labels: Json = {}): Json => ({
  metadata: { name, labels: { app: name, ...labels } },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name), ...spec },
});
const setEnv = (value: string): Json => ({
  spec: { template: { spec: { containers: [{ name: 'test', env: [{ name: 'VERSION', value }] }] } } },
});
const available =
  (count: number) =>
  ({ status, metadata, spec }: Json): boolean =>
    status?.observedGeneration === metadata.generation &&
    status.availableReplicas === count &&
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas;
const readyReplicas =
  (count: number) =>
  ({ status }: Json): boolean =>
    (status?.readyReplicas ?? 0) === count;

/** The two subresources that every replicated workload has. */
async function scaleAndStatus(path: string, kind: string): Promise<void> {
  const scale = await pods.api.get(`${path}/scale`);
  assert.deepEqual([scale.kind, scale.spec.replicas, scale.metadata.name], ['Scale', 1, kind]);
  // Without the version: controllers write the status of a new object all the time.
  const { resourceVersion: _version, ...metadata } = scale.metadata;
  await pods.api.put(`${path}/scale`, { ...scale, metadata, spec: { replicas: 2 } });
  assert.equal((await pods.api.get(path)).spec.replicas, 2);
  await pods.api.patch(`${path}/scale`, { spec: { replicas: 3 } });
  assert.equal((await pods.api.get(`${path}/scale`)).spec.replicas, 3);
}
async function statusEndpoints(path: string): Promise<void> {
  const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set by a test' };
  const read = await pods.api.get(`${path}/status`);
  const updated = await pods.api.put(`${path}/status`, {
    ...read,
    status: { ...read.status, conditions: [...(read.status.conditions ?? []), condition] },
  });
  assert.ok(updated.status.conditions.some(({ type }: Json) => type === 'StatusUpdate'));
  const patched = await pods.api.patch(`${path}/status`, {
    status: { conditions: [{ ...condition, type: 'StatusPatched' }] },
  });
  assert.ok(patched.status.conditions.some(({ type }: Json) => type === 'StatusPatched'));
}
async function listAndDeleteCollection(resource: string, make: (name: string) => Json): Promise<void> {
  for (const n of [1, 2, 3]) {
    const object = make(`set-${resource}-${n}`);
    await pods.api.post(apps(resource), {
      ...object,
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, collection: resource } },
    });
  }
  const selector = `labelSelector=collection%3D${resource}`;
  assert.equal((await pods.api.get(`/apis/apps/v1/${resource}?${selector}`)).items.length, 3);
  await pods.api.delete(`${apps(resource)}?${selector}`, { propagationPolicy: 'Background' });
  assert.equal((await pods.api.get(`${apps(resource)}?${selector}`)).items.length, 0);
}

// Deployment

test('[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones', options, async () => {
  await pods.api.post(apps('deployments'), workload('rolling', 2));
  await until(pods.api, apps('deployments', 'rolling'), available(2));
  const before = (await labelled('app=rolling')).map(({ metadata }) => metadata.uid);
  await pods.api.patch(apps('deployments', 'rolling'), setEnv('2'), 'strategic');
  const done = await until(pods.api, apps('deployments', 'rolling'), available(2));
  assert.equal(done.metadata.annotations['deployment.kubernetes.io/revision'], '2');
  const now = (await labelled('app=rolling')).filter(({ metadata }) => !metadata.deletionTimestamp);
  assert.ok(now.length === 2 && now.every(({ metadata }) => !before.includes(metadata.uid)));
});
test('[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones', options, async () => {
  await pods.api.post(apps('deployments'), workload('recreate', 1, { strategy: { type: 'Recreate' } }));
  await until(pods.api, apps('deployments', 'recreate'), available(1));
  await using watch = await Watch.on(pods.api, `${pods.path('pods')}?labelSelector=app%3Drecreate`);
  const old = (await watch.next('ADDED')).metadata.uid;
  await pods.api.patch(apps('deployments', 'recreate'), setEnv('2'), 'strategic');
  const fresh = await watch.next('ADDED', (pod) => pod.metadata.uid !== old);
  const isOldThere = (await labelled('app=recreate')).some(({ metadata }) => metadata.uid === old);
  assert.ok(fresh && !isOldThere, 'the old pod was gone before the new one came');
  await until(pods.api, apps('deployments', 'recreate'), available(1));
});
test('[sig-apps] Deployment deployment should delete old replica sets', options, async () => {
  await pods.api.post(apps('deployments'), workload('history', 1, { revisionHistoryLimit: 0 }));
  await until(pods.api, apps('deployments', 'history'), available(1));
  const [old] = (await pods.api.get(`${apps('replicasets')}?labelSelector=app%3Dhistory`)).items;
  await pods.api.patch(apps('deployments', 'history'), setEnv('2'), 'strategic');
  await untilGone(pods.api, apps('replicasets', old.metadata.name));
});
test('[sig-apps] Deployment deployment should support rollover', options, async () => {
  await pods.api.post(
    apps('deployments'),
    workload('rollover', 1, { minReadySeconds: 1, strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } }),
  );
  await pods.api.patch(apps('deployments', 'rollover'), setEnv('2'), 'strategic');
  await pods.api.patch(apps('deployments', 'rollover'), setEnv('3'), 'strategic');
  await until(pods.api, apps('deployments', 'rollover'), available(1));
  const sets: Json[] = (await pods.api.get(`${apps('replicasets')}?labelSelector=app%3Drollover`)).items;
  assert.equal(sets.filter(({ spec }) => spec.replicas > 0).length, 1);
});
test('[sig-apps] Deployment deployment should support proportional scaling', options, async () => {
  await pods.api.post(
    apps('deployments'),
    workload('proportional', 10, { strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }),
  );
  await until(pods.api, apps('deployments', 'proportional'), available(10));
  const broken = {
    spec: {
      template: { spec: { containers: [{ name: 'test', image: 'public.ecr.aws/docker/library/busybox:404' }] } },
    },
  };
  await pods.api.patch(apps('deployments', 'proportional'), broken, 'strategic');
  const sizes = async (): Promise<number[]> =>
    (await pods.api.get(`${apps('replicasets')}?labelSelector=app%3Dproportional`)).items
      .map(({ spec }: Json) => spec.replicas)
      .sort((a: number, b: number) => a - b);
  await until(
    pods.api,
    apps('deployments', 'proportional'),
    ({ status }) => status.updatedReplicas === 5 && status.replicas === 13,
  );
  assert.deepEqual(await sizes(), [5, 8]);
  await pods.api.patch(`${apps('deployments', 'proportional')}/scale`, { spec: { replicas: 30 } });
  await until(pods.api, apps('deployments', 'proportional'), ({ status }) => status.replicas === 33);
  assert.deepEqual(await sizes(), [13, 20]);
  await pods.api.delete(apps('deployments', 'proportional'));
});
test('[sig-apps] Deployment should run the lifecycle of a Deployment', options, async () => {
  await using watch = await Watch.on(pods.api, `${apps('deployments')}?labelSelector=app%3Dlifecycle`);
  await pods.api.post(apps('deployments'), workload('lifecycle', 1));
  await watch.next('ADDED');
  await watch.next('MODIFIED', available(1));
  await pods.api.patch(apps('deployments', 'lifecycle'), { spec: { replicas: 2 } }, 'strategic');
  await watch.next('MODIFIED', available(2));
  assert.equal((await pods.api.get('/apis/apps/v1/deployments?labelSelector=app%3Dlifecycle')).items.length, 1);
  await pods.api.delete(`${apps('deployments')}?labelSelector=app%3Dlifecycle`);
  await watch.next('DELETED');
});
test('[sig-apps] Deployment Deployment should have a working scale subresource', options, async () => {
  await pods.api.post(apps('deployments'), workload('scale-d', 1));
  await scaleAndStatus(apps('deployments', 'scale-d'), 'scale-d');
  await until(pods.api, apps('deployments', 'scale-d'), available(3));
  await pods.api.delete(apps('deployments', 'scale-d'));
});
test('[sig-apps] Deployment should validate Deployment Status endpoints', options, async () => {
  await pods.api.post(apps('deployments'), workload('status-d', 1));
  await until(pods.api, apps('deployments', 'status-d'), available(1));
  await statusEndpoints(apps('deployments', 'status-d'));
});

// ReplicaSet and ReplicationController

test('[sig-apps] ReplicaSet should serve a basic image on each replica with a public image', options, async () => {
  const script = 'mkdir /w; cd /w; hostname > who; exec httpd -f -p 8080';
  await pods.api.post(apps('replicasets'), workload('serve', 2, { template: template('serve', script) }));
  await until(pods.api, apps('replicasets', 'serve'), readyReplicas(2));
  for (const { metadata, status } of await labelled('app=serve'))
    assert.equal(
      await pods.output(
        `for n in 1 2 3 4 5; do timeout 2 wget -q -O- http://${status.podIP}:8080/who && break; sleep 1; done`,
      ),
      metadata.name,
    );
});
const orphanOf = async (name: string): Promise<Json> =>
  await pods.ready({ metadata: { name: `${name}-orphan`, labels: { app: name } }, spec: template(name).spec });
const ownerOf = (pod: Json): string | undefined =>
  pod.metadata.ownerReferences?.find(({ controller }: Json) => controller)?.name;
test(
  '[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods',
  options,
  async () => {
    const { metadata } = await orphanOf('adopt');
    await pods.api.post(apps('replicasets'), workload('adopt', 1));
    await until(pods.api, pods.path('pods', metadata.name), (pod) => ownerOf(pod) === 'adopt');
    await pods.api.patch(pods.path('pods', metadata.name), { metadata: { labels: { app: 'released' } } });
    await until(pods.api, pods.path('pods', metadata.name), (pod) => ownerOf(pod) === undefined);
    await until(pods.api, apps('replicasets', 'adopt'), readyReplicas(1));
  },
);
test('[sig-apps] ReplicaSet Replace and Patch tests', options, async () => {
  await pods.api.post(apps('replicasets'), workload('replace', 1));
  await until(pods.api, apps('replicasets', 'replace'), readyReplicas(1));
  await pods.api.patch(`${apps('replicasets', 'replace')}/scale`, { spec: { replicas: 2 } });
  await until(pods.api, apps('replicasets', 'replace'), readyReplicas(2));
  const patched = await pods.api.patch(
    apps('replicasets', 'replace'),
    { spec: { replicas: 3, template: { metadata: { labels: { test: 'patched' } } } } },
    'strategic',
  );
  assert.equal(patched.spec.template.metadata.labels.test, 'patched');
  await until(pods.api, apps('replicasets', 'replace'), readyReplicas(3));
});
test('[sig-apps] ReplicaSet Replicaset should have a working scale subresource', options, async () => {
  await pods.api.post(apps('replicasets'), workload('scale-r', 1));
  await scaleAndStatus(apps('replicasets', 'scale-r'), 'scale-r');
  await pods.api.delete(apps('replicasets', 'scale-r'));
});
test('[sig-apps] ReplicaSet should validate Replicaset Status endpoints', options, async () => {
  await pods.api.post(apps('replicasets'), workload('status-r', 1));
  await until(pods.api, apps('replicasets', 'status-r'), readyReplicas(1));
  await statusEndpoints(apps('replicasets', 'status-r'));
});
test('[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets', options, async () => {
  await listAndDeleteCollection('replicasets', (name) => workload(name, 1));
});

const controller = (name: string, replicas: number, spec: Json = {}): Json => ({
  metadata: { name, labels: { app: name } },
  spec: { replicas, selector: { app: name }, template: template(name), ...spec },
});
const controllers = 'replicationcontrollers';
test(
  '[sig-apps] ReplicationController should serve a basic image on each replica with a public image',
  options,
  async () => {
    const script = 'mkdir /w; cd /w; hostname > who; exec httpd -f -p 8080';
    await pods.create(controllers, controller('rc-serve', 2, { template: template('rc-serve', script) }));
    await until(pods.api, pods.path(controllers, 'rc-serve'), readyReplicas(2));
    for (const { metadata, status } of await labelled('app=rc-serve'))
      assert.equal(
        await pods.output(
          `for n in 1 2 3 4 5; do timeout 2 wget -q -O- http://${status.podIP}:8080/who && break; sleep 1; done`,
        ),
        metadata.name,
      );
  },
);
test('[sig-apps] ReplicationController should adopt matching pods on creation', options, async () => {
  const { metadata } = await orphanOf('rc-adopt');
  await pods.create(controllers, controller('rc-adopt', 1));
  await until(pods.api, pods.path('pods', metadata.name), (pod) => ownerOf(pod) === 'rc-adopt');
});
test('[sig-apps] ReplicationController should release no longer matching pods', options, async () => {
  await pods.create(controllers, controller('rc-release', 1));
  await until(pods.api, pods.path(controllers, 'rc-release'), readyReplicas(1));
  const [pod] = await labelled('app=rc-release');
  await pods.api.patch(pods.path('pods', pod.metadata.name), { metadata: { labels: { app: 'rc-released' } } });
  await until(pods.api, pods.path('pods', pod.metadata.name), (now) => ownerOf(now) === undefined);
});
test('[sig-apps] ReplicationController should get and update a ReplicationController scale', options, async () => {
  await pods.create(controllers, controller('rc-scale', 1));
  await scaleAndStatus(pods.path(controllers, 'rc-scale'), 'rc-scale');
  await pods.api.delete(pods.path(controllers, 'rc-scale'));
});
test(
  '[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota',
  options,
  async () => {
    const own = await Pods.in(cluster.api, 'rc-quota');
    await own.create('resourcequotas', { metadata: { name: 'condition-test' }, spec: { hard: { pods: '2' } } });
    await until(own.api, own.path('resourcequotas', 'condition-test'), ({ status }) => status?.hard?.pods === '2');
    await own.create(controllers, controller('condition-test', 3));
    const failing = ({ status }: Json): boolean =>
      status?.conditions?.some(({ type, status: is }: Json) => type === 'ReplicaFailure' && is === 'True');
    await until(own.api, own.path(controllers, 'condition-test'), failing);
    await own.api.patch(`${own.path(controllers, 'condition-test')}/scale`, { spec: { replicas: 2 } });
    await until(own.api, own.path(controllers, 'condition-test'), (object) => !failing(object));
  },
);
test('[sig-apps] ReplicationController should test the lifecycle of a ReplicationController', options, async () => {
  await using watch = await Watch.on(pods.api, `${pods.path(controllers)}?labelSelector=app%3Drc-life`);
  await pods.create(controllers, controller('rc-life', 1));
  await watch.next('ADDED');
  await watch.next('MODIFIED', readyReplicas(1));
  await pods.api.patch(`${pods.path(controllers, 'rc-life')}/status`, {
    status: { readyReplicas: 0, availableReplicas: 0 },
  });
  await watch.next('MODIFIED', readyReplicas(1));
  await pods.api.patch(pods.path(controllers, 'rc-life'), { spec: { replicas: 2 } }, 'strategic');
  await watch.next('MODIFIED', readyReplicas(2));
  await pods.api.delete(`${pods.path(controllers)}?labelSelector=app%3Drc-life`);
  await watch.next('DELETED');
});

// StatefulSet

const set = (name: string, replicas: number, spec: Json = {}): Json =>
  workload(name, replicas, { serviceName: name, ...spec });
const sets = (name: string): string => apps('statefulsets', name);
const gate = 'test -e /tmp/ready';
const gated = (name: string): Json => {
  const base = template(name);
  return {
    ...base,
    spec: {
      ...base.spec,
      containers: [
        { ...base.spec.containers[0], readinessProbe: { exec: { command: ['sh', '-c', gate] }, periodSeconds: 1 } },
      ],
    },
  };
};
const open = async (name: string): Promise<void> =>
  void (await cluster.kubectl('exec', '-n', pods.namespace, name, '--', 'touch', '/tmp/ready'));
const rolled = ({ status, spec, metadata }: Json): boolean =>
  status.observedGeneration === metadata.generation &&
  status.currentRevision === status.updateRevision &&
  status.readyReplicas === spec.replicas;
const version = async (name: string): Promise<string> =>
  (await pods.api.get(pods.path('pods', name))).spec.containers[0].env?.[0].value ?? '1';

test(
  '[sig-apps] StatefulSet Basic [StatefulSetBasic] Scaling should happen in predictable order and halt if any stateful pod is unhealthy [Slow]',
  options,
  async () => {
    await pods.api.post(apps('statefulsets'), set('ordered', 2, { template: gated('ordered') }));
    await until(pods.api, pods.path('pods', 'ordered-0'), ({ status }) => status.phase === 'Running');
    assert.equal(
      (await pods.api.call('GET', pods.path('pods', 'ordered-1'))).status,
      404,
      'the second waits for the first',
    );
    await open('ordered-0');
    await until(pods.api, pods.path('pods', 'ordered-1'), ({ status }) => status.phase === 'Running');
    await open('ordered-1');
    await until(pods.api, sets('ordered'), readyReplicas(2));
    await using watch = await Watch.on(pods.api, `${pods.path('pods')}?labelSelector=app%3Dordered`);
    await pods.api.patch(`${sets('ordered')}/scale`, { spec: { replicas: 0 } });
    assert.equal((await watch.next('DELETED')).metadata.name, 'ordered-1');
    assert.equal((await watch.next('DELETED')).metadata.name, 'ordered-0');
  },
);
test(
  '[sig-apps] StatefulSet Basic [StatefulSetBasic] Burst scaling should run to completion even with unhealthy pods [Slow]',
  options,
  async () => {
    await pods.api.post(
      apps('statefulsets'),
      set('burst', 2, { template: gated('burst'), podManagementPolicy: 'Parallel' }),
    );
    for (const n of [0, 1])
      await until(pods.api, pods.path('pods', `burst-${n}`), ({ status }) => status.phase === 'Running');
    await pods.api.patch(`${sets('burst')}/scale`, { spec: { replicas: 0 } });
    await until(pods.api, sets('burst'), ({ status }) => status.replicas === 0);
  },
);
test(
  '[sig-apps] StatefulSet Basic [StatefulSetBasic] should perform rolling updates and roll backs of template modifications',
  options,
  async () => {
    await pods.api.post(apps('statefulsets'), set('rolling-s', 2));
    const first = (await until(pods.api, sets('rolling-s'), rolled)).status.currentRevision;
    await pods.api.patch(sets('rolling-s'), setEnv('2'), 'strategic');
    const second = await until(
      pods.api,
      sets('rolling-s'),
      (object) => rolled(object) && object.status.currentRevision !== first,
    );
    for (const n of [0, 1]) assert.equal(await version(`rolling-s-${n}`), '2');
    const env = [{ op: 'remove', path: '/spec/template/spec/containers/0/env' }];
    await pods.api.patch(sets('rolling-s'), env, 'json');
    const back = await until(
      pods.api,
      sets('rolling-s'),
      (object) => rolled(object) && object.status.currentRevision !== second.status.currentRevision,
    );
    assert.equal(back.status.currentRevision, first, 'an equal template is the same revision');
  },
);
test(
  '[sig-apps] StatefulSet Basic [StatefulSetBasic] should perform canary updates and phased rolling updates of template modifications',
  options,
  async () => {
    const updateStrategy = (partition: number): Json => ({ type: 'RollingUpdate', rollingUpdate: { partition } });
    await pods.api.post(apps('statefulsets'), set('canary', 3, { updateStrategy: updateStrategy(3) }));
    await until(pods.api, sets('canary'), readyReplicas(3));
    await pods.api.patch(sets('canary'), setEnv('2'), 'strategic');
    await until(
      pods.api,
      sets('canary'),
      ({ status, metadata }) =>
        status.observedGeneration === metadata.generation && status.updateRevision !== status.currentRevision,
    );
    await pods.api.patch(sets('canary'), { spec: { updateStrategy: updateStrategy(2) } });
    await until(pods.api, sets('canary'), ({ status }) => status.updatedReplicas === 1 && status.readyReplicas === 3);
    assert.deepEqual(
      [await version('canary-0'), await version('canary-1'), await version('canary-2')],
      ['1', '1', '2'],
    );
    await pods.api.patch(sets('canary'), { spec: { updateStrategy: updateStrategy(0) } });
    await until(pods.api, sets('canary'), rolled);
    assert.equal(await version('canary-0'), '2');
  },
);
test('[sig-apps] StatefulSet Basic [StatefulSetBasic] Should recreate evicted statefulset', options, async () => {
  await pods.api.post(apps('statefulsets'), set('evicted', 1));
  await until(pods.api, sets('evicted'), readyReplicas(1));
  const { metadata } = await pods.api.get(pods.path('pods', 'evicted-0'));
  await pods.api.post(`${pods.path('pods', 'evicted-0')}/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'evicted-0', namespace: pods.namespace },
  });
  await until(
    pods.api,
    pods.path('pods', 'evicted-0'),
    (pod) => pod.metadata.uid !== metadata.uid && pod.status.phase === 'Running',
  );
});
test('[sig-apps] StatefulSet Basic [StatefulSetBasic] should have a working scale subresource', options, async () => {
  await pods.api.post(apps('statefulsets'), set('scale-s', 1));
  await scaleAndStatus(sets('scale-s'), 'scale-s');
  await pods.api.delete(sets('scale-s'));
});
test(
  '[sig-apps] StatefulSet Basic [StatefulSetBasic] should validate Statefulset Status endpoints',
  options,
  async () => {
    await pods.api.post(apps('statefulsets'), set('status-s', 1));
    await until(pods.api, sets('status-s'), readyReplicas(1));
    await statusEndpoints(sets('status-s'));
  },
);
test(
  '[sig-apps] StatefulSet Basic [StatefulSetBasic] should list, patch and delete a collection of StatefulSets',
  options,
  async () => {
    await listAndDeleteCollection('statefulsets', (name) => set(name, 1));
  },
);

// DaemonSet

const daemon = (name: string, spec: Json = {}): Json => ({
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, template: template(name), ...spec },
});
const daemons = (name: string): string => apps('daemonsets', name);
const everywhere = ({ status, metadata }: Json): boolean =>
  status.observedGeneration === metadata.generation &&
  status.numberReady === 2 &&
  status.desiredNumberScheduled === 2 &&
  status.updatedNumberScheduled === 2;
test('[sig-apps] Daemon set should run and stop simple daemon', options, async () => {
  await pods.api.post(apps('daemonsets'), daemon('simple'));
  await until(pods.api, daemons('simple'), everywhere);
  const [victim] = await labelled('app=simple');
  await pods.api.delete(pods.path('pods', victim.metadata.name));
  await until(pods.api, daemons('simple'), everywhere);
  await pods.api.delete(daemons('simple'));
  await untilGone(pods.api, daemons('simple'));
});
test('[sig-apps] Daemon set should run and stop complex daemon', options, async () => {
  const base = template('complex');
  await pods.api.post(
    apps('daemonsets'),
    daemon('complex', { template: { ...base, spec: { ...base.spec, nodeSelector: { color: 'blue' } } } }),
  );
  await until(
    pods.api,
    daemons('complex'),
    ({ status }) => status.observedGeneration === 1 && status.desiredNumberScheduled === 0,
  );
  const [node] = (await pods.api.get('/api/v1/nodes')).items;
  await pods.api.patch(`/api/v1/nodes/${node.metadata.name}`, { metadata: { labels: { color: 'blue' } } });
  await until(pods.api, daemons('complex'), ({ status }) => status.numberReady === 1);
  await pods.api.patch(`/api/v1/nodes/${node.metadata.name}`, { metadata: { labels: { color: 'green' } } });
  await until(
    pods.api,
    daemons('complex'),
    ({ status }) => status.currentNumberScheduled === 0 && status.numberMisscheduled === 0,
  );
  await pods.api.delete(daemons('complex'));
  await pods.api.patch(`/api/v1/nodes/${node.metadata.name}`, { metadata: { labels: { color: null } } });
});
test('[sig-apps] Daemon set should retry creating failed daemon pods', options, async () => {
  await pods.api.post(apps('daemonsets'), daemon('retry'));
  await until(pods.api, daemons('retry'), everywhere);
  const [victim] = await labelled('app=retry');
  await pods.api.patch(`${pods.path('pods', victim.metadata.name)}/status`, { status: { phase: 'Failed' } });
  await untilGone(pods.api, pods.path('pods', victim.metadata.name));
  await until(pods.api, daemons('retry'), everywhere);
  await pods.api.delete(daemons('retry'));
});
test(
  '[sig-apps] Daemon set should update pod when spec was updated and update strategy is RollingUpdate',
  options,
  async () => {
    await pods.api.post(apps('daemonsets'), daemon('update'));
    await until(pods.api, daemons('update'), everywhere);
    await pods.api.patch(daemons('update'), setEnv('2'), 'strategic');
    await until(pods.api, daemons('update'), everywhere);
    for (const { metadata } of (await labelled('app=update')).filter((pod) => !pod.metadata.deletionTimestamp))
      assert.equal(await version(metadata.name), '2');
    await pods.api.delete(daemons('update'));
  },
);
test('[sig-apps] Daemon set should rollback without unnecessary restarts', options, async () => {
  await pods.api.post(apps('daemonsets'), daemon('rollback'));
  await until(pods.api, daemons('rollback'), everywhere);
  const broken = {
    spec: {
      template: { spec: { containers: [{ name: 'test', image: 'public.ecr.aws/docker/library/busybox:404' }] } },
    },
  };
  await pods.api.patch(daemons('rollback'), broken, 'strategic');
  await until(
    pods.api,
    daemons('rollback'),
    ({ status, metadata }) =>
      status.observedGeneration === metadata.generation &&
      status.updatedNumberScheduled === 1 &&
      status.numberReady === 1,
  );
  const [kept] = (await labelled('app=rollback')).filter(
    ({ spec, metadata }) => spec.containers[0].image === busybox && !metadata.deletionTimestamp,
  );
  await cluster.kubectl('rollout', 'undo', 'daemonset/rollback', '-n', pods.namespace);
  await until(pods.api, daemons('rollback'), everywhere);
  assert.equal((await pods.api.get(pods.path('pods', kept.metadata.name))).metadata.uid, kept.metadata.uid);
  await pods.api.delete(daemons('rollback'));
});
test('[sig-apps] Daemon set should list and delete a collection of DaemonSets', options, async () => {
  await listAndDeleteCollection('daemonsets', (name) => daemon(name));
});
test('[sig-apps] Daemon set should verify changes to a daemon set status', options, async () => {
  await pods.api.post(apps('daemonsets'), daemon('status-ds'));
  await until(pods.api, daemons('status-ds'), everywhere);
  await statusEndpoints(daemons('status-ds'));
  await pods.api.delete(daemons('status-ds'));
});

// Jobs

const job = (name: string, script: string, spec: Json = {}, restartPolicy = 'Never'): Json => ({
  metadata: { name },
  spec: { template: template(name, script, { restartPolicy }), ...spec },
});
const jobs = (name: string): string => batch('jobs', name);
const has =
  (type: string, reason?: string) =>
  ({ status }: Json): boolean =>
    status?.conditions?.some(
      (condition: Json) =>
        condition.type === type && condition.status === 'True' && (reason === undefined || condition.reason === reason),
    );
const indexed = { completionMode: 'Indexed' };
const index = '$JOB_COMPLETION_INDEX';

test(
  '[sig-apps] Job should run a job to completion when tasks sometimes fail and are locally restarted',
  options,
  async () => {
    const made = job(
      'flaky',
      'test -e /w/once && exit 0; touch /w/once; exit 1',
      { parallelism: 2, completions: 2 },
      'OnFailure',
    );
    made.spec.template.spec.volumes = [{ name: 'w', emptyDir: {} }];
    made.spec.template.spec.containers[0].volumeMounts = [{ name: 'w', mountPath: '/w' }];
    await pods.api.post(batch('jobs'), made);
    const done = await until(pods.api, jobs('flaky'), has('Complete'));
    assert.equal(done.status.succeeded, 2);
  },
);
test(
  '[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname',
  options,
  async () => {
    await pods.api.post(
      batch('jobs'),
      job('indexed', `hostname; echo ${index}`, { ...indexed, parallelism: 2, completions: 3 }),
    );
    const done = await until(pods.api, jobs('indexed'), has('Complete'));
    assert.equal(done.status.completedIndexes, '0-2');
    for (const pod of await labelled('job-name=indexed')) {
      const n = pod.metadata.annotations['batch.kubernetes.io/job-completion-index'];
      assert.equal(await pods.log(pod.metadata.name), `indexed-${n}\n${n}\n`);
    }
  },
);
test(
  '[sig-apps] Job should execute all indexes despite some failing when using backoffLimitPerIndex',
  options,
  async () => {
    await pods.api.post(
      batch('jobs'),
      job('per-index', `exit $((${index} % 2))`, {
        ...indexed,
        parallelism: 2,
        completions: 4,
        backoffLimitPerIndex: 0,
      }),
    );
    const done = await until(pods.api, jobs('per-index'), has('Failed', 'FailedIndexes'));
    assert.deepEqual([done.status.failedIndexes, done.status.completedIndexes], ['1,3', '0,2']);
  },
);
test(
  '[sig-apps] Job should terminate job execution when the number of failed indexes exceeds maxFailedIndexes',
  options,
  async () => {
    await pods.api.post(
      batch('jobs'),
      job('max-failed', 'exit 1', {
        ...indexed,
        parallelism: 1,
        completions: 4,
        backoffLimitPerIndex: 0,
        maxFailedIndexes: 1,
      }),
    );
    await until(pods.api, jobs('max-failed'), has('Failed', 'MaxFailedIndexesExceeded'));
  },
);
test(
  '[sig-apps] Job should mark indexes as failed when the FailIndex action is matched in podFailurePolicy',
  options,
  async () => {
    const podFailurePolicy = { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [42] } }] };
    await pods.api.post(
      batch('jobs'),
      job('fail-index', `test ${index} = 0 && exit 42; true`, {
        ...indexed,
        parallelism: 2,
        completions: 2,
        backoffLimitPerIndex: 1,
        podFailurePolicy,
      }),
    );
    const done = await until(pods.api, jobs('fail-index'), has('Failed', 'FailedIndexes'));
    assert.deepEqual([done.status.failedIndexes, done.status.completedIndexes, done.status.failed], ['0', '1', 1]);
  },
);
test(
  '[sig-apps] Job should allow to use the pod failure policy on exit code to fail the job early',
  options,
  async () => {
    const podFailurePolicy = { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }] };
    await pods.api.post(batch('jobs'), job('fail-early', 'exit 1', { backoffLimit: 6, podFailurePolicy }));
    await until(pods.api, jobs('fail-early'), has('Failed', 'PodFailurePolicy'));
  },
);
test(
  '[sig-apps] Job should allow to use a pod failure policy to ignore failure matching on DisruptionTarget condition',
  options,
  async () => {
    const podFailurePolicy = {
      rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
    };
    const made = job('ignore', 'test -e /h/go && exit 0; sleep 600', { backoffLimit: 0, podFailurePolicy });
    await pods.api.post(batch('jobs'), made);
    await until(pods.api, jobs('ignore'), ({ status }) => status?.ready === 1);
    const [victim] = await labelled('job-name=ignore');
    await pods.api.post(`${pods.path('pods', victim.metadata.name)}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: victim.metadata.name },
    });
    await untilGone(pods.api, pods.path('pods', victim.metadata.name));
    const after = await until(pods.api, jobs('ignore'), ({ status }) => status?.ready === 1);
    assert.ok(!has('Failed')(after) && !after.status.failed);
    await pods.api.delete(jobs('ignore'), { propagationPolicy: 'Background' });
  },
);
for (const [title, successPolicy, completed] of [
  ['should succeeded when all indexes succeeded', { rules: [{ succeededIndexes: '0-1' }] }, '0,1'],
  [
    'succeededIndexes rule should succeeded even when some indexes remain pending',
    { rules: [{ succeededIndexes: '0' }] },
    '0',
  ],
  [
    'succeededCount rule should succeeded even when some indexes remain pending',
    { rules: [{ succeededCount: 1 }] },
    '0',
  ],
] as const)
  test(`[sig-apps] Job with successPolicy ${title}`, options, async () => {
    const name = `success-${completed.length}-${title.length}`;
    const script = title.startsWith('should') ? 'true' : `test ${index} = 0 || sleep 600`;
    await pods.api.post(
      batch('jobs'),
      job(name, script, { ...indexed, parallelism: 2, completions: 2, successPolicy }),
    );
    await until(pods.api, jobs(name), has('SuccessCriteriaMet'));
    const done = await until(pods.api, jobs(name), has('Complete'));
    assert.ok(done.status.completedIndexes.startsWith('0'));
    await pods.api.delete(jobs(name), { propagationPolicy: 'Background' });
  });
test('[sig-apps] Job should adopt matching orphans and release non-matching pods', options, async () => {
  await pods.api.post(batch('jobs'), job('adopting', 'sleep 600', { parallelism: 1, completions: 4 }));
  await until(pods.api, jobs('adopting'), ({ status }) => status?.active === 1);
  const [pod] = await labelled('job-name=adopting');
  const path = pods.path('pods', pod.metadata.name);
  await pods.api.patch(path, { metadata: { ownerReferences: null } });
  await until(pods.api, path, (now) => ownerOf(now) === 'adopting');
  await pods.api.patch(path, { metadata: { labels: null } });
  await until(pods.api, path, (now) => ownerOf(now) === undefined);
  await pods.api.delete(jobs('adopting'), { propagationPolicy: 'Background' });
});
test('[sig-apps] Job should delete a job', options, async () => {
  await pods.api.post(batch('jobs'), job('deleted', 'sleep 600', { parallelism: 2 }));
  await until(pods.api, jobs('deleted'), ({ status }) => status?.active === 2);
  await pods.api.delete(jobs('deleted'), { propagationPolicy: 'Foreground' });
  await untilGone(pods.api, jobs('deleted'));
  assert.equal((await labelled('job-name=deleted')).length, 0);
});
test('[sig-apps] Job should apply changes to a job status', options, async () => {
  await pods.api.post(batch('jobs'), job('status-j', 'sleep 600', { backoffLimit: 3 }));
  await until(pods.api, jobs('status-j'), ({ status }) => status?.active === 1);
  const patched = await pods.api.patch(`${jobs('status-j')}/status`, {
    metadata: { annotations: { patchedstatus: 'true' } },
    status: { conditions: [{ type: 'CustomConditionType', status: 'True' }] },
  });
  assert.equal(patched.metadata.annotations?.patchedstatus, 'true');
  await pods.api.delete(jobs('status-j'), { propagationPolicy: 'Background' });
});
test('[sig-apps] Job should manage the lifecycle of a job', options, async () => {
  await pods.api.post(batch('jobs'), {
    ...job('life-j', 'exit 0', { suspend: true, parallelism: 2, completions: 4 }),
    metadata: { name: 'life-j', labels: { e2e: 'life-j' } },
  });
  await until(pods.api, jobs('life-j'), has('Suspended'));
  await pods.api.patch(jobs('life-j'), { spec: { suspend: false } }, 'strategic');
  await until(pods.api, jobs('life-j'), has('Complete'));
  assert.equal((await pods.api.get('/apis/batch/v1/jobs?labelSelector=e2e%3Dlife-j')).items.length, 1);
  await pods.api.delete(`${batch('jobs')}?labelSelector=e2e%3Dlife-j`, { propagationPolicy: 'Background' });
  await untilGone(pods.api, jobs('life-j'));
});

// Disruption budgets and the garbage collector

const budgets = (name?: string): string =>
  `/apis/policy/v1/namespaces/${pods.namespace}/poddisruptionbudgets${name ? `/${name}` : ''}`;
test('[sig-apps] DisruptionController should observe PodDisruptionBudget status updated', options, async () => {
  await pods.api.post(apps('replicasets'), workload('observed', 3));
  await pods.api.post(budgets(), {
    metadata: { name: 'observed' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'observed' } } },
  });
  await until(
    pods.api,
    budgets('observed'),
    ({ status }) => status?.disruptionsAllowed === 2 && status.currentHealthy === 3,
  );
});
test(
  '[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it',
  options,
  async () => {
    await pods.api.post(apps('replicasets'), workload('blocked', 3));
    await pods.api.post(budgets(), {
      metadata: { name: 'blocked' },
      spec: { minAvailable: 3, selector: { matchLabels: { app: 'blocked' } } },
    });
    await until(pods.api, budgets('blocked'), ({ status }) => status?.currentHealthy === 3);
    const [{ metadata }] = (await labelled('app=blocked')) as [Json];
    const eviction = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: metadata.name, namespace: pods.namespace },
    };
    const refusal = await pods.api.refused(429, 'POST', `${pods.path('pods', metadata.name)}/eviction`, eviction);
    assert.match(refusal.message, /Cannot evict pod as it would violate the pod's disruption budget/);
    await pods.api.patch(budgets('blocked'), { spec: { minAvailable: 2 } });
    await until(pods.api, budgets('blocked'), ({ status }) => status.disruptionsAllowed === 1);
    await pods.api.post(`${pods.path('pods', metadata.name)}/eviction`, eviction);
    await untilGone(pods.api, pods.path('pods', metadata.name));
  },
);

test(
  '[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning',
  options,
  async () => {
    await pods.api.post(apps('deployments'), workload('gc-d', 1));
    await until(pods.api, apps('deployments', 'gc-d'), available(1));
    const [{ metadata }] = (await pods.api.get(`${apps('replicasets')}?labelSelector=app%3Dgc-d`)).items;
    await pods.api.delete(apps('deployments', 'gc-d'), { propagationPolicy: 'Background' });
    await untilGone(pods.api, apps('replicasets', metadata.name));
  },
);
test(
  '[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan',
  options,
  async () => {
    await pods.api.post(apps('deployments'), workload('gc-o', 1));
    await until(pods.api, apps('deployments', 'gc-o'), available(1));
    const [{ metadata }] = (await pods.api.get(`${apps('replicasets')}?labelSelector=app%3Dgc-o`)).items;
    await pods.api.delete(apps('deployments', 'gc-o'), { propagationPolicy: 'Orphan' });
    await untilGone(pods.api, apps('deployments', 'gc-o'));
    await until(pods.api, apps('replicasets', metadata.name), (rs) => ownerOf(rs) === undefined);
    await pods.api.delete(apps('replicasets', metadata.name));
  },
);
test('[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning', options, async () => {
  await pods.create(controllers, controller('gc-rc', 2));
  await until(pods.api, pods.path(controllers, 'gc-rc'), readyReplicas(2));
  const made = await labelled('app=gc-rc');
  await pods.api.delete(pods.path(controllers, 'gc-rc'), { propagationPolicy: 'Background' });
  for (const { metadata } of made) await untilGone(pods.api, pods.path('pods', metadata.name));
});
test(
  '[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so',
  options,
  async () => {
    await pods.create(controllers, controller('gc-orphan', 2));
    await until(pods.api, pods.path(controllers, 'gc-orphan'), readyReplicas(2));
    await pods.api.delete(pods.path(controllers, 'gc-orphan'), { propagationPolicy: 'Orphan' });
    await untilGone(pods.api, pods.path(controllers, 'gc-orphan'));
    const left = await labelled('app=gc-orphan');
    assert.equal(left.length, 2);
    for (const { metadata } of left)
      await until(pods.api, pods.path('pods', metadata.name), (pod) => ownerOf(pod) === undefined);
  },
);
test(
  '[sig-api-machinery] Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions says so',
  options,
  async () => {
    await pods.create(controllers, controller('gc-foreground', 2));
    await until(pods.api, pods.path(controllers, 'gc-foreground'), readyReplicas(2));
    await pods.api.delete(pods.path(controllers, 'gc-foreground'), { propagationPolicy: 'Foreground' });
    await untilGone(pods.api, pods.path(controllers, 'gc-foreground'));
    assert.equal((await labelled('app=gc-foreground')).length, 0);
  },
);
const owner = ({ metadata, kind, apiVersion }: Json, extra: Json = {}): Json => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  ...extra,
});
const plain = (name: string): Json => ({ metadata: { name }, spec: template('gc-plain').spec });
test('[sig-api-machinery] Garbage collector should not be blocked by dependency circle', options, async () => {
  const [one, two, three] = [
    await pods.create('pods', plain('circle-1')),
    await pods.create('pods', plain('circle-2')),
    await pods.create('pods', plain('circle-3')),
  ];
  for (const [of, by] of [
    [one, three],
    [two, one],
    [three, two],
  ] as const)
    await pods.api.patch(pods.path('pods', of.metadata.name), {
      metadata: { ownerReferences: [owner(by, { controller: true, blockOwnerDeletion: true })] },
    });
  await pods.api.delete(pods.path('pods', 'circle-1'), { propagationPolicy: 'Foreground' });
  for (const n of [1, 2, 3]) await untilGone(pods.api, pods.path('pods', `circle-${n}`));
});
test(
  "[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted",
  options,
  async () => {
    const first = await pods.create(controllers, controller('gc-two-a', 2));
    const second = await pods.create(controllers, controller('gc-two-b', 0));
    await until(pods.api, pods.path(controllers, 'gc-two-a'), readyReplicas(2));
    const [kept] = await labelled('app=gc-two-a');
    const references = [
      ...kept.metadata.ownerReferences,
      owner({ ...second, kind: 'ReplicationController', apiVersion: 'v1' }),
    ];
    await pods.api.patch(pods.path('pods', kept.metadata.name), { metadata: { ownerReferences: references } });
    await pods.api.delete(pods.path(controllers, 'gc-two-a'), { propagationPolicy: 'Foreground' });
    await untilGone(pods.api, pods.path(controllers, 'gc-two-a'));
    const left = await pods.api.get(pods.path('pods', kept.metadata.name));
    assert.deepEqual(
      left.metadata.ownerReferences.map(({ name }: Json) => name),
      ['gc-two-b'],
    );
    assert.ok(first.metadata.uid && !left.metadata.deletionTimestamp);
  },
);
test(
  '[sig-api-machinery] Namespaces should ensure that all pods are removed when a namespace is deleted',
  options,
  async () => {
    const own = await Pods.in(cluster.api, 'ns-pods');
    await own.ready(own.pod('sleep 600'));
    await own.api.delete(`/api/v1/namespaces/${own.namespace}`);
    await untilGone(own.api, `/api/v1/namespaces/${own.namespace}`);
    await own.api.post('/api/v1/namespaces', { metadata: { name: own.namespace } });
    assert.equal((await own.api.get(own.path('pods'))).items.length, 0);
  },
);
test('[sig-api-machinery] OrderedNamespaceDeletion namespace deletion should delete pod first', options, async () => {
  const own = await Pods.in(cluster.api, 'ns-order');
  const finalizers = ['e2e.example.com/held'];
  const { metadata } = await own.create('pods', { ...own.pod('sleep 600'), metadata: { name: 'held', finalizers } });
  await own.create('configmaps', { metadata: { name: 'later' } });
  await own.api.delete(`/api/v1/namespaces/${own.namespace}`);
  await until(own.api, `/api/v1/namespaces/${own.namespace}`, ({ status }) =>
    status.conditions?.some(
      ({ type, status: is }: Json) =>
        type === 'NamespaceDeletionContentFailure' || (type === 'NamespaceFinalizersRemaining' && is === 'True'),
    ),
  );
  assert.equal((await own.api.get(own.path('configmaps', 'later'))).metadata.name, 'later');
  await own.api.patch(own.path('pods', metadata.name), { metadata: { finalizers: null } });
  await untilGone(own.api, `/api/v1/namespaces/${own.namespace}`);
});
