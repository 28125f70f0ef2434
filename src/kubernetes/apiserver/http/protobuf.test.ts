/** What clients are answered that ask for protobuf, as client-go's controllers do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customResourceDefinitions } from '../../resources.ts';
import { loadSchemas } from '../../schema/load.ts';
import { type Answer, makeTestCluster, type TestCluster } from '../../test-cluster.ts';

const schemas = await loadSchemas();
const protobuf = 'application/vnd.kubernetes.protobuf';
const headers = { accept: protobuf };
const path = '/api/v1/namespaces/default/configmaps';

function decoded({ headers: got, bytes }: Answer): unknown {
  assert.equal(got['content-type'], protobuf);
  return schemas.decodeProtobuf(bytes);
}

function make(cluster: TestCluster, name: string, options = headers): Promise<Answer> {
  return cluster.call('POST', path, { body: { metadata: { name }, data: { a: 'b' } }, headers: options });
}

test('objects, lists, metadata and refusals come in protobuf', async () => {
  await using cluster = await makeTestCluster();
  const json = JSON.parse((await make(cluster, 'x', { accept: 'application/json' })).body);
  assert.deepEqual(decoded(await cluster.call('GET', `${path}/x`, { headers })), json);
  const made = decoded(await make(cluster, 'y')) as { readonly kind: string };
  assert.equal(made.kind, 'ConfigMap');
  const list = decoded(await cluster.call('GET', path, { headers })) as { readonly items: readonly object[] };
  const { kind: _kind, apiVersion: _apiVersion, ...item } = json;
  assert.deepEqual(list.items[0], item);
  assert.equal(list.items.length, 2);
  const accept = `${protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`;
  const partial = decoded(await cluster.call('GET', path, { headers: { accept } })) as typeof list;
  assert.deepEqual(partial.items[0], { metadata: json.metadata });
  const missing = decoded(await cluster.call('GET', `${path}/z`, { headers }));
  assert.deepEqual(missing, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'configmaps "z" not found',
    reason: 'NotFound',
    details: { name: 'z', kind: 'configmaps' },
    code: 404,
  });
  const deleted = decoded(await cluster.call('DELETE', `${path}/y`, { headers })) as { readonly status: string };
  assert.equal(deleted.status, 'Success');
});

test('reviews and scales come in protobuf', async () => {
  await using cluster = await makeTestCluster();
  const review = await cluster.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    body: { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } },
    headers,
  });
  assert.equal((decoded(review) as { readonly status: { readonly allowed: boolean } }).status.allowed, true);
});

test('a table comes as JSON, or not at all', async () => {
  await using cluster = await makeTestCluster();
  const accept = `${protobuf};as=Table;g=meta.k8s.io;v=v1`;
  const both = await cluster.call('GET', path, {
    headers: { accept: `${accept},application/json;as=Table;g=meta.k8s.io;v=v1` },
  });
  assert.equal(JSON.parse(both.body).kind, 'Table');
  assert.equal((await cluster.call('GET', path, { headers: { accept } })).code, 406);
});

test('a watch is a stream of frames', async () => {
  await using cluster = await makeTestCluster();
  await make(cluster, 'x');
  const frames = await cluster.call(
    'GET',
    `${path}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
    { headers },
  );
  assert.equal(frames.headers['content-type'], `${protobuf};stream=watch`);
  const first = frames.bytes.subarray(4, 4 + frames.bytes.readUInt32BE());
  const object = schemas.decodeProtobuf(first.subarray(first.indexOf('k8s\0')));
  assert.deepEqual([object.kind, object.metadata?.name], ['ConfigMap', 'x']);
  const second = frames.bytes.subarray(8 + first.length);
  assert.equal(second.subarray(2, 10).toString(), 'BOOKMARK');
});

test('custom resources have no protobuf form, but their metadata has', async () => {
  await using cluster = await makeTestCluster();
  const schema = { openAPIV3Schema: { type: 'object' } };
  await cluster.client.create(customResourceDefinitions, {
    metadata: { name: 'foos.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'foos', kind: 'Foo' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  });
  const foos = '/apis/example.com/v1/namespaces/default/foos';
  const created = await cluster.call('POST', foos, {
    body: { apiVersion: 'example.com/v1', kind: 'Foo', metadata: { name: 'f' } },
    headers: { accept: `${protobuf},application/json` },
  });
  assert.equal(created.headers['content-type'], 'application/json');
  assert.equal((await cluster.call('GET', foos, { headers })).code, 406);
  const accept = `${protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`;
  const { items } = decoded(await cluster.call('GET', foos, { headers: { accept } })) as {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  };
  assert.equal(items[0]?.metadata.name, 'f');
  const watch = 'watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
  const { bytes } = await cluster.call('GET', `${foos}?${watch}&allowWatchBookmarks=true`, {
    headers: { accept: `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1` },
  });
  const seen = framesIn(bytes).map((frame) => schemas.decodeProtobuf(frame.subarray(frame.indexOf('k8s\0'))));
  assert.deepEqual(
    seen.slice(0, 2).map(({ kind, metadata }) => [kind, metadata?.name, metadata?.annotations]),
    [
      ['PartialObjectMetadata', 'f', undefined],
      ['PartialObjectMetadata', undefined, { 'k8s.io/initial-events-end': 'true' }],
    ],
  );
});

function framesIn(bytes: Buffer): readonly Buffer[] {
  if (!bytes.length) return [];
  const end = 4 + bytes.readUInt32BE();
  return [bytes.subarray(4, end), ...framesIn(bytes.subarray(end))];
}

test('who takes no form that there is deletes nothing', async () => {
  await using cluster = await makeTestCluster();
  await make(cluster, 'x');
  assert.equal((await cluster.call('DELETE', `${path}/x`, { headers: { accept: 'text/html' } })).code, 406);
  assert.equal((await cluster.call('GET', `${path}/x`)).code, 200);
});
