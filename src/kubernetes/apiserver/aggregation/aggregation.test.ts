/** A server of its own in a pod, reached through a fake kubelet, that serves a part of the cluster's API. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { after, before, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { systemClock, systemRandom } from '#base';
import { createAuthority, createServerCertificate } from '../../auth/certificates.ts';
import {
  apiServices,
  clusterRoleBindings,
  configMaps,
  customResourceDefinitions,
  endpointSlices,
  services,
} from '../../resources.ts';
import { portForwardProtocol, forwardPorts } from '../../streaming/port-forward.ts';
import { acceptSpdy } from '../../streaming/spdy-upgrade.ts';
import { makeTestCluster, type TestCluster } from '../../test-cluster.ts';
import type { Attributes } from '../../auth/user.ts';
import { createFrontProxy } from './front-proxy.ts';
import { remoteReader } from './reader.ts';
import { requestRemote } from './request.ts';

interface Asked {
  readonly path: string;
  readonly user: unknown;
  readonly groups: unknown;
  readonly authorization: unknown;
  readonly caller: string;
  readonly body: string;
}

let server: Server;
let caBundle: string;
const asked: Asked[] = [];
/** What came behind a request for an upgrade that was refused. */
const unasked: Buffer[] = [];
const kubelet = createHttpServer();
const path = '/apis/wardle.example.com/v1';
const resources = [
  { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs: ['get', 'list', 'create'] },
  { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get'] },
];

before(async () => {
  const parts = { clock: systemClock, random: systemRandom };
  const authority = await createAuthority('wardle', parts);
  const names = ['api.wardle.svc'];
  const certificate = await createServerCertificate(authority, { commonName: 'api', names }, parts);
  caBundle = Buffer.from(authority.certificatePem).toString('base64');
  const tls = {
    key: certificate.keyPem,
    cert: certificate.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
  };
  server = createServer(tls, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push({
        path: request.url!,
        user: request.headers['x-remote-user'],
        groups: request.headersDistinct['x-remote-group'],
        authorization: request.headers.authorization,
        caller: String((request.socket as TLSSocket).getPeerCertificate().subject.CN),
        body: Buffer.concat(chunks).toString(),
      });
      if (request.url === '/openapi/v2') {
        response.end(
          JSON.stringify({ swagger: '2.0', paths: { [`${path}/namespaces/{namespace}/flunders`]: { get: {} } } }),
        );
        return;
      }
      const isDiscovery = request.url === path;
      response.writeHead(isDiscovery ? 200 : 201, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isDiscovery ? { kind: 'APIResourceList', resources } : { kind: 'Flunder' }));
    });
  });
  server.on('upgrade', (request, socket, head) => {
    if (request.url?.endsWith('/refused')) {
      unasked.push(head);
      socket.on('data', (chunk: Buffer) => unasked.push(chunk));
      socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\nrefused');
      return;
    }
    const { 'x-remote-user': user, authorization, 'impersonate-user': other } = request.headers;
    const told = JSON.stringify({ user, authorization, other, protocol: request.headers['sec-websocket-protocol'] });
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-Told: ${told}\r\n\r\n`);
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  kubelet.on('upgrade', (_request, socket) => {
    acceptSpdy(socket, portForwardProtocol);
    void forwardPorts(socket, async () => connect((server.address() as AddressInfo).port, '127.0.0.1'), 'p');
  });
});
after(() => {
  server.close();
  server.closeAllConnections();
});

function makeCluster(): Promise<TestCluster> {
  return makeTestCluster({
    ports: {
      async dialKubelet() {
        const [ours, theirs] = duplexPair();
        kubelet.emit('connection', theirs);
        return ours;
      },
    },
  });
}

async function register({ client }: TestCluster): Promise<void> {
  await client.create(apiServices, {
    metadata: { name: 'v1.wardle.example.com' },
    spec: {
      group: 'wardle.example.com',
      version: 'v1',
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      service: { namespace: 'wardle', name: 'api' },
      caBundle,
    },
  });
}

async function serve({ client }: TestCluster): Promise<void> {
  const metadata = { namespace: 'wardle', name: 'api' };
  await client.create(
    { ...services, resource: 'namespaces', kind: 'Namespace', isNamespaced: false },
    {
      metadata: { name: 'wardle' },
    },
  );
  await client.create(services, { metadata, spec: { ports: [{ port: 443, protocol: 'TCP' }] } });
  await client.create(endpointSlices, {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'api' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.2'], nodeName: 'n1', targetRef: { kind: 'Pod', name: 'p' } }],
    ports: [{ port: 8443 }],
  });
}

/** Waits until the API service says so of itself. */
async function until({ informers }: TestCluster, reason: string): Promise<void> {
  const copy = informers.of(apiServices);
  const holds = () =>
    copy.get('v1.wardle.example.com')?.status?.conditions?.some((condition) => condition.reason === reason);
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = copy.onChange(() => holds() && resolve());
  await promise.finally(stop);
}

test('requests are passed on in the name of who asks, once the server is there', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await register(cluster);
  await until(cluster, 'ServiceNotFound');
  assert.equal((await cluster.call('GET', `${path}/namespaces/default/flunders`)).code, 503);
  await serve(cluster);
  await until(cluster, 'Passed');
  const made = await cluster.call('POST', `${path}/namespaces/default/flunders?dryRun=All`, {
    body: { kind: 'Flunder' },
    headers: { authorization: 'Bearer mine', 'x-remote-user': 'somebody-else' },
  });
  assert.deepEqual([made.code, JSON.parse(made.body)], [201, { kind: 'Flunder' }]);
  assert.deepEqual(asked.at(-1), {
    path: `${path}/namespaces/default/flunders?dryRun=All`,
    user: 'admin',
    groups: ['system:masters', 'system:authenticated'],
    authorization: undefined,
    caller: 'front-proxy-client',
    body: '{"kind":"Flunder"}',
  });
});

test('a body of any method and framing stays the body of its request', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await serve(cluster);
  await register(cluster);
  await until(cluster, 'Passed');
  const body = `GET ${path}/stolen HTTP/1.1\r\nHost: x\r\nX-Remote-User: somebody-else\r\n\r\n`;
  for (const method of ['DELETE', 'GET', 'PUT'])
    for (const headers of [{ 'content-length': String(body.length) }, { 'transfer-encoding': 'chunked' }]) {
      const { code } = await cluster.call(method, `${path}/namespaces/default/flunders/a`, { body, headers });
      assert.equal(code, 201, method);
      const { user, body: received } = asked.findLast(({ path }) => path.endsWith('/flunders/a'))!;
      assert.deepEqual([user, received], ['admin', body], `${method} ${Object.keys(headers).join()}`);
      asked.length = 0;
    }
});

test(
  'a connection that leaves HTTP is joined with the other server, in the name of who asks',
  {
    timeout: 30_000,
  },
  async () => {
    await using cluster = await makeCluster();
    await serve(cluster);
    await register(cluster);
    await until(cluster, 'Passed');
    const { certificatePem: cert, keyPem: key } = cluster.credentials;
    const upgrade = async (user: string, end: string) => {
      const socket = connectTls({
        host: '127.0.0.1',
        port: cluster.port,
        ca: cluster.settings.ca.certificatePem,
        cert,
        key,
      });
      const headers = `Host: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Protocol: a\r\nX-Remote-User: forged\r\nImpersonate-User: ${user}`;
      socket.write(`GET ${path}/namespaces/default/flunders/a/exec HTTP/1.1\r\n${headers}\r\n\r\nhello`);
      let text = '';
      while (!text.endsWith(end)) text += String((await once(socket, 'data'))[0]);
      socket.destroy();
      return text;
    };
    await cluster.client.create(clusterRoleBindings, {
      metadata: { name: 'all' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', name: 'eve' }],
    });
    const joined = await upgrade('eve', 'hello');
    assert.match(joined, /^HTTP\/1.1 101 /);
    assert.match(joined, /X-Told: \{"user":"eve","protocol":"a"\}/);
    assert.match(await upgrade('mallory', '}\n'), /^HTTP\/1.1 403 /);
  },
);

test('a connection that stays with HTTP is not the client’s', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await serve(cluster);
  await register(cluster);
  await until(cluster, 'Passed');
  const { certificatePem: cert, keyPem: key } = cluster.credentials;
  const ca = cluster.settings.ca.certificatePem;
  const socket = connectTls({ host: '127.0.0.1', port: cluster.port, ca, cert, key });
  const another = `DELETE ${path}/flunders HTTP/1.1\r\nHost: x\r\nX-Remote-Group: system:masters\r\n\r\n`;
  socket.write(`GET ${path}/refused HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n${another}`);
  const closed = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
  let text = '';
  while (!text.endsWith('refused')) text += String((await once(socket, 'data'))[0]);
  assert.match(text, /^HTTP\/1.1 400 /);
  socket.write(another);
  await closed;
  assert.equal(Buffer.concat(unasked).toString(), '');
});

test('a path is decided on and passed on in one reading', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await serve(cluster);
  await register(cluster);
  await until(cluster, 'Passed');
  assert.equal((await cluster.call('GET', `${path}/namespaces/a%2fsecrets/flunders`)).code, 404);
  assert.equal((await cluster.call('GET', `${path}/namespaces//a/flunders`)).code, 201);
  assert.equal(asked.findLast(({ path }) => path.endsWith('flunders'))?.path, `${path}/namespaces/a/flunders`);
});

