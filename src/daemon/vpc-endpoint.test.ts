import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { dialVpcEndpoint, serveVpcEndpoint } from './vpc-endpoint.ts';

suite('the AWS endpoint inside VPCs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vpc-endpoint-'));
  const path = join(directory, 'aws.sock');
  let server: AsyncDisposable;

  before(async () => {
    server = await serveVpcEndpoint(path, async (request, response, caller) => {
      response.end(`${caller.vpcId} ${caller.address} ${request.headers.host} ${await text(request)}`);
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const post = (body: string) =>
    `POST / HTTP/1.1\r\nHost: 169.254.170.66\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const said = async (socket: Socket) => (await text(socket)).split('\r\n\r\n').at(-1);

  test('a call is told apart by its connection, and arrives as it was sent', async () => {
    const socket = await dialVpcEndpoint(path, { vpcId: 'vpc-1', address: '10.0.0.9' }, AbortSignal.timeout(5000));
    socket.write(post('hello'));
    assert.match((await said(socket))!, /vpc-1 10\.0\.0\.9 169\.254\.170\.66 hello/);
  });

  test('several calls follow one another on a connection', async () => {
    const socket = await dialVpcEndpoint(path, { vpcId: 'vpc-1', address: '10.0.0.9' }, AbortSignal.timeout(5000));
    socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
    socket.write('GET /2 HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n');
    const answers = await text(socket);
    assert.match(answers, /10\.0\.0\.9 a[\s\S]*10\.0\.0\.9 b/);
  });

  test('who does not say who is calling is not answered', async () => {
    for (const line of ['{}\n', `{"vpcId":"vpc-1"}\n`, 'no caller\n', 'x'.repeat(1000)]) {
      const socket = connect(path);
      socket.on('error', () => undefined); // the other end may reset
      socket.write(line + post('hello'));
      assert.equal(await text(socket).catch(() => ''), '');
    }
  });
});
