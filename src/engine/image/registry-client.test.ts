import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type Clock, digestOf, systemClock } from '#base';
import { memoryBlobStore } from '#blob';
import { fetchBlob } from './fetch.ts';
import { parseChallenges } from './registry-auth.ts';
import { RepositoryClient } from './registry-client.ts';
import { atFirstEndpoint } from './registry-endpoints.ts';
import { parseReference } from './reference.ts';
import { RegistryHttp } from './registry-http.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that answers as the test says, and notes what it was asked. */
async function serve(handler: Handler) {
  const asked: {
    readonly line: string;
    readonly authorization: string | undefined;
    readonly host: string | undefined;
  }[] = [];
  const server = createServer((request, response) => {
    const { authorization, host } = request.headers;
    asked.push({ line: `${request.method} ${request.url}`, authorization, host });
    handler(request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has one
  const http = new RegistryHttp();
  return {
    url,
    asked,
    http,
    async [Symbol.asyncDispose]() {
      http[Symbol.dispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Counted from where it is asked for: this file may have been loaded long before its tests run. */
const within = () => AbortSignal.timeout(20_000);
const body = Buffer.from('layer '.repeat(50_000));
const blob = { mediaType: 'x', digest: digestOf(body), size: body.length };
const impatient: Clock = { now: () => systemClock.now(), sleep: async () => undefined };

test('a bearer challenge is answered with a token for the scope, and the token is kept', async () => {
  await using server = await serve((request, response) => {
    if (request.url?.startsWith('/token')) {
      response.end(JSON.stringify({ token: 'T1' }));
    } else if (request.headers.authorization === 'Bearer T1') response.end(body);
    else {
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="reg"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    }
  });
  const credentials = { username: 'me', password: 'pass:word' };
  const endpoint = { url: server.url };
  const client = new RepositoryClient({ http: server.http, endpoint, repository: 'a/b', credentials, access: 'pull' });
  for (let count = 0; count < 2; count++) await Array.fromAsync(await client.blob(blob.digest, 0, within()));
  assert.deepEqual(
    server.asked.map(({ line }) => line.split('?')[0]),
    [
      `GET /v2/a/b/blobs/${blob.digest}`,
      'GET /token',
      `GET /v2/a/b/blobs/${blob.digest}`,
      `GET /v2/a/b/blobs/${blob.digest}`,
    ],
  );
  const token = server.asked[1]!;
  const query = new URL(token.line.split(' ')[1]!, server.url).searchParams;
  assert.deepEqual(
    [...query],
    [
      ['service', 'reg'],
      ['scope', 'repository:a/b:pull'],
      ['account', 'me'],
    ],
  );
  assert.equal(token.authorization, `Basic ${Buffer.from('me:pass:word').toString('base64')}`);
});

test('credentials and Host stay with the endpoint when it redirects elsewhere', async () => {
  await using storage = await serve((_, response) => response.end(body));
  await using server = await serve((request, response) => {
    if (request.headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    else response.writeHead(307, { location: `${storage.url}/elsewhere` }).end();
  });
  const client = new RepositoryClient({
    http: server.http,
    endpoint: { url: server.url, hostHeader: 'registry.test' },
    repository: 'a',
    credentials: { username: 'u', password: 'p' },
    access: 'pull',
  });
  assert.deepEqual(Buffer.concat(await Array.fromAsync(await client.blob(blob.digest, 0, within()))), body);
  assert.deepEqual(new Set(server.asked.map(({ host }) => host)), new Set(['registry.test']));
  const [elsewhere] = storage.asked;
  assert.equal(elsewhere?.authorization, undefined);
  assert.equal(elsewhere?.host, new URL(storage.url).host);
});

for (const doesRanges of [true, false])
  test(`a broken transfer goes on ${doesRanges ? 'where it broke' : 'although the registry knows no ranges'}`, async () => {
    let count = 0;
    await using server = await serve((request, response) => {
      count++;
      const start = doesRanges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
      response.writeHead(start > 0 ? 206 : 200, { 'content-length': body.length - start });
      // Each answer but the last breaks off.
      if (count < 3)
        response.write(body.subarray(start, start + 150_000 * (doesRanges ? 1 : count) - 50_000), () =>
          response.destroy(),
        );
      else response.end(body.subarray(start));
    });
    const client = new RepositoryClient({
      http: server.http,
      endpoint: { url: server.url },
      repository: 'a',
      credentials: undefined,
      access: 'pull',
    });
    const blobs = memoryBlobStore();
    await fetchBlob({ client, blobs, blob, clock: impatient, signal: within() });
    assert.deepEqual(await blobs.readBytes(blob.digest), body);
    assert.equal(count, 3);
  });

test('bytes that are not what the digest says, or more than the size, are refused and leave nothing', async () => {
  let sent = Buffer.alloc(body.length);
  await using server = await serve((_, response) => response.end(sent));
  const client = new RepositoryClient({
    http: server.http,
    endpoint: { url: server.url },
    repository: 'a',
    credentials: undefined,
    access: 'pull',
  });
  const blobs = memoryBlobStore();
  await assert.rejects(fetchBlob({ client, blobs, blob, clock: impatient, signal: within() }), { kind: 'DataLoss' });
  sent = Buffer.concat([body, Buffer.from('!')]);
  await assert.rejects(fetchBlob({ client, blobs, blob, clock: impatient, signal: within() }), { kind: 'DataLoss' });
  assert.equal(await blobs.stat(blob.digest), undefined);
});

test('endpoints are tried in turn, then the other repository; the credentials given go to none but the host named', async () => {
  await using server = await serve((request, response) => {
    if (request.headers.authorization === undefined && request.headers.host === 'own.test')
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    else if (request.url?.startsWith('/v2/mirror/')) response.end('{}');
    else response.writeHead(404).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'no' }] }));
  });
  const resolver = {
    endpoints: (host: string) => [{ url: 'http://127.0.0.1:1' }, { url: server.url, hostHeader: host }],
    defaultCredentials: () => undefined,
    fallback: () => ({ host: 'mirror.test', repository: 'mirror/app' }),
  };
  const credentials = { username: 'u', password: 'p' };
  const reach = { http: server.http, resolver, credentials, access: 'pull' } as const;
  const found = await atFirstEndpoint(parseReference('own.test/app'), reach, (client) =>
    client.manifest('latest', within()),
  );
  assert.equal(found.bytes.toString(), '{}');
  assert.deepEqual(
    server.asked.map(({ host, authorization }) => [host, authorization !== undefined]),
    [
      ['own.test', false],
      ['own.test', true],
      ['mirror.test', false],
    ],
  );
  await assert.rejects(
    atFirstEndpoint(
      parseReference('own.test/app'),
      { ...reach, resolver: { ...resolver, fallback: () => undefined } },
      (client) => client.manifest('latest', within()),
    ),
    { kind: 'NotFound', message: 'manifest unknown: no' },
  );
});

test('a registry that wants credentials is told that there are none', async () => {
  await using server = await serve((_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end(),
  );
  const client = new RepositoryClient({
    http: server.http,
    endpoint: { url: server.url },
    repository: 'a',
    credentials: undefined,
    access: 'pull',
  });
  await assert.rejects(client.manifest('latest', within()), {
    kind: 'Unauthenticated',
    message: 'no basic auth credentials',
  });
});

test('an upload follows the places the registry names, under its own name too', async () => {
  const received: Buffer[] = [];
  await using server = await serve((request, response) => {
    if (request.method === 'POST')
      response.writeHead(202, { location: 'http://registry.test/v2/a/blobs/uploads/1?state=x' }).end();
    else if (request.method === 'PATCH') {
      request.on('data', (chunk: Buffer) => received.push(chunk));
      request.on('end', () => response.writeHead(202, { location: '/v2/a/blobs/uploads/1?state=y' }).end());
    } else response.writeHead(201).end();
  });
  const blobs = memoryBlobStore();
  await blobs.write(
    (async function* () {
      yield body;
    })(),
  );
  const client = new RepositoryClient({
    http: server.http,
    endpoint: { url: server.url, hostHeader: 'registry.test' },
    repository: 'a',
    credentials: undefined,
    access: 'pull,push',
  });
  await client.uploadBlob(
    { digest: blob.digest, sizeBytes: body.length, open: () => blobs.read(blob.digest) },
    within(),
  );
  assert.deepEqual(Buffer.concat(received), body);
  assert.deepEqual(
    server.asked.map(({ line }) => line),
    [
      'POST /v2/a/blobs/uploads/',
      'PATCH /v2/a/blobs/uploads/1?state=x',
      `PUT /v2/a/blobs/uploads/1?state=y&digest=${encodeURIComponent(blob.digest)}`,
    ],
  );
});

test('challenges are read as RFC 9110 has them', () => {
  const read = parseChallenges(
    'Basic realm="a \\"b\\"", Bearer realm="https://x/t,u",service=s , scope="repository:a:pull"',
  );
  assert.deepEqual(
    read.map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
    [
      ['basic', { realm: 'a "b"' }],
      ['bearer', { realm: 'https://x/t,u', service: 's', scope: 'repository:a:pull' }],
    ],
  );
  assert.deepEqual(parseChallenges(''), []);
  assert.deepEqual(parseChallenges('",,=;'), []);
});