test('a name of any script is passed on as it is, and one that cannot be leaves no connection', async () => {
  const frontProxy = await createFrontProxy({ clock: systemClock, random: systemRandom });
  const wires: Socket[] = [];
  const dialService = async () => {
    const wire = connect((server.address() as AddressInfo).port, '127.0.0.1');
    wires.push(wire);
    return wire;
  };
  const request = (username: string) =>
    requestRemote(
      { dialService, frontProxy },
      {
        spec: {
          group: 'wardle.example.com',
          version: 'v1',
          groupPriorityMinimum: 1,
          versionPriority: 1,
          service: { namespace: 'wardle', name: 'api' },
          caBundle,
        },
        method: 'GET',
        path: `${path}/named`,
        headers: {},
        user: { username, groups: [] },
        signal: AbortSignal.timeout(10_000),
      },
    );
  const name = 'Jürgen ☃';
  (await request(name)).resume();
  assert.equal(Buffer.from(String(asked.at(-1)!.user), 'latin1').toString(), name);
  await assert.rejects(request('a\r\nx-remote-group: system:masters'));
  assert.equal(wires.at(-1)!.destroyed, true);
});

test('a component reads what another serves, as far as it may', async () => {
  const frontProxy = await createFrontProxy({ clock: systemClock, random: systemRandom });
  const group = 'wardle.example.com';
  const spec = {
    group,
    version: 'v1',
    groupPriorityMinimum: 1,
    versionPriority: 1,
    service: { namespace: 'wardle', name: 'api' },
    caBundle,
  };
  const wanted: Attributes[] = [];
  const parts = {
    frontProxy,
    dialService: async () => connect((server.address() as AddressInfo).port, '127.0.0.1'),
    remoteApis: {
      groupVersions: () => [{ group, version: 'v1' }],
      find: ({ group: of }: { readonly group: string }) =>
        of === group ? { spec, isAvailable: true, resources: [] } : undefined,
    },
    authorization: {
      require: async (attributes: Attributes) => {
        wanted.push(attributes);
        if (attributes.user.username === 'eve') throw new Error('forbidden');
      },
    },
  };
  const { signal } = new AbortController();
  const reader = remoteReader(parts, { username: 'hpa', groups: [] });
  assert.deepEqual([reader.versionsOf(group), reader.versionsOf('other')], [['v1'], []]);
  const flunder = { group, version: 'v1', namespace: 'default', resource: 'flunders', name: '*', subresource: 'size' };
  await assert.rejects(reader.read({ ...flunder, query: { labelSelector: 'a=b' } }, signal), {
    reason: 'ServiceUnavailable',
  });
  assert.deepEqual(
    [asked.at(-1)!.path, asked.at(-1)!.user],
    [`${path}/namespaces/default/flunders/*/size?labelSelector=a%3Db`, 'hpa'],
  );
  assert.deepEqual(wanted.at(-1), { kind: 'resource', user: { username: 'hpa', groups: [] }, verb: 'get', ...flunder });
  await assert.rejects(reader.read({ ...flunder, group: 'other' }, signal), { reason: 'NotFound' });
  const { length } = asked;
  await assert.rejects(remoteReader(parts, { username: 'eve', groups: [] }).read(flunder, signal), /forbidden/);
  assert.equal(asked.length, length);
});

