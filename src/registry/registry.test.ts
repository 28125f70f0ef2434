import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingMessage, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { DabbaError, digestOf, silentLogger, systemClock, type Digest } from '#base';
import { memoryBlobStore } from '#blob';
import { memoryStore } from '#store';
import {
  createRegistry,
  createRegistryContent,
  type RegistryContent,
  type RegistryEvent,
  type RegistryPolicy,
} from './index.ts';

/** Everybody may do everything but touch `secret/…`; `fixed` tags do not move; anonymous callers are refused where `locked`. */
function openPolicy(events: RegistryEvent[], content: () => RegistryContent): RegistryPolicy {
  return {
    resolve: (host, name) => (host.startsWith('127.0.0.1') ? { registry: '000000000000/us-east-1', name } : undefined),
    authenticate: async (authorization) => (authorization ? { principal: authorization } : undefined),
    challenge: (host) => `Basic realm="${host}"`,
    async authorize(caller, { name }, operation) {
      if (!caller) throw new DabbaError('Unauthenticated', 'log in');
      if (name.startsWith('secret/')) throw new DabbaError('PermissionDenied', `no ${operation} in ${name}`);
    },
    async requireRepository(repository) {
      if (repository.name === 'missing') throw new DabbaError('NotFound', 'no such repository');
      await content().createRepository(repository);
    },
    async checkTagChange(_, tag) {
      if (tag === 'fixed') throw new DabbaError('Conflict', 'fixed does not move');
    },
    observed: (event) => events.push(event),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Sent {
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Buffer;
  readonly anonymous?: boolean;
}

/** A registry on a loopback port, and a plain client for it. */
async function startRegistry() {
  const events: RegistryEvent[] = [];
  const registry = createRegistry({
    content: createRegistryContent({ store: memoryStore(), blobs: memoryBlobStore(), clock: systemClock }),
    policy: openPolicy(events, () => registry.content),
    logger: silentLogger,
  });
  const server = createServer((request, response) => void registry.handle(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has one
  const agent = new Agent({ keepAlive: true });
  const send = async (method: string, path: string, { headers = {}, body, anonymous }: Sent = {}): Promise<Answer> => {
    const sent = httpRequest({
      port,
      host: '127.0.0.1',
      method,
      path,
      headers: { ...(!anonymous && { authorization: 'me' }), ...headers },
      agent,
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: response.statusCode!, headers: response.headers, body: await buffer(response) };
  };
  const push = async (name: string, bytes: string): Promise<Digest> => {
    const digest = digestOf(bytes);
    const { status } = await send('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes });
    assert.equal(status, 201);
    return digest;
  };
  return {
    send,
    push,
    events,
    content: registry.content,
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

type Registry = Awaited<ReturnType<typeof startRegistry>>;

const registryTest = (name: string, body: (registry: Registry) => Promise<void>): void =>
  void test(name, async () => {
    await using registry = await startRegistry();
    await body(registry);
  });

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const descriptor = (bytes: string, mediaType: string, more: object = {}) => ({
  mediaType,
  digest: digestOf(bytes),
  size: Buffer.byteLength(bytes),
  ...more,
});
const layer = (bytes: string) => descriptor(bytes, 'application/vnd.oci.image.layer.v1.tar+gzip');
const image = (config: string, layers: readonly string[], more: object = {}): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map(layer),
    ...more,
  });
const index = (manifests: readonly string[], more: object = {}): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: manifests.map((m) => descriptor(m, OCI_MANIFEST)),
    ...more,
  });
const put = (body: string, type = OCI_MANIFEST): Sent => ({ body, headers: { 'content-type': type } });
const codeOf = ({ body }: Answer): string =>
  (JSON.parse(String(body)) as { errors: { code: string }[] }).errors[0]!.code;

/** Pushes `config` and `layers` and the manifest over them. */
async function pushImage(registry: Registry, name: string, reference: string, more: object = {}): Promise<string> {
  await registry.push(name, '{}');
  await registry.push(name, 'layer');
  const manifest = image('{}', ['layer'], more);
  const { status } = await registry.send('PUT', `/v2/${name}/manifests/${reference}`, put(manifest));
  assert.equal(status, 201);
  return manifest;
}

registryTest('ping: 200 with credentials, 401 with the challenge without', async ({ send }) => {
  assert.equal((await send('GET', '/v2/')).status, 200);
  const refused = await send('GET', '/v2/', { anonymous: true });
  assert.equal(refused.status, 401);
  assert.match(refused.headers['www-authenticate'] ?? '', /^Basic realm="127/);
  assert.equal(codeOf(refused), 'UNAUTHORIZED');
});

registryTest('private means private: anonymous 401, denied 403, absent repository 404', async ({ send, events }) => {
  assert.equal((await send('GET', '/v2/app/tags/list', { anonymous: true })).status, 401);
  const denied = await send('GET', '/v2/secret/app/tags/list');
  assert.deepEqual([denied.status, codeOf(denied)], [403, 'DENIED']);
  const absent = await send('GET', '/v2/missing/tags/list');
  assert.deepEqual([absent.status, codeOf(absent)], [404, 'NAME_UNKNOWN']);
  assert.deepEqual(
    events.map(({ errorCode }) => errorCode),
    ['DENIED', 'NAME_UNKNOWN'],
  );
});

for (const algorithm of ['sha256', 'sha512'] as const) {
  const digestFor = (bytes: string) => digestOf(bytes, algorithm);

  registryTest(`${algorithm} blobs: post only`, async ({ send }) => {
    const digest = digestFor('abc');
    const stored = await send('POST', `/v2/app/blobs/uploads/?digest=${digest}`, { body: 'abc' });
    assert.equal(stored.status, 201);
    const got = await send('GET', stored.headers.location!);
    assert.deepEqual([got.status, String(got.body)], [200, 'abc']);
    assert.equal(got.headers['docker-content-digest'], digest);
  });

  registryTest(`${algorithm} blobs: post and put, head, get, delete`, async ({ send }) => {
    const digest = digestFor('abc');
    const started = await send('POST', '/v2/app/blobs/uploads/');
    assert.equal(started.status, 202);
    const stored = await send('PUT', `${started.headers.location}?digest=${digest}`, { body: 'abc' });
    assert.equal(stored.status, 201);
    const head = await send('HEAD', `/v2/app/blobs/${digest}`);
    assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '3', 0]);
    assert.equal((await send('DELETE', `/v2/app/blobs/${digest}`)).status, 202);
    assert.equal((await send('HEAD', `/v2/app/blobs/${digest}`)).status, 404);
    assert.equal(codeOf(await send('GET', `/v2/app/blobs/${digest}`)), 'BLOB_UNKNOWN');
  });

  registryTest(`${algorithm} blobs: stream, chunks, last chunk in the put`, async ({ send }) => {
    let { headers } = await send('POST', '/v2/app/blobs/uploads/');
    const streamed = await send('PATCH', headers.location!, {
      body: 'abc',
      headers: { 'transfer-encoding': 'chunked' },
    });
    assert.deepEqual([streamed.status, streamed.headers.range], [202, '0-2']);
    const chunk = await send('PATCH', streamed.headers.location!, { body: 'def', headers: { 'content-range': '3-5' } });
    assert.deepEqual([chunk.status, chunk.headers.range], [202, '0-5']);
    ({ headers } = chunk);
    const stored = await send('PUT', `${headers.location}?digest=${digestFor('abcdefgh')}`, {
      body: 'gh',
      headers: { 'content-range': '6-7', 'content-length': '2' },
    });
    assert.equal(stored.status, 201);
    assert.equal(String((await send('GET', stored.headers.location!)).body), 'abcdefgh');
  });

  registryTest(`${algorithm} blobs: chunks out of order get 416, and the upload goes on`, async ({ send }) => {
    const { headers } = await send('POST', '/v2/app/blobs/uploads/');
    const location = headers.location!;
    await send('PATCH', location, { body: 'abc', headers: { 'content-range': '0-2' } });
    const early = { body: 'xyz', headers: { 'content-range': '6-8' } };
    assert.equal((await send('PATCH', location, early)).status, 416);
    assert.equal((await send('PUT', `${location}?digest=${digestFor('abcxyz')}`, early)).status, 416);
    const status = await send('GET', location);
    assert.deepEqual([status.status, status.headers.range, status.headers.location], [204, '0-2', location]);
    await send('PATCH', location, { body: 'def', headers: { 'content-range': '3-5' } });
    assert.equal((await send('PUT', `${location}?digest=${digestFor('abcdef')}`)).status, 201);
  });

  registryTest(`${algorithm} blobs: a bad digest is 400 for every style of upload`, async ({ send }) => {
    const wrong = digestFor('else');
    const location = async () => (await send('POST', '/v2/app/blobs/uploads/')).headers.location!;
    const answers = [
      await send('POST', `/v2/app/blobs/uploads/?digest=${wrong}`, { body: 'abc' }),
      await send('PUT', `${await location()}?digest=${wrong}`, { body: 'abc' }),
      await send('PUT', `${await location()}?digest=${algorithm}:baddigeststring`, { body: 'abc' }),
    ];
    const chunked = await location();
    await send('PATCH', chunked, { body: 'abc' });
    answers.push(await send('PUT', `${chunked}?digest=${wrong}`));
    assert.deepEqual(
      answers.map((answer) => [answer.status, codeOf(answer)]),
      answers.map(() => [400, 'DIGEST_INVALID']),
    );
    assert.equal((await send('HEAD', `/v2/app/blobs/${wrong}`)).status, 404);
  });

  registryTest(`${algorithm} blobs: empty, cancelled, mounted`, async ({ send }) => {
    const empty = digestFor('');
    assert.equal((await send('POST', `/v2/app/blobs/uploads/?digest=${empty}`)).status, 201);
    assert.equal((await send('GET', `/v2/app/blobs/${empty}`)).headers['content-length'], '0');
    const { headers } = await send('POST', '/v2/app/blobs/uploads/');
    assert.equal((await send('DELETE', headers.location!)).status, 204);
    assert.equal(codeOf(await send('PATCH', headers.location!, { body: 'x' })), 'BLOB_UPLOAD_UNKNOWN');
    const mount = async (digest: string, from: string) =>
      (await send('POST', `/v2/other/blobs/uploads/?mount=${digest}&from=${from}`)).status;
    assert.equal(await mount(empty, 'app'), 201);
    assert.equal((await send('HEAD', `/v2/other/blobs/${empty}`)).status, 200);
    assert.equal(await mount(digestFor('never pushed'), 'app'), 202);
  });
}

registryTest('a blob of a repository the caller may not pull from is not mounted', async ({ send, content }) => {
  const secret = { registry: '000000000000/us-east-1', name: 'secret/app' };
  await content.createRepository(secret);
  const { digest } = await content.putBlob(secret, new Blob(['hidden']).stream());
  const { status } = await send('POST', `/v2/app/blobs/uploads/?mount=${digest}&from=secret/app`);
  assert.equal(status, 202);
  assert.equal((await send('HEAD', `/v2/app/blobs/${digest}`)).status, 404);
});

registryTest('range requests', async ({ send, push }) => {
  const bytes = 'x'.repeat(1000) + 'y'.repeat(1048);
  const digest = await push('app', bytes);
  const range = async (text: string) =>
    await send('GET', `/v2/app/blobs/${digest}`, { headers: { range: `bytes=${text}` } });
  for (const [text, start, end] of [
    ['500-1499', 500, 1499],
    ['500-', 500, 2047],
    ['-500', 1548, 2047],
    ['2000-5000', 2000, 2047],
  ] as const) {
    const answer = await range(text);
    assert.deepEqual([answer.status, answer.headers['content-range']], [206, `bytes ${start}-${end}/2048`]);
    assert.equal(String(answer.body), bytes.slice(start, end + 1));
  }
  assert.equal((await range('500-0')).status, 416);
  assert.equal((await range('5000-10000')).status, 416);
});

registryTest('an image: push by tag and digest, head, pull, list, delete', async (registry) => {
  const { send } = registry;
  const manifest = await pushImage(registry, 'team/app', 'v1');
  const digest = digestOf(manifest);
  for (const reference of ['v1', digest]) {
    const got = await send('GET', `/v2/team/app/manifests/${reference}`, { headers: { accept: OCI_MANIFEST } });
    assert.deepEqual([got.status, String(got.body)], [200, manifest]);
    assert.equal(got.headers['content-type'], OCI_MANIFEST);
    assert.equal(got.headers['docker-content-digest'], digest);
    const head = await send('HEAD', `/v2/team/app/manifests/${reference}`);
    assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, `${manifest.length}`, 0]);
  }
  assert.equal((await send('PUT', `/v2/team/app/manifests/${digest}`, put(manifest))).status, 201);
  assert.equal((await send('DELETE', '/v2/team/app/manifests/v1')).status, 202);
  assert.equal((await send('HEAD', '/v2/team/app/manifests/v1')).status, 404);
  assert.equal((await send('HEAD', `/v2/team/app/manifests/${digest}`)).status, 200);
  assert.equal((await send('DELETE', `/v2/team/app/manifests/${digest}`)).status, 202);
  assert.equal(codeOf(await send('GET', `/v2/team/app/manifests/${digest}`)), 'MANIFEST_UNKNOWN');
});

registryTest('repositories with a common beginning are strangers', async (registry) => {
  await pushImage(registry, 'team', 'v1');
  await pushImage(registry, 'team/app', 'v2');
  const { content } = registry;
  const team = { registry: '000000000000/us-east-1', name: 'team' };
  assert.deepEqual(await content.listTags(team), ['v1']);
  await content.deleteRepository(team, { force: true });
  assert.deepEqual(await content.listTags({ ...team, name: 'team/app' }), ['v2']);
  assert.deepEqual(await content.listRepositories(team.registry), ['team/app']);
});

registryTest('a repository with images is only deleted by force', async (registry) => {
  await pushImage(registry, 'app', 'v1');
  const repository = { registry: '000000000000/us-east-1', name: 'app' };
  await assert.rejects(registry.content.deleteRepository(repository, { force: false }), /still holds images/);
  await registry.content.deleteRepository(repository, { force: true });
  await registry.content.deleteRepository(repository, { force: true });
  assert.equal((await registry.send('HEAD', '/v2/app/manifests/v1')).status, 404);
});

registryTest('indexes: nested, empty, with a missing manifest', async (registry) => {
  const { send } = registry;
  const manifest = await pushImage(registry, 'app', 'v1');
  const inner = index([manifest]);
  const refused = await send('PUT', '/v2/app/manifests/outer', put(index([inner]), OCI_INDEX));
  assert.deepEqual([refused.status, codeOf(refused)], [400, 'MANIFEST_BLOB_UNKNOWN']);
  assert.equal((await send('PUT', `/v2/app/manifests/${digestOf(inner)}`, put(inner, OCI_INDEX))).status, 201);
  assert.equal((await send('PUT', '/v2/app/manifests/outer', put(index([inner]), OCI_INDEX))).status, 201);
  assert.equal((await send('PUT', '/v2/app/manifests/empty', put(index([]), OCI_INDEX))).status, 201);
});

registryTest('what a manifest may be: layers elsewhere, none, large, custom fields', async ({ send, push }) => {
  await push('app', '{}');
  const elsewhere = descriptor('far', 'application/vnd.oci.image.layer.nondistributable.v1.tar');
  const annotations = Object.fromEntries(Array.from({ length: 390 }, (_, i) => [`note-${i}`, 'n'.repeat(10_000)]));
  for (const manifest of [
    image('{}', [], { layers: [elsewhere] }),
    image('{}', []),
    image('{}', [], { annotations }),
    image('{}', [], { 'org.example.own': { deep: [1, 'two'] } }),
  ]) {
    assert.equal((await send('PUT', '/v2/app/manifests/v1', put(manifest))).status, 201);
    assert.equal(String((await send('GET', '/v2/app/manifests/v1')).body), manifest);
  }
});

registryTest('what a manifest may not be', async ({ send, push }) => {
  await push('app', '{}');
  const answer = async (reference: string, sent: Sent) => {
    const refused = await send('PUT', `/v2/app/manifests/${reference}`, sent);
    return [refused.status, codeOf(refused)];
  };
  assert.deepEqual(await answer('v1', put(image('{}', ['never pushed']))), [400, 'MANIFEST_BLOB_UNKNOWN']);
  assert.deepEqual(await answer('v1', put('not JSON')), [400, 'MANIFEST_INVALID']);
  assert.deepEqual(await answer('v1', put('[]')), [400, 'MANIFEST_INVALID']);
  assert.deepEqual(await answer('v1', put(image('{}', []), OCI_INDEX)), [400, 'MANIFEST_INVALID']);
  assert.deepEqual(await answer('v1', put('{"schemaVersion":1}')), [400, 'MANIFEST_INVALID']);
  assert.deepEqual(await answer('sha256:baddigeststring', put(image('{}', []))), [400, 'DIGEST_INVALID']);
  assert.deepEqual(await answer(digestOf('else'), put(image('{}', []))), [400, 'DIGEST_INVALID']);
  assert.deepEqual(await answer('-bad', put(image('{}', []))), [400, 'TAG_INVALID']);
  assert.deepEqual(await answer('v1', put('x'.repeat((4 << 20) + 1))), [413, 'SIZE_INVALID']);
  assert.deepEqual(codeOf(await send('GET', '/v2/App/manifests/v1')), 'NAME_INVALID');
});

registryTest('sha512 manifests and tag parameters', async (registry) => {
  const { send } = registry;
  const manifest = await pushImage(registry, 'app', 'v1');
  const digest = digestOf(manifest, 'sha512');
  const stored = await send('PUT', `/v2/app/manifests/${digest}?tag=a&tag=b`, put(manifest));
  assert.deepEqual([stored.status, stored.headers['oci-tag']], [201, 'a, b']);
  assert.equal((await send('GET', '/v2/app/manifests/a')).headers['docker-content-digest'], digest);
  assert.equal((await send('HEAD', `/v2/app/manifests/${digest}`)).status, 200);
});

registryTest('tags: moved, listed in order, in pages', async (registry) => {
  const { send } = registry;
  const list = async (query = '') => {
    const { headers, body } = await send('GET', `/v2/app/tags/list${query}`);
    return [(JSON.parse(String(body)) as { tags: string[] }).tags, headers.link];
  };
  assert.deepEqual(await list(), [[], undefined]);
  for (const tag of ['b', 'a', '202611230143', 'c']) await pushImage(registry, 'app', tag);
  await pushImage(registry, 'app', 'c', { annotations: { second: 'yes' } });
  assert.deepEqual(await list(), [['202611230143', 'a', 'b', 'c'], undefined]);
  assert.deepEqual(await list('?n=2'), [['202611230143', 'a'], '</v2/app/tags/list?n=2&last=a>; rel="next"']);
  assert.deepEqual(await list('?n=2&last=a'), [['b', 'c'], undefined]);
  assert.deepEqual(await list('?n=0'), [[], undefined]);
  const records = await registry.content.listManifests({ registry: '000000000000/us-east-1', name: 'app' });
  assert.deepEqual(new Set(records.map(({ tags }) => tags.join())), new Set(['202611230143,a,b', 'c']));
});

registryTest('a fixed tag does not move, but may be put again as it is', async (registry) => {
  await pushImage(registry, 'app', 'fixed');
  await pushImage(registry, 'app', 'fixed');
  const moved = await registry.send('PUT', '/v2/app/manifests/fixed', put(image('{}', [])));
  assert.deepEqual([moved.status, codeOf(moved)], [400, 'TAG_INVALID']);
});

registryTest('referrers: listed, filtered, gone with their manifest, empty for the unknown', async (registry) => {
  const { send } = registry;
  const subjectBytes = image('{}', ['layer']);
  const subject = descriptor(subjectBytes, OCI_MANIFEST);
  const list = async (query = '') => {
    const { status, headers, body } = await send('GET', `/v2/app/referrers/${subject.digest}${query}`);
    assert.deepEqual([status, headers['content-type']], [200, OCI_INDEX]);
    const { manifests } = JSON.parse(String(body)) as { manifests: { digest: string; artifactType: string }[] };
    return { manifests, filter: headers['oci-filters-applied'] };
  };
  assert.deepEqual((await list()).manifests, []);
  await registry.push('app', '{}');
  await registry.push('app', 'layer');
  const signature = image('{}', [], { subject, artifactType: 'example/signature', annotations: { by: 'me' } });
  const stored = await send('PUT', `/v2/app/manifests/${digestOf(signature)}`, put(signature));
  assert.deepEqual([stored.status, stored.headers['oci-subject']], [201, subject.digest]);
  const plain = image('{}', ['layer'], { subject });
  await send('PUT', '/v2/app/manifests/plain', put(plain));
  const all = await list();
  assert.deepEqual(all.manifests.map(({ artifactType }) => artifactType).sort(), [
    'application/vnd.oci.image.config.v1+json',
    'example/signature',
  ]);
  const filtered = await list('?artifactType=example/signature');
  assert.equal(filtered.filter, 'artifactType');
  assert.deepEqual(filtered.manifests, [
    {
      mediaType: OCI_MANIFEST,
      size: signature.length,
      digest: digestOf(signature),
      artifactType: 'example/signature',
      annotations: { by: 'me' },
    },
  ]);
  await send('DELETE', `/v2/app/manifests/${digestOf(signature)}`);
  assert.equal((await list()).manifests.length, 1);
});

registryTest('operations are told to the policy with what they were about', async (registry) => {
  const manifest = await pushImage(registry, 'app', 'v1');
  await registry.send('GET', '/v2/app/manifests/v1');
  const last = registry.events.at(-1)!;
  assert.deepEqual(
    [last.operation, last.tag, last.digest, last.errorCode, last.sourceIp],
    ['manifest-get', 'v1', digestOf(manifest), undefined, '127.0.0.1'],
  );
  const record = await registry.content.findManifest(last.repository, 'v1');
  assert.ok(record?.lastPulledAt, 'the pull was noted');
  assert.equal(record.contentSizeBytes, '{}layer'.length);
});

registryTest('a wrong method is 405, a strange path 404', async ({ send }) => {
  assert.equal((await send('PATCH', '/v2/app/manifests/v1')).status, 405);
  assert.equal((await send('GET', '/v2/_catalog')).status, 404);
});
