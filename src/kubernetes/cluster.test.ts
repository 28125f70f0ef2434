import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import { memoryStore } from '#store';
import { clientContract } from './client/client.contract.ts';
import { informersContract } from './client/informers.contract.ts';
import { informersOf } from './client/informers.ts';
import type { KubernetesObject, ResourceType } from './object.ts';
import { configMaps, customResourceDefinitions, pods, serviceAccounts, services } from './resources.ts';
import { makeTestCluster, type TestCluster } from './test-cluster.ts';
import type { ConfigMap, CustomResourceDefinition } from './types.ts';

clientContract('a client in process', async () => {
  const cluster = await makeTestCluster();
  return { client: cluster.client, [Symbol.asyncDispose]: () => cluster.stop() };
});

clientContract('a client over HTTPS', async () => {
  const cluster = await makeTestCluster();
  return { client: cluster.remote(), [Symbol.asyncDispose]: () => cluster.stop() };
});

informersContract('informers in process', async () => {
  const cluster = await makeTestCluster();
  return { client: cluster.client, informers: cluster.informers, [Symbol.asyncDispose]: () => cluster.stop() };
});

informersContract('informers over HTTPS', async () => {
  const cluster = await makeTestCluster();
  const stopping = new AbortController();
  const client = cluster.remote();
  const informers = informersOf({
    client,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    signal: stopping.signal,
  });
  return {
    client,
    informers,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await cluster.stop();
    },
  };
});

test('a cluster has its system namespaces and its own service', async () => {
  await using cluster = await makeTestCluster();
  const service = await cluster.client.get(services, { namespace: 'default', name: 'kubernetes' });
  assert.equal(service.spec!.clusterIP, '10.100.0.1');
});

test('a pod gets its defaults and leaves at once when it has no node', async () => {
  await using cluster = await makeTestCluster();
  const { client } = cluster;
  await client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  const spec = { containers: [{ name: 'c', image: 'i' }] };
  const pod = await client.create(pods, { metadata: { namespace: 'default', name: 'p' }, spec });
  assert.equal(pod.spec!.restartPolicy, 'Always');
  assert.equal(pod.spec!.containers[0]!.imagePullPolicy, 'Always');
  assert.equal(pod.status!.phase, 'Pending');
  await client.delete(pods, { namespace: 'default', name: 'p' });
  await assert.rejects(client.get(pods, { namespace: 'default', name: 'p' }), /pods "p" not found/);
});

test('over HTTPS, who has no certificate and no token is told so', async () => {
  await using cluster = await makeTestCluster();
  const answer = await cluster.call('GET', '/api/v1/namespaces/default/configmaps', { isAnonymous: true });
  assert.equal(answer.code, 403);
  assert.match(answer.body, /User \\"system:anonymous\\" cannot list resource \\"configmaps\\"/);
});

test('over HTTPS, objects are made, listed as a table, watched and deleted', async () => {
  await using cluster = await makeTestCluster();
  const path = '/api/v1/namespaces/default/configmaps';
  const made = await cluster.call('POST', path, { body: { metadata: { name: 'a' }, data: { k: 'v' } } });
  assert.equal(made.code, 201, made.body);
  const list = await cluster.call('GET', path, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
  const table = JSON.parse(list.body) as { kind: string; rows: { cells: unknown[] }[] };
  assert.equal(table.kind, 'Table');
  assert.deepEqual(
    table.rows.map(({ cells }) => cells.slice(0, 2)),
    [['a', 1]],
  );
  const gone = await cluster.call('DELETE', `${path}/a`);
  assert.equal((JSON.parse(gone.body) as { status: string }).status, 'Success');
  const { items } = await cluster.client.list(configMaps, { namespace: 'default' });
  assert.equal(items.length, 0);
});

const widgets: ResourceType<Widget> = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  resource: 'widgets',
  isNamespaced: true,
};

interface Widget extends KubernetesObject {
  readonly spec?: { readonly size?: number };
}

const definition: CustomResourceDefinition = {
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { size: { type: 'integer' } } },
              status: { type: 'object', properties: { size: { type: 'integer' } } },
            },
          },
        },
        subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
        additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
      },
    ],
  },
};