test('what another served is the cluster’s own again when it says so', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await serve(cluster);
  await register(cluster);
  await until(cluster, 'Passed');
  const name = { name: 'v1.wardle.example.com' };
  await cluster.client.patch(apiServices, name, { kind: 'merge', body: { spec: { service: null, caBundle: null } } });
  await until(cluster, 'Local');
  assert.equal((await cluster.call('GET', `${path}/namespaces/default/flunders`)).code, 404);
});

test('who may not is refused before the server is asked', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await serve(cluster);
  await register(cluster);
  await until(cluster, 'Passed');
  // Whether it is there is asked all along.
  const count = () => asked.filter((one) => one.path.includes('flunders')).length;
  const before = count();
  const headers = { 'impersonate-user': 'nobody' };
  const { code } = await cluster.call('GET', `${path}/namespaces/default/flunders`, { headers });
  assert.equal(code, 403);
  assert.equal(count(), before);
  await cluster.client.create(clusterRoleBindings, {
    metadata: { name: 'nobody' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }],
  });
  assert.equal((await cluster.call('GET', `${path}/namespaces/default/flunders`, { headers })).code, 201);
  assert.equal(asked.at(-1)!.user, 'nobody');
});

test('discovery tells of what others serve, in both forms', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await serve(cluster);
  await register(cluster);
  await until(cluster, 'Passed');
  const json = async (url: string, accept = 'application/json') =>
    JSON.parse((await cluster.call('GET', url, { headers: { accept } })).body);
  const { groups } = await json('/apis');
  assert.ok(groups.some(({ name }: { name: string }) => name === 'wardle.example.com'));
  assert.deepEqual((await json(path)).resources, resources);
  const { items } = await json('/apis', 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
  const [version] = items.find(
    ({ metadata }: { metadata: { name: string } }) => metadata.name === 'wardle.example.com',
  ).versions;
  assert.equal(version.freshness, 'Current');
  assert.deepEqual(version.resources, [
    {
      resource: 'flunders',
      responseKind: { group: 'wardle.example.com', version: 'v1', kind: 'Flunder' },
      scope: 'Namespaced',
      singularResource: 'flunder',
      verbs: ['get', 'list', 'create'],
      subresources: [
        {
          subresource: 'status',
          responseKind: { group: 'wardle.example.com', version: 'v1', kind: 'Flunder' },
          verbs: ['get'],
        },
      ],
    },
  ]);
  const { paths } = await json('/openapi/v3');
  assert.match(
    paths['apis/wardle.example.com/v1'].serverRelativeURL,
    /^\/openapi\/v3\/apis\/wardle\.example\.com\/v1\?hash=/,
  );
  await cluster.call('GET', paths['apis/wardle.example.com/v1'].serverRelativeURL);
  assert.equal(asked.at(-1)!.path, paths['apis/wardle.example.com/v1'].serverRelativeURL);
  await cluster.client.delete(apiServices, { name: 'v1.wardle.example.com' });
  assert.equal((await json('/openapi/v3')).paths['apis/wardle.example.com/v1'], undefined);
  assert.equal((await cluster.call('GET', path)).code, 404);
});

