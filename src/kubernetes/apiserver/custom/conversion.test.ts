import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { systemClock, systemRandom } from '#base';
import { createAuthority, createServerCertificate } from '../../auth/certificates.ts';
import type { KubernetesObject } from '../../object.ts';
import { customResourceDefinitions } from '../../resources.ts';
import { makeTestCluster, type TestCluster } from '../../test-cluster.ts';
import type { CustomResourceDefinition } from '../../types.ts';

interface Endpoint extends KubernetesObject {
  /** `host:port` in v1. */
  readonly at?: string;
  readonly host?: string;
  readonly port?: string;
}

interface Review {
  readonly request: { readonly uid: string; readonly desiredAPIVersion: string; readonly objects: readonly Endpoint[] };
}

let server: ReturnType<typeof createServer>;
let caBundle: string;
let isBroken = false;
let reviews = 0;

before(async () => {
  const parts = { clock: systemClock, random: systemRandom };
  const authority = await createAuthority('webhooks', parts);
  const certificate = await createServerCertificate(authority, { commonName: 'w', names: ['localhost'] }, parts);
  caBundle = Buffer.from(authority.certificatePem).toString('base64');
  server = createServer({ key: certificate.keyPem, cert: certificate.certificatePem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      reviews += 1;
      const { request: asked } = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      const answer = isBroken
        ? { result: { status: 'Failed', message: 'not today' } }
        : {
            convertedObjects: asked.objects.map((object) => turned(object, asked.desiredAPIVersion)),
            result: { status: 'Success' },
          };
      response.end(JSON.stringify({ response: { uid: asked.uid, ...answer } }));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
after(() => {
  server.close();
  server.closeAllConnections();
});

function turned({ at = '', host, port, ...rest }: Endpoint, apiVersion: string): object {
  if (apiVersion.endsWith('/v1')) return { ...rest, apiVersion, at: `${host}:${port}` };
  const [first, second] = at.split(':');
  return { ...rest, apiVersion, host: first, port: second };
}

function definition(stored: 'v1' | 'v2'): CustomResourceDefinition {
  const version = (name: string, fields: readonly string[]) => ({
    name,
    served: true,
    storage: name === stored,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])),
      },
    },
  });
  return {
    metadata: { name: 'endpoints.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'endpoints', kind: 'Endpoint' },
      versions: [version('v1', ['at']), version('v2', ['host', 'port'])],
      conversion: {
        strategy: 'Webhook',
        webhook: {
          conversionReviewVersions: ['v1'],
          clientConfig: { url: `https://localhost:${(server.address() as AddressInfo).port}/convert`, caBundle },
        },
      },
    },
  };
}

async function define(cluster: TestCluster): Promise<void> {
  await cluster.client.create(customResourceDefinitions, definition('v1'));
  const copy = cluster.informers.of(customResourceDefinitions);
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = copy.onChange(
    ({ now }) => now?.status?.conditions?.some(({ type }) => type === 'Established') && resolve(),
  );
  await promise.finally(stop);
}

function client(cluster: TestCluster) {
  const path = (version: string, name = '') => `/apis/example.com/${version}/namespaces/default/endpoints${name}`;
  const call = async (method: string, version: string, name = '', body?: object) => {
    const answer = await cluster.call(method, path(version, name), {
      ...(body && { body }),
      ...(method === 'PATCH' && { headers: { 'content-type': 'application/merge-patch+json' } }),
    });
    return { code: answer.code, object: JSON.parse(answer.body) as Endpoint & { items: Endpoint[]; message?: string } };
  };
  return { path, call };
}

test('objects are read, written and watched in every version', { timeout: 30_000 }, async () => {
  await using cluster = await makeTestCluster();
  await define(cluster);
  const { call, path } = client(cluster);
  const first = await call('POST', 'v1', '', { metadata: { name: 'a' }, at: 'one:1' });
  assert.equal(first.code, 201);
  const read = (await call('GET', 'v2', '/a')).object;
  assert.deepEqual([read.apiVersion, read.host, read.port, read.at], ['example.com/v2', 'one', '1', undefined]);
  assert.equal(read.metadata?.uid, first.object.metadata?.uid);
  const second = await call('POST', 'v2', '', { metadata: { name: 'b' }, host: 'two', port: '2' });
  assert.deepEqual([second.object.apiVersion, second.object.host], ['example.com/v2', 'two']);
  assert.equal((await call('GET', 'v1', '/b')).object.at, 'two:2');
  await call('PATCH', 'v2', '/b', { port: '22' });
  assert.equal((await call('GET', 'v1', '/b')).object.at, 'two:22');
  const listed = (await call('GET', 'v2')).object.items;
  assert.deepEqual(
    listed.map(({ host, port }) => `${host} ${port}`),
    ['one 1', 'two 22'],
  );
  const { body } = await cluster.call('GET', `${path('v2')}?watch=true&timeoutSeconds=1&resourceVersion=0`);
  const seen = body
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { object: Endpoint }).object.host);
  assert.deepEqual(seen, ['one', 'two']);
});

