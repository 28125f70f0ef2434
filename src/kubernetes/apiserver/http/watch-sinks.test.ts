import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { configMaps } from '../../resources.ts';
import { makeTestCluster, type TestCluster } from '../../test-cluster.ts';
import type { Exchange } from './exchange.ts';
import { sinkOf } from './watch-sinks.ts';

const path = '/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Da';
const name = { namespace: 'default', name: 'a' };

interface Message {
  readonly text: string;
  readonly isBinary: boolean;
}

function identityOf({ settings, credentials }: TestCluster) {
  return { ca: settings.ca.certificatePem, cert: credentials.certificatePem, key: credentials.keyPem };
}

/** A watch by WebSocket: its next message each time. */
function follow(cluster: TestCluster, query = '', protocols: readonly string[] = [], accept = 'application/json') {
  const headers = { accept };
  const url = `wss://127.0.0.1:${cluster.port}${path}${query}`;
  const socket = new WebSocket(url, [...protocols], { ...identityOf(cluster), headers });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waiting: Message[] = [];
  let wake = () => {};
  socket.on('message', (data: Buffer, isBinary) => {
    waiting.push({ text: data.toString('latin1'), isBinary });
    wake();
  });
  socket.on('open', resolve).on('error', reject);
  return {
    socket,
    opened: promise,
    next: async (): Promise<Message> => {
      while (!waiting.length) await new Promise<void>((resolve) => (wake = resolve));
      return waiting.shift()!;
    },
  };
}

const typeOf = ({ text }: Message) => (JSON.parse(text) as { readonly type: string }).type;

test('a watch comes over a WebSocket, an event a message', { timeout: 20_000 }, async () => {
  await using cluster = await makeTestCluster();
  await cluster.client.create(configMaps, { metadata: name });
  const { socket, next } = follow(cluster);
  const first = await next();
  assert.deepEqual([typeOf(first), first.isBinary], ['ADDED', false]);
  await cluster.client.delete(configMaps, name);
  assert.equal(typeOf(await next()), 'DELETED');
  socket.close();
  await once(socket, 'close');
});

test(
  'its messages are binary for protobuf, its end is a close, and a refusal is HTTP',
  { timeout: 20_000 },
  async () => {
    await using cluster = await makeTestCluster();
    await cluster.client.create(configMaps, { metadata: name });
    const protobuf = follow(cluster, '&timeoutSeconds=1', [], 'application/vnd.kubernetes.protobuf;stream=watch');
    assert.equal((await protobuf.next()).isBinary, true);
    assert.equal((await once(protobuf.socket, 'close'))[0], 1000);
    await assert.rejects(follow(cluster, '&timeoutSeconds=x').opened, /Unexpected server response: 400/);
  },
);

test('the one subprotocol that is offered is answered, and of several none', { timeout: 20_000 }, async () => {
  await using cluster = await makeTestCluster();
  const { socket, opened } = follow(cluster, '', ['base64.binary.k8s.io']);
  await opened;
  assert.equal(socket.protocol, 'base64.binary.k8s.io');
  socket.terminate();
  await assert.rejects(follow(cluster, '', ['binary.k8s.io', 'x']).opened, /Unexpected server response: 400/);
});

test('a client that does not read is waited for no longer than its watch lasts', async () => {
  const socket = new Duplex({ writableHighWaterMark: 1, read: () => undefined, write: () => undefined });
  socket.write('more than it takes');
  // No more of an exchange is asked for until the watch begins.
  const exchange = { request: { headers: { upgrade: 'websocket' } }, upgrade: { socket } } as unknown as Exchange;
  const ending = new AbortController();
  let isReady = false;
  const ready = sinkOf(exchange)
    .ready(ending.signal)
    .then(() => (isReady = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isReady, false);
  ending.abort();
  await ready;
});

test('a server that stops ends watches by WebSocket', { timeout: 20_000 }, async () => {
  const cluster = await makeTestCluster();
  const { socket, opened } = follow(cluster);
  await opened;
  const closed = once(socket, 'close');
  await cluster[Symbol.asyncDispose]();
  await closed;
});

test(
  'a watch over HTTP/1.1 ends with its last chunk, and its connection is good for another request',
  {
    timeout: 20_000,
  },
  async () => {
    await using cluster = await makeTestCluster();
    await cluster.client.create(configMaps, { metadata: name });
    const socket = connect({ host: '127.0.0.1', port: cluster.port, ...identityOf(cluster) });
    socket.write(`GET ${path}&timeoutSeconds=1 HTTP/1.1\r\nHost: x\r\n\r\n`);
    const watched = await readTo(socket, '\r\n0\r\n\r\n');
    assert.match(watched, /Transfer-Encoding: chunked\r\n/i);
    const [, size = '', line = ''] = /\r\n\r\n([0-9a-f]+)\r\n(\{"type":"ADDED".*\n)\r\n0\r\n\r\n$/.exec(watched) ?? [];
    assert.equal(line.length, parseInt(size, 16));
    socket.write('GET /version HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(await readTo(socket, '}\n'), /^HTTP\/1.1 200 /);
    socket.destroy();
  },
);

test('a client of HTTP/1.0 is sent lines without chunks', { timeout: 20_000 }, async () => {
  await using cluster = await makeTestCluster();
  await cluster.client.create(configMaps, { metadata: name });
  const socket = connect({ host: '127.0.0.1', port: cluster.port, ...identityOf(cluster) });
  socket.write(`GET ${path}&timeoutSeconds=1 HTTP/1.0\r\nHost: x\r\n\r\n`);
  const ended = once(socket, 'end');
  assert.match(await readTo(socket, '}\n'), /\r\n\r\n\{"type":"ADDED".*\n$/);
  await ended;
  socket.destroy();
});

async function readTo(socket: TLSSocket, end: string): Promise<string> {
  let text = '';
  while (!text.endsWith(end)) text += String((await once(socket, 'data'))[0]);
  return text;
}
