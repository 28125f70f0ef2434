import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { exitStatus, parseSize, type RemoteSession, streamRequest } from './remote-command.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { spdySession } from './spdy-session.ts';
import { acceptWebSocket, chooseProtocol, commandProtocols, webSocketSession } from './websocket-session.ts';

const asked = { stdin: true, stdout: true, stderr: true, tty: false };

/** A command that says its input back, its sizes to stderr, and ends with 3. */
async function echo(session: RemoteSession): Promise<void> {
  for await (const chunk of session.stdin) await session.write('stdout', chunk);
  for await (const { columns, rows } of session.sizes) {
    await session.write('stderr', Buffer.from(`${columns}x${rows}`));
    break;
  }
  await session.finish(exitStatus(3));
}

test('what is asked for is read in either vocabulary', () => {
  const read = (query: string) => streamRequest(new URLSearchParams(query));
  assert.deepEqual(read('stdin=true&stdout=1'), { stdin: true, stdout: true, stderr: false, tty: false });
  assert.deepEqual(read('input=1&output=1&error=1&tty=1'), { stdin: true, stdout: true, stderr: false, tty: true });
});

test('sizes are sizes, whatever comes', () => {
  assert.deepEqual(parseSize('{"Width":80,"Height":24}'), { columns: 80, rows: 24 });
  for (const text of ['', 'null', '{}', '{"Width":-1,"Height":2}', '{"Width":1e9,"Height":2}'])
    assert.equal(parseSize(text), undefined);
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseSize(text)));
});

test('over a WebSocket every message names its channel', async () => {
  const http = createServer();
  http.on('upgrade', (request, socket, head) => {
    const protocol = chooseProtocol(request, commandProtocols)!;
    void acceptWebSocket({ request, socket, head }, protocol).then((accepted) =>
      echo(webSocketSession(accepted, asked, protocol)),
    );
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const { port } = http.address() as AddressInfo;
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, ['v4.channel.k8s.io', 'v5.channel.k8s.io']);
  const received = ['', '', '', ''];
  socket.on('message', (message: Buffer) => void (received[message[0]!] += message.toString('utf8', 1)));
  await once(socket, 'open');
  assert.equal(socket.protocol, 'v5.channel.k8s.io');
  socket.send(Buffer.from('\x00hello'));
  socket.send(Buffer.from('\x04{"Width":80,"Height":24}'));
  socket.send(Buffer.from([255, 0]));
  await once(socket, 'close');
  assert.deepEqual(received.slice(0, 3), ['', 'hello', '80x24']);
  assert.deepEqual(JSON.parse(received[3]!), exitStatus(3));
  http.close();
});

test('over SPDY the client begins a stream for each', async () => {
  const [here, there] = duplexPair();
  const client = new SpdyConnection(here, { role: 'client', onStream: () => undefined });
  const stream = (streamtype: string) => client.createStream(new Map([['streamtype', streamtype]]));
  const session = spdySession(there, 'v4.channel.k8s.io', { ...asked, tty: true, stderr: false });
  const [error, stdin, stdout, resize] = [stream('error'), stream('stdin'), stream('stdout'), stream('resize')];
  resize.end('{"Width":80,"Height":24}\n');
  stdin.end('hello');
  void echo(await session);
  assert.equal(await text(stdout), 'hello');
  assert.deepEqual(JSON.parse(await text(error)), exitStatus(3));
  await client.closed;
});
