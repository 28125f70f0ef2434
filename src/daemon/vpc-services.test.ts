import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { dialVpcService, serveVpcServices, type VpcService } from './vpc-services.ts';

suite('services inside VPCs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vpc-endpoint-'));
  const path = join(directory, 'vpc.sock');
  let server: AsyncDisposable;

  before(async () => {
    server = await serveVpcServices(path, {
      async aws(request, response, caller) {
        response.end(`${caller.vpcId} ${caller.address} ${request.headers.host} ${await text(request)}`);
      },
      async metadata(_request, response) {
        response.end('metadata');
      },
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const dial = async (service: VpcService) => {
    const caller = { vpcId: 'vpc-1', address: '10.0.0.9' };
    return await dialVpcService(path, { service, caller }, AbortSignal.timeout(5000));
  };
  const post = (body: string) =>
    `POST / HTTP/1.1\r\nHost: 169.254.170.66\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const said = async (socket: Socket) => (await text(socket)).split('\r\n\r\n').at(-1);

  test('a call is told apart by its connection, and arrives as it was sent', async () => {
    const socket = await dial('aws');
    socket.write(post('hello'));
    assert.match((await said(socket))!, /vpc-1 10\.0\.0\.9 169\.254\.170\.66 hello/);
    const other = await dial('metadata');
    other.write(post(''));
    assert.match((await said(other))!, /metadata/);
  });

  test('several calls follow one another on a connection', async () => {
    const socket = await dial('aws');
    socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
    socket.write('GET /2 HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n');
    const answers = await text(socket);
    assert.match(answers, /10\.0\.0\.9 a[\s\S]*10\.0\.0\.9 b/);
  });

  test('who does not say who is calling is not answered', async () => {
    for (const line of ['\n', 'aws vpc-1\n', 'other vpc-1 10.0.0.9\n', 'x'.repeat(1000)]) {
      const socket = connect(path);
      socket.on('error', () => undefined); // the other end may reset
      socket.write(line + post('hello'));
      assert.equal(await text(socket).catch(() => ''), '');
    }
  });
});