test('the document of everything says what others say of theirs', { timeout: 30_000 }, async () => {
  await using cluster = await makeCluster();
  await serve(cluster);
  await register(cluster);
  await until(cluster, 'Passed');
  const { body } = await cluster.call('GET', '/openapi/v2');
  const { paths } = JSON.parse(body) as { readonly paths: object };
  assert.ok(`${path}/namespaces/{namespace}/flunders` in paths);
  assert.ok('/api/v1/namespaces/{namespace}/pods' in paths);
});

test('what the cluster serves itself has services of its own', { timeout: 30_000 }, async () => {
  await using cluster = await makeTestCluster({ components: ['controllers'] });
  const copy = cluster.informers.of(apiServices);
  const until = async (holds: () => boolean) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = copy.onChange(() => holds() && resolve());
    if (holds()) resolve();
    await promise.finally(stop);
  };
  const isLocal = (name: string) =>
    copy.get(name)?.status?.conditions?.some(({ reason }) => reason === 'Local') ?? false;
  await until(() => isLocal('v1.') && isLocal('v1.apps') && isLocal('v2.autoscaling'));
  assert.equal(copy.get('v1.apps')!.spec!.groupPriorityMinimum, 17_800);
  await cluster.client.delete(apiServices, { name: 'v1.apps' });
  await until(() => isLocal('v1.apps'));
  const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }];
  await cluster.client.create(customResourceDefinitions, {
    metadata: { name: 'foos.example.com' },
    spec: { group: 'example.com', scope: 'Namespaced', names: { plural: 'foos', kind: 'Foo' }, versions },
  });
  await until(() => isLocal('v1.example.com'));
  await cluster.client.delete(customResourceDefinitions, { name: 'foos.example.com' });
  await until(() => copy.get('v1.example.com') === undefined);
});

test('servers find whom to believe', async () => {
  await using cluster = await makeCluster();
  const { data } = await cluster.client.get(configMaps, {
    namespace: 'kube-system',
    name: 'extension-apiserver-authentication',
  });
  assert.equal(data?.['requestheader-allowed-names'], '["front-proxy-client"]');
  assert.match(data?.['requestheader-client-ca-file'] ?? '', /BEGIN CERTIFICATE/);
  assert.notEqual(data?.['requestheader-client-ca-file'], data?.['client-ca-file']);
});
