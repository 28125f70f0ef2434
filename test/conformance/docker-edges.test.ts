import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createWebSocketStream, WebSocket } from 'ws';
import { busybox as image, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

/** What few clients ask for, but some do: links, another container's network, WebSockets, sessions, and what there is none of. */

let dabba: Dabba;
let socketPath: string;

before(async () => {
  dabba = await Dabba.withBusybox();
  socketPath = join(dabba.data, 'docker.sock');
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const docker = async (...args: string[]) => await dabba.docker(...args);

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const sent = request({ socketPath, method, path, headers: { 'content-type': 'application/json' } });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
  return { status: response.statusCode!, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

test('a container may have another one’s network, and its names with it', async () => {
  const serve = 'echo served > /i.html; exec httpd -f -p 80 -h /';
  const donor = await docker('run', '-d', '--name', 'donor', '--add-host', 'there:10.1.2.3', image, 'sh', '-c', serve);
  await docker('run', '-d', '--name', 'guest', '--network', 'container:donor', image, 'sleep', '1000');
  assert.equal(await docker('exec', 'guest', 'hostname'), donor.slice(0, 12));
  await eventually('served by itself', 5_000, async () => {
    const { stdout } = await dabba.client('docker', ['exec', 'guest', 'wget', '-q', '-O-', 'http://127.0.0.1/i.html']);
    return stdout.trim() === 'served';
  });
  assert.match(await docker('exec', 'guest', 'cat', '/etc/hosts'), /10\.1\.2\.3\tthere/);
  assert.equal(await docker('inspect', 'guest', '-f', '{{.HostConfig.NetworkMode}}'), `container:${donor}`);
  for (const [words, ...options] of [
    ['port publishing and the container type network mode', '-p', '80'],
    ['hostname and the network mode', '--hostname', 'x'],
    ['custom host-to-IP mapping and the network mode', '--add-host', 'x:1.2.3.4'],
  ] as const)
    await dabba.refused(words, 'docker', ['create', '--network', 'container:donor', ...options, image, 'true']);
  await dabba.refused('No such container: nobody', 'docker', ['create', '--network', 'container:nobody', image]);
  await docker('rm', '-f', 'donor');
  await docker('stop', '-t', '0', 'guest');
  await dabba.refused('No such container', 'docker', ['start', 'guest']);
  await docker('rm', '-f', 'guest');
});

test('a link gives a running container further names, and follows it to another address', async () => {
  await docker('run', '-d', '--name', 'target', image, 'sleep', '1000');
  await docker('run', '-d', '--name', 'linker', '--link', 'target:db', image, 'sleep', '1000');
  const address = async () => await docker('inspect', 'target', '-f', '{{.NetworkSettings.IPAddress}}');
  const known = async () => await docker('exec', 'linker', 'cat', '/etc/hosts');
  assert.ok((await known()).includes(`${await address()}\tdb `));
  await docker('stop', '-t', '0', 'target');
  await docker('run', '-d', '--name', 'squatter', image, 'sleep', '1000');
  await docker('start', 'target');
  assert.ok((await known()).includes(`${await address()}\tdb `), 'it is told of the new address');
  await docker('stop', '-t', '0', 'target', 'linker');
  await dabba.refused('Cannot link to a non running container: /target AS /linker/db', 'docker', ['start', 'linker']);
  await docker('rm', '-f', 'target', 'linker', 'squatter');
});

test('name servers asked for are the network’s to ask: its containers are still found by name', async () => {
  await docker('network', 'create', 'named');
  await docker('run', '-d', '--name', 'peer', '--network', 'named', image, 'sleep', '1000');
  const resolve = ['run', '--rm', '--network', 'named', '--dns', '192.0.2.1', image, 'nslookup', 'peer.named'];
  assert.match(await docker(...resolve), /Name:\s+peer\.named/);
  await docker('rm', '-f', 'peer');
  await docker('network', 'rm', 'named');
});

test('networks of several ranges and of IPv6 are refused by name', async () => {
  const ranges = [{ Subnet: '10.201.0.0/24' }, { Subnet: '10.202.0.0/24' }];
  assert.deepEqual(await call('POST', '/networks/create', { Name: 'two', IPAM: { Config: ranges } }), {
    status: 403,
    body: { message: "bridge driver doesn't support multiple subnets" },
  });
  const six = await call('POST', '/networks/create', { Name: 'six', EnableIPv6: true });
  assert.equal(six.status, 501);
  assert.match(JSON.stringify(six.body), /IPv6/);
});

test('attach over a WebSocket: output and input as messages, both ways', async () => {
  const created = await call('POST', '/containers/create', {
    Image: image,
    Cmd: ['sh', '-c', 'read line; echo got $line; echo and this >&2'],
    OpenStdin: true,
    StdinOnce: true,
    HostConfig: { NetworkMode: 'none' },
  });
  const { Id } = created.body as { Id: string };
  const path = `/v1.51/containers/${Id}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1`;
  const socket = new WebSocket(`ws+unix://${socketPath}:${path}`);
  await once(socket, 'open');
  const stream = createWebSocketStream(socket);
  await call('POST', `/containers/${Id}/start`);
  stream.write('typed\n');
  const text = Buffer.concat((await stream.toArray()) as Buffer[]).toString();
  assert.deepEqual(text.split('\n').toSorted(), ['', 'and this', 'got typed']);
  assert.equal((await call('GET', path)).status, 400, 'without an upgrade');
  assert.equal((await call('GET', '/containers/nobody/attach/ws')).status, 404);
  await docker('rm', '-f', Id);
});

test('a session is held: we are the HTTP/2 client of whoever opens it, until it leaves', async () => {
  const headers = { connection: 'Upgrade', upgrade: 'h2c', 'x-docker-expose-session-uuid': 'u1' };
  const sent = request({ socketPath, method: 'POST', path: '/session', headers });
  sent.end();
  const [response, connection] = (await once(sent, 'upgrade')) as [IncomingMessage, Socket];
  assert.equal(response.statusCode, 101);
  const server = createHttp2Server();
  const opened = once(server, 'session');
  server.emit('connection', connection);
  await opened;
  connection.destroy();
  assert.equal((await call('POST', '/session')).status, 400, 'without an upgrade');
});

test('what there is none of is told as Docker tells it', async () => {
  assert.deepEqual(await call('GET', '/plugins'), { status: 200, body: [] });
  assert.deepEqual(await call('GET', '/plugins/a%2Fb/json'), {
    status: 404,
    body: { message: 'plugin "a/b" not found' },
  });
  assert.equal((await call('POST', '/plugins/pull?remote=x')).status, 501);
  for (const path of [
    '/swarm',
    '/nodes',
    '/services',
    '/tasks',
    '/secrets',
    '/configs',
    '/nodes/a',
    '/services/a/logs',
  ])
    assert.equal((await call('GET', path)).status, 503, path);
  assert.equal((await call('POST', '/swarm/init', {})).status, 501);
  assert.deepEqual(await call('GET', `/images/${image}/attestations`), { status: 200, body: [] });
  assert.equal((await call('GET', '/images/nobody/attestations')).status, 404);
  await dabba.refused('not a swarm manager', 'docker', ['service', 'ls']);
});

test('an image is squashed for a client that asks whether it may be', async () => {
  const dockerfile = dabba.file('squash/Dockerfile', `FROM ${image}\nRUN echo 1 > /a\nRUN echo 2 > /b && rm /a\n`);
  await docker('build', '-q', '--squash', '-t', 'squashed', join(dockerfile, '..'));
  assert.equal(await docker('image', 'inspect', 'squashed', '-f', '{{len .RootFS.Layers}}'), '2');
  assert.equal(await docker('run', '--rm', 'squashed', 'sh', '-c', 'cat /b; test -e /a || echo gone'), '2\ngone');
});