test('a list may be longer than a webhook’s answer', { timeout: 30_000 }, async () => {
  await using cluster = await makeTestCluster();
  await define(cluster);
  const { call } = client(cluster);
  const at = `${'x'.repeat(700_000)}:1`;
  for (const name of ['a', 'b', 'c', 'd', 'e']) await call('POST', 'v1', '', { metadata: { name }, at });
  const { code, object } = await call('GET', 'v2');
  assert.equal(code, 200, object.message ?? '');
  assert.deepEqual(
    object.items.map(({ metadata, host }) => `${metadata!.name} ${host!.length}`),
    ['a', 'b', 'c', 'd', 'e'].map((name) => `${name} 700000`),
  );
});

test(
  'changes that come while a webhook converts are told in order, and asked for together',
  {
    timeout: 30_000,
  },
  async () => {
    await using cluster = await makeTestCluster();
    await define(cluster);
    const { call, path } = client(cluster);
    const first = await call('POST', 'v1', '', { metadata: { name: 'first' }, at: 'first:1' });
    const from = first.object.metadata!.resourceVersion;
    const names = Array.from({ length: 20 }, (_, index) => `n${String(index).padStart(2, '0')}`);
    for (const name of names) await call('POST', 'v1', '', { metadata: { name }, at: `${name}:1` });
    reviews = 0;
    const { body } = await cluster.call('GET', `${path('v2')}?watch=true&timeoutSeconds=1&resourceVersion=${from}`);
    const hosts = body
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { object: Endpoint }).object.host);
    assert.deepEqual(hosts, names);
    assert.equal(reviews, 2);
  },
);

test('what was stored in another version is read still', { timeout: 30_000 }, async () => {
  await using cluster = await makeTestCluster();
  await define(cluster);
  const { call } = client(cluster);
  await call('POST', 'v1', '', { metadata: { name: 'a' }, at: 'one:1' });
  const stored = await cluster.client.get(customResourceDefinitions, { name: 'endpoints.example.com' });
  const { versions } = definition('v2').spec;
  await cluster.client.update(customResourceDefinitions, { ...stored, spec: { ...stored.spec, versions } });
  await call('POST', 'v2', '', { metadata: { name: 'b' }, host: 'two', port: '2' });
  for (const version of ['v1', 'v2']) {
    const { items } = (await call('GET', version)).object;
    assert.deepEqual(
      items.map(({ apiVersion, at, host }) => [apiVersion, at ?? host]),
      version === 'v1'
        ? [
            ['example.com/v1', 'one:1'],
            ['example.com/v1', 'two:2'],
          ]
        : [
            ['example.com/v2', 'one'],
            ['example.com/v2', 'two'],
          ],
    );
  }
});

test('a webhook that fails, fails the request and nothing else', { timeout: 30_000 }, async () => {
  await using cluster = await makeTestCluster();
  await define(cluster);
  const { call, path } = client(cluster);
  await call('POST', 'v1', '', { metadata: { name: 'a' }, at: 'one:1' });
  isBroken = true;
  try {
    const { code, object } = await call('GET', 'v2', '/a');
    assert.equal(code, 500);
    assert.match(object.message!, /conversion webhook for example.com\/v2, Kind=Endpoint failed: not today/);
    assert.equal((await call('POST', 'v2', '', { metadata: { name: 'b' } })).code, 500);
    assert.equal((await call('GET', 'v1', '/b')).code, 404);
    assert.equal((await call('GET', 'v1', '/a')).code, 200);
    const { body } = await cluster.call('GET', `${path('v2')}?watch=true&resourceVersion=0`);
    assert.match(body, /^\{"type":"ERROR",.*not today.*\n$/);
  } finally {
    isBroken = false;
  }
});