test('a definition is served until it is deleted, with its objects', { timeout: 20_000 }, async () => {
  await using cluster = await makeTestCluster();
  const { client } = cluster;
  await client.create(customResourceDefinitions, definition);
  const definitions = cluster.informers.of(customResourceDefinitions);
  await definitions.synced();
  const served = Promise.withResolvers<void>();
  definitions.onChange(({ now }) => {
    if (now?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True'))
      served.resolve();
  });
  await served.promise;

  const name = { namespace: 'default', name: 'w' };
  const made = await client.create(widgets, { metadata: name, spec: { size: 2 } });
  assert.equal(made.kind, 'Widget');
  const table = await cluster.call('GET', '/apis/example.com/v1/namespaces/default/widgets', {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  assert.deepEqual((JSON.parse(table.body) as { rows: { cells: unknown[] }[] }).rows[0]!.cells, ['w', 2]);
  const scaled = await cluster.call('PATCH', '/apis/example.com/v1/namespaces/default/widgets/w/scale', {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { replicas: 5 } },
  });
  assert.equal(scaled.code, 200, scaled.body);
  assert.equal((await client.get(widgets, name)).spec!.size, 5);

  const gone = Promise.withResolvers<void>();
  definitions.onChange(({ now }) => now ?? gone.resolve());
  await client.delete(customResourceDefinitions, { name: 'widgets.example.com' });
  await gone.promise;
  assert.equal((await cluster.call('GET', '/apis/example.com/v1/namespaces/default/widgets')).code, 404);
});

test('a custom resource is pruned, defaulted and held to its schema and its rules', { timeout: 20_000 }, async () => {
  await using cluster = await makeTestCluster();
  const spec = {
    type: 'object',
    required: ['size'],
    properties: { size: { type: 'integer', maximum: 3 }, mode: { type: 'string', default: 'plain' } },
    'x-kubernetes-validations': [{ rule: 'self.mode == oldSelf.mode', message: 'mode is immutable' }],
  };
  const definition = {
    metadata: { name: 'boxes.test.example.com' },
    spec: {
      group: 'test.example.com',
      scope: 'Namespaced',
      names: { plural: 'boxes', kind: 'Box' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
        },
      ],
    },
  };
  const made = await cluster.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: definition,
  });
  assert.equal(made.code, 201, made.body);
  await established(cluster, 'boxes.test.example.com');

  const boxes = '/apis/test.example.com/v1/namespaces/default/boxes';
  const create = (name: string, box: object, query = '') =>
    cluster.call('POST', boxes + query, { body: { metadata: { name }, spec: box } });
  const first = await create('a', { size: 1, extra: true });
  assert.deepEqual((JSON.parse(first.body) as { spec: unknown }).spec, { size: 1, mode: 'plain' });
  assert.equal((await create('b', { size: 1, extra: true }, '?fieldValidation=Strict')).code, 400);
  const tooLarge = await create('c', { size: 4 });
  assert.equal(tooLarge.code, 422);
  assert.match(tooLarge.body, /spec\.size in body should be less than or equal to 3/);
  const patched = await cluster.call('PATCH', `${boxes}/a`, {
    body: { spec: { mode: 'other' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.match(patched.body, /mode is immutable/);
  const document = await cluster.call('GET', '/openapi/v3/apis/test.example.com/v1');
  assert.match(document.body, /"com\.example\.test\.v1\.Box"/);
});

/** Resolves when a definition is served. */
async function established({ informers }: TestCluster, name: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = informers.of(customResourceDefinitions).onChange(({ now }) => {
    const isServed = now?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
    if (now?.metadata?.name === name && isServed) resolve();
  });
  await promise;
  stop();
}

test('a watch that begins with what there is tells when that is over', { timeout: 20_000 }, async () => {
  await using cluster = await makeTestCluster();
  const remote = cluster.remote();
  for (const name of ['a', 'b']) await remote.create(configMaps, { metadata: { namespace: 'default', name } });
  const { body } = await cluster.call(
    'GET',
    '/api/v1/namespaces/default/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1',
  );
  const events = body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; object: ConfigMap });
  assert.deepEqual(
    events.map(({ type, object }) => object.metadata?.name ?? type),
    ['a', 'b', 'BOOKMARK', 'BOOKMARK'],
    'the last says how far the watch came',
  );
  assert.equal(events[2]!.object.metadata?.annotations?.['k8s.io/initial-events-end'], 'true');
});

test('a cluster that is started again has what it had, and is at the same versions', { timeout: 20_000 }, async () => {
  const store = memoryStore();
  const first = await makeTestCluster({ store });
  const made = await first.client.create(configMaps, { metadata: { namespace: 'default', name: 'a' } });
  await first.stop();
  await using second = await makeTestCluster({ store });
  assert.deepEqual(await second.client.get(configMaps, { namespace: 'default', name: 'a' }), made);
});

test('a watch goes on over a restart from what the store remembers', { timeout: 20_000 }, async () => {
  const store = memoryStore();
  const first = await makeTestCluster({ store });
  const make = (name: string) => first.client.create(configMaps, { metadata: { namespace: 'default', name } });
  const seen = await make('a');
  await make('b');
  await first.client.update(configMaps, { ...seen, data: { changed: 'yes' } });
  await first.client.delete(configMaps, { namespace: 'default', name: 'b' });
  await first.stop();
  await using second = await makeTestCluster({ store });
  const watch = (query: string) =>
    second.call('GET', `/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion=${query}`);
  const { body } = await watch(seen.metadata!.resourceVersion!);
  const told = body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; object: ConfigMap });
  assert.deepEqual(
    told.map(({ type, object }) => `${type} ${object.metadata?.name}`),
    ['ADDED b', 'MODIFIED a', 'DELETED b'],
  );
  await store.compact(await store.revision());
  assert.equal((await watch('1')).code, 410, 'a version that the store forgot is not watched from');
});
