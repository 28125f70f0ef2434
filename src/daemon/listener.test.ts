import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { listen } from './listener.ts';

suite('the public port', { timeout: 10_000 }, () => {
  const HEADERS_MS = 200;
  let server: Server;

  const echo = async (request: IncomingMessage, response: ServerResponse) => {
    response.end(await buffer(request));
  };
  before(async () => {
    server = await listen(0, { aws: echo, registry: echo, own: echo }, HEADERS_MS);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const client = (text: string) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(text);
    return socket;
  };

  test('a client that never finishes its headers is sent away', async () => {
    for (const begun of ['GET / HTTP/1.1\r\nHost: x\r\n', ''])
      assert.match((await buffer(client(begun))).toString(), /^HTTP\/1\.1 408 /);
  });

  test('a body may take longer', async () => {
    const socket = client('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\na');
    // When another client that came later was sent away, the time is over.
    await once(client('').resume(), 'close');
    socket.write('b');
    assert.match((await buffer(socket)).toString(), /200 OK[^]*ab$/);
  });
});
