import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectPort } from 'node:net';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { AdmissionPlugin } from '../../auth/user.ts';
import { endpointSlices, nodes, pods, serviceAccounts, services } from '../../resources.ts';
import { forbidden } from '../../status.ts';
import { forwardPorts, portForwardProtocol } from '../../streaming/port-forward.ts';
import { acceptSpdy } from '../../streaming/spdy-upgrade.ts';
import { makeTestCluster, type TestCluster } from '../../test-cluster.ts';

/** A kubelet that tells what it was asked, echoes upgraded connections and has used a second of processor time for each look. */
function fakeKubelet() {
  let looks = 0;
  const server = createServer((request, response) => {
    if (request.url === '/stats/summary') response.end(JSON.stringify(summary(looks++)));
    else if (request.headers['transfer-encoding'])
      void text(request).then((body) => response.end(`${request.method} with ${JSON.stringify(body)}`));
    else response.end(`asked ${request.url} as ${request.headers.authorization ?? 'nobody'}`);
  });
  server.on('upgrade', (request, socket) => {
    if (request.url?.startsWith('/portForward/')) {
      acceptSpdy(socket, portForwardProtocol);
      // The fake's pod listens on every port.
      void forwardPorts(socket, async (port) => connectPort(await podServer(port)), 'p');
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\nX-Asked: ${request.url}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  return async () => {
    const [ours, theirs] = duplexPair();
    server.emit('connection', theirs);
    return ours;
  };
}

const podServers: Server[] = [];
after(() => {
  for (const server of podServers) server.close().closeAllConnections();
});

/** A server that says which port of the pod it stands for. */
async function podServer(port: number): Promise<number> {
  const server = createServer((request, response) => response.end(`pod ${port} was asked ${request.url}`)).listen(
    0,
    '127.0.0.1',
  );
  podServers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function summary(look: number) {
  const counters = {
    cpu: { time: new Date(look * 2000).toISOString(), usageCoreNanoSeconds: look * 1e9 },
    memory: { workingSetBytes: 4096 },
  };
  const containers = [{ name: 'c', startTime: '2026-01-01T00:00:00Z', ...counters }];
  return {
    node: { nodeName: 'n1', ...counters },
    pods: [{ podRef: { name: 'p', namespace: 'default', uid: 'u' }, containers }],
  };
}

async function clusterWithPod(admissionPlugins: readonly AdmissionPlugin[] = []): Promise<TestCluster> {
  const cluster = await makeTestCluster({ ports: { dialKubelet: fakeKubelet(), admissionPlugins } });
  const { client } = cluster;
  await client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  await client.create(nodes, { metadata: { name: 'n1' } });
  const name = { namespace: 'default', name: 'p' };
  await client.create(pods, { metadata: name, spec: { containers: [{ name: 'c', image: 'i' }] } });
  await client.post(pods, name, 'binding', { metadata: name, target: { kind: 'Node', name: 'n1' } } as object);
  return cluster;
}

test('logs come from the kubelet, which is not told who asks', { timeout: 20_000 }, async () => {
  await using cluster = await clusterWithPod();
  const { code, body } = await cluster.call('GET', '/api/v1/namespaces/default/pods/p/log?follow=true&tailLines=2');
  assert.deepEqual([code, body], [200, 'asked /containerLogs/default/p/c?follow=true&tailLines=2 as nobody']);
  const wrong = await cluster.call('GET', '/api/v1/namespaces/default/pods/p/log?container=x');
  assert.equal(wrong.code, 400);
  assert.match(wrong.body, /container x is not valid for pod p/);
});

test('a body that comes with a request for a log is no request to the kubelet', { timeout: 20_000 }, async () => {
  await using cluster = await clusterWithPod();
  const body = 'POST /exec/other/pod/c?command=sh HTTP/1.1\r\nHost: x\r\n\r\n';
  const answer = await cluster.call('GET', '/api/v1/namespaces/default/pods/p/log', {
    body,
    headers: { 'transfer-encoding': 'chunked' },
  });
  assert.deepEqual([answer.code, answer.body], [200, `GET with ${JSON.stringify(body)}`]);
});

test('an upgraded connection is piped both ways', { timeout: 20_000 }, async () => {
  await using cluster = await clusterWithPod();
  const socket = await dial(cluster);
  socket.write(
    'POST /api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&stdin=true HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nhello',
  );
  let text = '';
  while (!text.endsWith('hello')) text += String((await once(socket, 'data'))[0]);
  assert.match(text, /^HTTP\/1.1 101 /);
  assert.match(text, /X-Asked: \/exec\/default\/p\/c\?command=sh&command=-c&stdin=true/);
  socket.destroy();
});

test('a log comes over a WebSocket too', { timeout: 20_000 }, async () => {
  await using cluster = await clusterWithPod();
  const read = async (query: string, protocols: readonly string[]): Promise<string> => {
    const { port, settings, credentials } = cluster;
    const socket = new WebSocket(
      `wss://127.0.0.1:${port}/api/v1/namespaces/default/pods/p/log${query}`,
      [...protocols],
      {
        ca: settings.ca.certificatePem,
        cert: credentials.certificatePem,
        key: credentials.keyPem,
      },
    );
    const messages: string[] = [];
    socket.on('message', (data: Buffer) => void messages.push(data.toString()));
    await once(socket, 'close');
    return messages.join('');
  };
  const said = 'asked /containerLogs/default/p/c?tailLines=2 as nobody';
  assert.equal(await read('?tailLines=2', ['binary.k8s.io']), said);
  assert.equal(await read('?tailLines=2', []), said);
  assert.equal(Buffer.from(await read('?tailLines=2', ['base64.binary.k8s.io']), 'base64').toString(), said);
  await assert.rejects(read('?container=x', ['binary.k8s.io']), /Unexpected server response: 400/);
});

test('an upgrade that is refused is answered in HTTP', { timeout: 20_000 }, async () => {
  await using cluster = await clusterWithPod();
  const socket = await dial(cluster);
  socket.write(
    'POST /api/v1/namespaces/default/pods/none/exec?command=sh HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n',
  );
  let text = '';
  for await (const piece of socket) text += String(piece);
  assert.match(text, /^HTTP\/1.1 404 /);
  assert.match(text, /pods \\"none\\" not found/);
});

test('a server in a pod is reached through the kubelet’s port-forward', { timeout: 20_000 }, async () => {
  await using cluster = await clusterWithPod();
  const { client } = cluster;
  const path = '/api/v1/namespaces/default';
  const pod = await cluster.call('GET', `${path}/pods/p:8080/proxy/some/path?x=1`);
  assert.deepEqual([pod.code, pod.body], [200, 'pod 8080 was asked /some/path?x=1']);
  await client.create(services, { metadata: { namespace: 'default', name: 's' }, spec: { ports: [{ port: 80 }] } });
  const none = await cluster.call('GET', `${path}/services/s/proxy/`);
  assert.equal(none.code, 503, none.body);
  await client.create(endpointSlices, {
    metadata: { namespace: 'default', name: 's-1', labels: { 'kubernetes.io/service-name': 's' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 9090 }],
    endpoints: [{ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', namespace: 'default', name: 'p' } }],
  });
  const service = await cluster.call('GET', `${path}/services/s:http/proxy/`);
  assert.deepEqual([service.code, service.body], [200, 'pod 9090 was asked /']);
});

test('metrics are rates between two looks', { timeout: 20_000 }, async () => {
  await using cluster = await clusterWithPod();
  const { body } = await cluster.call('GET', '/apis/metrics.k8s.io/v1beta1/nodes');
  const { items } = JSON.parse(body) as { items: { usage: object; window: string }[] };
  assert.deepEqual(
    items.map(({ usage, window }) => [usage, window]),
    [[{ cpu: '500000000n', memory: '4Ki' }, '2s']],
  );
  const pod = await cluster.call('GET', '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/p');
  assert.equal(pod.code, 200, pod.body);
  const labelled = async (selector: string) =>
    (await cluster.call('GET', `/apis/metrics.k8s.io/v1beta1/pods?labelSelector=${selector}`)).body.includes('"p"');
  await cluster.client.patch(
    pods,
    { namespace: 'default', name: 'p' },
    { kind: 'merge', body: { metadata: { labels: { app: 'a' } } } },
  );
  assert.deepEqual([await labelled('app%3Da'), await labelled('app%3Db')], [true, false]);
});

async function dial({ port, settings, credentials }: TestCluster): Promise<TLSSocket> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ca: settings.ca.certificatePem,
    cert: credentials.certificatePem,
    key: credentials.keyPem,
  });
  await once(socket, 'secureConnect');
  return socket;
}

test('admission is asked of a connection, with what it is to do, and of no log', async () => {
  const seen: unknown[] = [];
  const plugin: AdmissionPlugin = {
    name: 'no-exec',
    async validate({ operation, type, subresource, object }) {
      if (operation !== 'CONNECT') return [];
      seen.push([subresource, object]);
      throw forbidden(type, { name: 'p' }, 'nobody execs here');
    },
  };
  await using cluster = await clusterWithPod([plugin]);
  const path = '/api/v1/namespaces/default/pods/p';
  const refused = await cluster.call('POST', `${path}/exec?command=ls&command=-l&stdout=true`);
  assert.equal(refused.code, 403);
  assert.match(refused.body, /nobody execs here/);
  const options = { apiVersion: 'v1', kind: 'PodExecOptions', stdout: true, command: ['ls', '-l'] };
  assert.deepEqual(seen, [['exec', options]]);
  assert.equal((await cluster.call('GET', `${path}/log`)).code, 200);
});
