import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { forwardPorts } from './port-forward.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { forwardPortChannels, portChannelProtocol } from './websocket-ports.ts';
import { acceptWebSocket } from './websocket-session.ts';

/** A server that answers everything with itself, in upper case. */
async function shouting() {
  const server = createServer((socket) => {
    socket.on('data', (data) => socket.write(data.toString().toUpperCase())).on('end', () => socket.end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const dial = async (asked: number) => {
    if (asked !== 8080) throw new Error('connection refused');
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
  return { dial, [Symbol.dispose]: () => void server.close() };
}

function pairOf(client: SpdyConnection, port: number, requestId: number) {
  const stream = (streamtype: string) =>
    client.createStream(
      new Map([
        ['streamtype', streamtype],
        ['port', String(port)],
        ['requestid', String(requestId)],
      ]),
    );
  return { error: stream('error'), data: stream('data') };
}

test('connections are carried side by side, each with its own end', async () => {
  using server = await shouting();
  const [here, there] = duplexPair();
  const forwarding = forwardPorts(there, server.dial, 'p');
  const client = new SpdyConnection(here, { role: 'client', onStream: () => undefined });
  const [one, two] = [pairOf(client, 8080, 0), pairOf(client, 8080, 1)];
  two.data.end('two');
  one.data.end('one');
  assert.deepEqual(await Promise.all([text(one.data), text(two.data)]), ['ONE', 'TWO']);
  assert.deepEqual(await Promise.all([text(one.error), text(two.error)]), ['', '']);
  client.close();
  await forwarding;
});

test('a port that refuses is told on the error stream', async () => {
  using server = await shouting();
  const [here, there] = duplexPair();
  void forwardPorts(there, server.dial, 'p');
  const client = new SpdyConnection(here, { role: 'client', onStream: () => undefined });
  const { error } = pairOf(client, 9, 0);
  assert.equal(await text(error), 'error forwarding port 9 to pod p: connection refused');
  client.close();
});

test('client libraries name their ports and get a pair of channels for each', async () => {
  using server = await shouting();
  const http = createHttpServer();
  http.on('upgrade', (request, socket, head) => {
    void acceptWebSocket({ request, socket, head }, portChannelProtocol).then((accepted) =>
      forwardPortChannels(accepted, { ports: [8080, 9], dial: server.dial, podName: 'p' }),
    );
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const socket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, portChannelProtocol);
  const received = new Map<number, string>();
  const answered = new Promise<void>((resolve) => {
    socket.on('message', (message: Buffer) => {
      const channel = message[0]!;
      received.set(channel, (received.get(channel) ?? '') + message.toString('latin1', 1));
      if (received.get(0)?.endsWith('HELLO') && received.get(3)?.endsWith('refused')) resolve();
    });
  });
  await once(socket, 'open');
  socket.send(Buffer.concat([Buffer.from([0]), Buffer.from('hello')]));
  await answered;
  assert.equal(received.get(0), '\x90\x1fHELLO');
  assert.equal(received.get(1), '\x90\x1f');
  assert.match(received.get(3)!, /^\t\0error forwarding port 9 to pod p: connection refused$|^error.*\t\0$/);
  socket.close();
  http.close();
});
