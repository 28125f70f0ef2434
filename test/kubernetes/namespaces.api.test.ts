/** Namespaces and resource quotas as upstream's sig-api-machinery tests use them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, PATIENCE_MS, until, untilGone } from './api.ts';
import { makeNamespace } from './lifecycle.ts';
import { type ApiCluster, startApiCluster } from './in-process.ts';

let cluster: ApiCluster;
let api: Api;
before(async () => {
  cluster = await startApiCluster();
  ({ api } = cluster);
});
after(async () => await cluster[Symbol.asyncDispose]());

const options = { timeout: PATIENCE_MS };
const namespaces = '/api/v1/namespaces';

test('[sig-api-machinery] Namespaces should patch a Namespace', options, async () => {
  const name = await makeNamespace(api, 'patch');
  const patched = await api.patch(
    `${namespaces}/${name}`,
    { metadata: { labels: { testLabel: 'testValue' } } },
    'strategic',
  );
  assert.equal(patched.metadata.labels.testLabel, 'testValue');
  assert.equal(patched.metadata.labels['kubernetes.io/metadata.name'], name);
});

test('[sig-api-machinery] Namespaces should apply an update to a Namespace', options, async () => {
  const name = await makeNamespace(api, 'update');
  const read = await api.get(`${namespaces}/${name}`);
  const updated = await api.put(`${namespaces}/${name}`, {
    ...read,
    metadata: { ...read.metadata, labels: { ...read.metadata.labels, updated: 'true' } },
  });
  assert.equal(updated.metadata.labels.updated, 'true');
});

test('[sig-api-machinery] Namespaces should apply changes to a namespace status', options, async () => {
  const name = await makeNamespace(api, 'status');
  const path = `${namespaces}/${name}/status`;
  const condition = { type: 'StatusPatch', status: 'True', reason: 'E2E', message: 'Set by a test' };
  const patched = await api.patch(path, { status: { conditions: [condition] } });
  assert.equal(patched.status.conditions[0].type, 'StatusPatch');
  const updated = await api.put(path, {
    ...patched,
    status: { ...patched.status, conditions: [{ ...condition, type: 'StatusUpdate' }] },
  });
  assert.equal(updated.status.conditions[0].type, 'StatusUpdate');
});

test('[sig-api-machinery] Namespaces should apply a finalizer to a Namespace', options, async () => {
  const name = await makeNamespace(api, 'finalizer');
  const read = await api.get(`${namespaces}/${name}`);
  const finalizer = 'e2e.example.com/fakeFinalizer';
  const held = await api.put(`${namespaces}/${name}/finalize`, {
    ...read,
    spec: { finalizers: [...read.spec.finalizers, finalizer] },
  });
  assert.ok(held.spec.finalizers.includes(finalizer));
  await api.delete(`${namespaces}/${name}`);
  await until(
    api,
    `${namespaces}/${name}`,
    ({ status, spec }) => status.phase === 'Terminating' && spec.finalizers.length === 1,
  );
  const last = await api.get(`${namespaces}/${name}`);
  await api.put(`${namespaces}/${name}/finalize`, { ...last, spec: { finalizers: [] } });
  await untilGone(api, `${namespaces}/${name}`);
});

test(
  '[sig-api-machinery] Namespaces should ensure that all services are removed when a namespace is deleted',
  options,
  async () => {
    const name = await makeNamespace(api, 'services');
    await api.post(`${namespaces}/${name}/services`, {
      metadata: { name: 'test-service' },
      spec: { ports: [{ port: 80 }] },
    });
    await api.delete(`${namespaces}/${name}`);
    await untilGone(api, `${namespaces}/${name}`);
    await api.post(namespaces, { metadata: { name } });
    assert.equal((await api.get(`${namespaces}/${name}/services`)).items.length, 0);
  },
);

test('nothing is made in a namespace that is on its way out', options, async () => {
  const name = await makeNamespace(api, 'leaving');
  await api.post(`${namespaces}/${name}/configmaps`, {
    metadata: { name: 'held', finalizers: ['e2e.example.com/held'] },
  });
  await api.delete(`${namespaces}/${name}`);
  const status = await api.refused(403, 'POST', `${namespaces}/${name}/configmaps`, { metadata: { name: 'late' } });
  assert.match(status.message, /because it is being terminated/);
  await until(api, `${namespaces}/${name}`, (object) =>
    object.status.conditions?.some(({ type }: Json) => type === 'NamespaceFinalizersRemaining'),
  );
  await api.patch(`${namespaces}/${name}/configmaps/held`, { metadata: { finalizers: null } });
  await untilGone(api, `${namespaces}/${name}`);
});

const quota = (hard: Json, extra: Json = {}): Json => ({ metadata: { name: 'quota', ...extra }, spec: { hard } });

test(
  '[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated.',
  options,
  async () => {
    const path = `${namespaces}/${await makeNamespace(api, 'quota')}/resourcequotas`;
    await api.post(path, quota({ pods: '5', services: '10', 'requests.cpu': '1' }));
    const counted = await until(api, `${path}/quota`, ({ status }) => status?.used?.pods === '0');
    assert.deepEqual(counted.status.hard, { pods: '5', services: '10', 'requests.cpu': '1' });
  },
);

interface Life {
  readonly title: string;
  readonly resource: string;
  readonly group?: string;
  readonly count: string;
  readonly object: Json;
}

const template: Json = { metadata: { labels: { name: 'x' } }, spec: { containers: [{ name: 'x', image: 'x' }] } };
const lives: readonly Life[] = [
  { title: 'configMap', resource: 'configmaps', count: 'configmaps', object: { metadata: { name: 'test' } } },
  { title: 'secret', resource: 'secrets', count: 'secrets', object: { metadata: { name: 'test' } } },
  {
    title: 'service',
    resource: 'services',
    count: 'services',
    object: { metadata: { name: 'test' }, spec: { ports: [{ port: 80 }] } },
  },
  {
    title: 'replication controller',
    resource: 'replicationcontrollers',
    count: 'replicationcontrollers',
    object: { metadata: { name: 'test' }, spec: { replicas: 0, selector: { name: 'x' }, template } },
  },
  {
    title: 'replica set',
    resource: 'replicasets',
    group: 'apps',
    count: 'count/replicasets.apps',
    object: { metadata: { name: 'test' }, spec: { replicas: 0, selector: { matchLabels: { name: 'x' } }, template } },
  },
];

for (const { title, resource, group, count, object } of lives)
  test(
    `[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a ${title}.`,
    options,
    async () => {
      const namespace = await makeNamespace(api, 'life');
      const quotas = `${namespaces}/${namespace}/resourcequotas`;
      const collection = group
        ? `/apis/${group}/v1/namespaces/${namespace}/${resource}`
        : `${namespaces}/${namespace}/${resource}`;
      // What the cluster itself puts into a namespace counts too.
      if (resource === 'configmaps') await until(api, `${collection}/kube-root-ca.crt`, () => true);
      const present = (await api.get(collection)).items.length;
      await api.post(quotas, quota({ [count]: String(present + 1) }));
      const used = async (value: number): Promise<Json> =>
        await until(api, `${quotas}/quota`, ({ status }) => status?.used?.[count] === String(value));
      await used(present);
      await api.post(collection, object);
      await used(present + 1);
      const refusal = await api.refused(403, 'POST', collection, { ...object, metadata: { name: 'too-many' } });
      assert.match(
        refusal.message,
        new RegExp(
          `exceeded quota: quota, requested: ${count}=1, used: ${count}=${present + 1}, limited: ${count}=${present + 1}`,
        ),
      );
      await api.delete(`${collection}/test`);
      await used(present);
    },
  );

test('[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota.', options, async () => {
  const path = `${namespaces}/${await makeNamespace(api, 'quota-update')}/resourcequotas`;
  await api.post(path, quota({ 'requests.cpu': '1', memory: '500Mi' }));
  const read = await api.get(`${path}/quota`);
  await api.put(`${path}/quota`, { ...read, spec: { hard: { cpu: '2', memory: '1Gi' } } });
  assert.deepEqual((await api.get(`${path}/quota`)).spec.hard, { cpu: '2', memory: '1Gi' });
  await api.delete(`${path}/quota`);
  await api.refused(404, 'GET', `${path}/quota`);
});

test('[sig-api-machinery] ResourceQuota should manage the lifecycle of a ResourceQuota', options, async () => {
  const namespace = await makeNamespace(api, 'quota-life');
  const path = `${namespaces}/${namespace}/resourcequotas`;
  await api.post(path, quota({ cpu: '1', memory: '500Mi' }, { labels: { e2e: namespace } }));
  assert.equal((await api.get(`/api/v1/resourcequotas?labelSelector=e2e%3D${namespace}`)).items.length, 1);
  await api.patch(
    `${path}/quota`,
    { metadata: { labels: { patched: 'true' } }, spec: { hard: { memory: '750Mi' } } },
    'strategic',
  );
  assert.equal((await api.get(`${path}/quota`)).spec.hard.memory, '750Mi');
  await api.delete(`${path}?labelSelector=e2e%3D${namespace}`);
  assert.equal((await api.get(`/api/v1/resourcequotas?labelSelector=e2e%3D${namespace}`)).items.length, 0);
});

test('[sig-api-machinery] ResourceQuota should apply changes to a resourcequota status', options, async () => {
  const path = `${namespaces}/${await makeNamespace(api, 'quota-status')}/resourcequotas`;
  await api.post(path, quota({ cpu: '500m', memory: '500Mi' }));
  const first = await until(api, `${path}/quota`, ({ status }) => status?.hard?.cpu === '500m');
  const updated = await api.put(`${path}/quota/status`, {
    ...first,
    status: { ...first.status, hard: { cpu: '750m', memory: '500Mi' } },
  });
  assert.equal(updated.status.hard.cpu, '750m');
  // The controller puts right what it owns.
  await until(api, `${path}/quota`, ({ status }) => status.hard.cpu === '500m');
});
