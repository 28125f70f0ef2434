import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { DabbaError, silentLogger, systemClock, systemRandom } from '#base';
import { memoryBlobStore } from '#blob';
import { createDockerApi } from '#docker';
import { createRegistry, createRegistryContent } from '#registry';
import { memoryStore } from '#store';
import { contextOf, openBuildWorld, type BuildWorld } from '../system/build-world.ts';

/** The unmodified docker client against the API over a real engine. Containers have no network here: that is another part's test. */

const registryHost = 'registry.test';
let world: BuildWorld;
let socketPath: string;
let context: string;
const opened = new AsyncDisposableStack();

before(async () => {
  const url = await openRegistry();
  world = await openBuildWorld({
    endpoints: (host) => (host === registryHost ? [{ url }] : []),
    defaultCredentials: () => undefined,
    fallback: () => undefined,
  });
  opened.defer(async () => {
    await world[Symbol.asyncDispose]();
    assert.deepEqual(world.leftovers(), []);
  });
  socketPath = join(world.directory, 'docker.sock');
  const api = createDockerApi({
    engine: world.engine,
    info: {
      id: 'test',
      hostName: 'tester',
      version: '0.1.0',
      rootDirectory: world.directory,
      operatingSystem: 'Linux',
      kernelVersion: '6',
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      cpus: 2,
      memoryBytes: 2 ** 30,
      cgroupVersion: '1',
    },
    publicRepositories: async () => [],
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  opened.use(await api.listen(socketPath));
  context = join(world.directory, 'app');
  mkdirSync(join(context, 'site'), { recursive: true });
  writeFileSync(join(context, 'site/version.txt'), 'version 1\n');
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM busybox
ARG PORT=8080
ENV PORT=\${PORT}
WORKDIR /srv
COPY site/ /srv/
RUN echo "web:x:1000:1000::/srv:/bin/sh" >> /etc/passwd && chown -R web /srv
USER web
EXPOSE 8080
CMD ["sh", "-c", "echo listening on $PORT; cat"]
`,
  );
});
after(() => opened.disposeAsync());

/** A registry on loopback that wants a password. */
async function openRegistry(): Promise<string> {
  const wanted = `Basic ${Buffer.from('AWS:sesame').toString('base64')}`;
  const registry = createRegistry({
    content: createRegistryContent({ store: memoryStore(), blobs: memoryBlobStore(), clock: systemClock }),
    policy: {
      resolve: (_host, name) => ({ registry: 'test', name }),
      authenticate: async (authorization) => {
        if (authorization === undefined) return undefined;
        if (authorization !== wanted) throw new DabbaError('Unauthenticated', 'authentication required');
        return { principal: 'test' };
      },
      challenge: () => 'Basic realm="test"',
      authorize: async (caller) => {
        if (!caller) throw new DabbaError('Unauthenticated', 'authentication required');
      },
      requireRepository: (repository) => registry.content.createRepository(repository).then(() => undefined),
      checkTagChange: async () => undefined,
      observed: () => undefined,
    },
    logger: silentLogger,
  });
  const server = createServer((request, response) => void registry.handle(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  opened.defer(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has one
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function docker(args: readonly string[], input?: string): Promise<Outcome> {
  const child = spawn('docker', args, {
    env: {
      PATH: process.env['PATH'],
      HOME: world.directory,
      DOCKER_HOST: `unix://${socketPath}`,
      DOCKER_BUILDKIT: '0',
      DOCKER_CONFIG: join(world.directory, 'docker-config'),
    },
    stdio: 'pipe',
    timeout: 240_000,
  });
  const pieces = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on('data', (data: Buffer) => pieces.stdout.push(data));
  child.stderr.on('data', (data: Buffer) => pieces.stderr.push(data));
  // A client that ends before it has read its input is no failure of ours.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  const status = await promise;
  return {
    status,
    stdout: Buffer.concat(pieces.stdout).toString(),
    stderr: Buffer.concat(pieces.stderr).toString(),
  };
}

/** The command's output, which must succeed. */
async function ok(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(args);
  assert.equal(status, 0, `docker ${args.join(' ')}: ${stderr}`);
  return stdout.trimEnd();
}

const run = (...args: readonly string[]) => docker(['run', '--rm', '--network', 'none', ...args]);

test('version, info, networks', async () => {
  assert.match(await ok('version', '--format', '{{.Server.APIVersion}} {{.Server.Version}}'), /^1\.\d+ 0\.1\.0$/);
  assert.equal(await ok('info', '--format', '{{.Driver}} {{.Name}} {{.NCPU}}'), 'overlay tester 2');
  assert.equal(statSync(socketPath).mode & 0o777, 0o660);
  assert.deepEqual((await ok('network', 'ls', '--format', '{{.Name}}')).split('\n'), ['host', 'none']);
  assert.match(await ok('info'), /Server Version: 0\.1\.0/);
});

test('build: output, quiet, tags, cache, faults', async () => {
  const output = await ok('build', '--network', 'none', '-t', 'app:1', '-t', 'app:also', context);
  assert.match(output, /^Step 1\/9 : FROM busybox$/m);
  assert.match(output, /^ ---> Running in [0-9a-f]{12}$/m);
  assert.match(output, /^Successfully built [0-9a-f]{12}$/m);
  assert.match(output, /^Successfully tagged app:1$/m);
  const id = await ok('build', '-q', '--network', 'none', '-t', 'app:1', context);
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await ok('image', 'inspect', '--format', '{{.Id}}', 'app:also'), id);
  assert.match(await ok('build', '--network', 'none', context), / ---> Using cache/);
  assert.notEqual(await ok('build', '-q', '--network', 'none', '--label', 'a=b', context), id);

  const bad = await docker(['build', '-q', '-'], 'FROM scratch\nRUNN true\n');
  assert.notEqual(bad.status, 0);
  assert.match(bad.stderr, /dockerfile parse error on line 2: unknown instruction: RUNN/);
  const failing = await docker(['build', '--network', 'none', '-'], 'FROM busybox\nRUN echo seen; exit 7\n');
  assert.notEqual(failing.status, 0);
  assert.match(failing.stdout, /seen/);
  assert.match(failing.stderr, /The command '\/bin\/sh -c echo seen; exit 7' returned a non-zero code: 7/);
});

test('images: list, filter, inspect, history, tag, remove', async () => {
  await ok('tag', 'busybox', 'example.com/team/box:v2');
  assert.equal(
    await ok('images', '--format', '{{.Repository}}:{{.Tag}}', 'example.com/team/*'),
    'example.com/team/box:v2',
  );
  assert.equal(
    await ok('images', '-q', '--no-trunc', 'busybox'),
    await ok('images', '-q', '--no-trunc', 'example.com/team/box'),
  );
  const [image] = JSON.parse(await ok('image', 'inspect', 'busybox')) as {
    RepoTags: string[];
    Config: { Cmd: string[] };
  }[];
  assert.ok(image?.RepoTags.includes('busybox:latest'));
  assert.deepEqual(image?.Config.Cmd, ['sh']);
  assert.ok((await ok('history', '-q', 'busybox')).split('\n').length >= 1);
  assert.match(await ok('rmi', 'example.com/team/box:v2'), /^Untagged: example\.com\/team\/box:v2$/);
  const absent = await docker(['image', 'inspect', 'nothing:here']);
  assert.match(absent.stderr, /No such image: nothing:here/);
});

test('push, remove, pull again; passwords are asked for and checked', async () => {
  const name = `${registryHost}/team/app:v1`;
  await ok('tag', 'busybox', name);
  const refused = await docker(['push', name]);
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /no basic auth credentials/);
  const config = { auths: { [registryHost]: { auth: Buffer.from('AWS:sesame').toString('base64') } } };
  mkdirSync(join(world.directory, 'docker-config'), { recursive: true });
  writeFileSync(join(world.directory, 'docker-config/config.json'), JSON.stringify(config));
  const pushed = await ok('push', name);
  assert.match(pushed, /^The push refers to repository \[registry\.test\/team\/app\]/);
  const digest = /^v1: digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(pushed)?.[1];
  assert.ok(digest, pushed);
  await ok('rmi', name);
  const pulled = await ok('pull', name);
  assert.match(pulled, new RegExp(`^Digest: ${digest}$`, 'm'));
  assert.match(pulled, /^Status: Downloaded newer image for registry\.test\/team\/app:v1$/m);
  assert.equal(await ok('inspect', '--format', '{{index .RepoDigests 0}}', name), `${registryHost}/team/app@${digest}`);
  assert.match(await ok('pull', name), /^Status: Image is up to date/m);
  await ok('rmi', name);
  const built = await docker(['build', '--network', 'none', '-q', '-'], `FROM ${name}\nRUN true\n`);
  assert.equal(built.status, 0, built.stderr);
  assert.match((await docker(['pull', `${registryHost}/team/absent`])).stderr, /team\/absent/);
  const login = (password: string) =>
    call('POST', '/auth', JSON.stringify({ username: 'AWS', password, serveraddress: `https://${registryHost}/v2/` }));
  assert.deepEqual(await login('sesame'), { status: 200, body: { Status: 'Login Succeeded', IdentityToken: '' } });
  assert.equal((await login('wrong')).status, 401);
});

test('run: output, streams, status, environment, input', async () => {
  assert.equal((await run('busybox', 'echo', 'hello')).stdout, 'hello\n');
  const apart = await run('busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7');
  assert.deepEqual(apart, { status: 7, stdout: 'out\n', stderr: 'err\n' });
  assert.equal((await run('busybox', 'no-such-command')).status, 127);
  assert.equal(
    (await run('-e', 'A=b', '-u', '1000', '-w', '/tmp', 'busybox', 'sh', '-c', 'echo $A $(id -u) $(pwd)')).stdout,
    'b 1000 /tmp\n',
  );
  const counted = await docker(['run', '--rm', '-i', '--network', 'none', 'busybox', 'wc', '-c'], 'abcdef');
  assert.equal(counted.stdout.trim(), '6');
  const zeros = await run('busybox', 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x');
  assert.equal(zeros.stdout.length, 3_000_000);
  const absent = await run('no/such:image', 'true');
  assert.match(absent.stderr, /no\/such/);
  assert.notEqual(absent.status, 0);
  assert.equal(await ok('ps', '-aq'), '', 'every --rm has removed its container');
});

test('a container from create to rm: ps, exec, logs, top, inspect, rename, stop', async () => {
  const script = 'trap "exit 5" TERM; echo one; echo two >&2; while true; do sleep 0.1; done';
  const id = await ok(
    'run',
    '-d',
    '--name',
    'web',
    '--network',
    'none',
    '-l',
    'team=core',
    'busybox',
    'sh',
    '-c',
    script,
  );
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(await ok('ps', '--format', '{{.Names}} {{.Image}} {{.State}}'), 'web busybox running');
  assert.match(await ok('ps', '--filter', 'label=team=core', '--format', '{{.Status}}'), /^Up /);
  assert.equal(await ok('ps', '-q', '--filter', 'name=nothing'), '');
  assert.equal(await ok('exec', 'web', 'hostname'), id.slice(0, 12));
  assert.equal((await docker(['exec', 'web', 'sh', '-c', 'exit 3'])).status, 3);
  assert.equal((await docker(['exec', '-i', 'web', 'cat'], 'through')).stdout, 'through');
  assert.equal((await docker(['exec', 'web', 'no-such-command'])).status, 127);
  assert.match(await ok('top', 'web'), /sleep|sh -c/);
  const logs = await docker(['logs', 'web']);
  assert.deepEqual([logs.stdout, logs.stderr], ['one\n', 'two\n']);
  assert.match((await docker(['logs', '-t', '--tail', '1', 'web'])).stderr, /^\d{4}-\d\d-\d\dT[\d:.]+Z two\n$/);
  assert.equal(
    await ok('inspect', '--format', '{{.State.Running}} {{.Config.Hostname}} {{.HostConfig.NetworkMode}}', 'web'),
    `true ${id.slice(0, 12)} none`,
  );
  const taken = await run('--name', 'web', 'busybox', 'true');
  assert.match(taken.stderr, /is already in use/);
  await ok('rename', 'web', 'web2');
  assert.notEqual((await docker(['rm', 'web2'])).status, 0, 'a running container stays');
  const waiting = docker(['wait', 'web2']);
  await ok('stop', '-t', '10', 'web2');
  assert.equal((await waiting).stdout, '5\n');
  assert.equal(await ok('ps', '-a', '--filter', 'exited=5', '--format', '{{.Names}}'), 'web2');
  await ok('start', 'web2');
  await ok('kill', 'web2');
  assert.equal(await ok('inspect', '--format', '{{.State.ExitCode}}', 'web2').then(String), '137');
  await ok('rm', '-f', 'web2');
  assert.match((await docker(['inspect', 'web2'])).stderr, /No such object/i);
});

test('terminals, input to a detached container, a client that leaves', async () => {
  assert.equal((await run('-t', 'busybox', 'sh', '-c', 'test -t 1 && echo a tty')).stdout, 'a tty\r\n');
  await ok(
    'run',
    '-d',
    '-t',
    '--name',
    'screen',
    '--network',
    'none',
    'busybox',
    'sh',
    '-c',
    'while true; do sleep 0.1; done',
  );
  assert.equal((await docker(['exec', '-t', 'screen', 'sh', '-c', 'test -t 1 && echo a tty'])).stdout, 'a tty\r\n');
  const { body } = await call('GET', '/containers/screen/json');
  const { Id } = body as { Id: string };
  assert.equal((await call('POST', `/containers/${Id}/resize?h=40&w=132`)).status, 200);
  assert.equal((await docker(['exec', 'screen', 'sh', '-c', 'stty size < /proc/1/fd/0'])).stdout, '40 132\n');
  assert.equal((await call('POST', `/containers/${Id}/resize?h=40&w=70000`)).status, 400);
  const client = connect(socketPath);
  client.write(
    `POST /containers/${Id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  await once(client, 'data');
  client.destroy();
  await ok('rm', '-f', 'screen');

  const building = request({ socketPath, method: 'POST', path: '/build?networkmode=none' });
  building.on('error', () => undefined);
  const response = once(building, 'response');
  building.end(contextOf({ Dockerfile: 'FROM busybox\nRUN echo begun; sleep 600\n' }));
  const [stream] = (await response) as [IncomingMessage];
  for await (const piece of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
    if (piece.includes('begun')) break;
  const removed = nextEvent('destroy');
  building.destroy();
  await removed;
  assert.equal(await ok('ps', '-aq'), '', 'a build whose client left leaves no container');
});

test('input that comes after the process has ended harms nobody', async () => {
  await ok('run', '-d', '--name', 'deaf', '--network', 'none', 'busybox', 'sleep', '60');
  const command = ['sh', '-c', 'exec <&- >&- 2>&-; sleep 0.2'];
  const created = await call(
    'POST',
    '/containers/deaf/exec',
    JSON.stringify({ Cmd: command, AttachStdin: true, AttachStdout: true }),
  );
  const { Id } = created.body as { Id: string };
  const client = connect(socketPath);
  client.on('error', () => undefined);
  client.write(
    `POST /exec/${Id}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}`,
  );
  await once(client, 'data');
  client.resume();
  while (!client.closed && !client.readableEnded) {
    client.write(Buffer.alloc(1000));
    await setImmediate();
  }
  client.destroy();
  assert.equal((await call('GET', `/exec/${Id}/json`)).status, 200);
  await ok('rm', '-f', 'deaf');
});

test('events are remembered and followed', async () => {
  const since = Math.floor(Date.now() / 1000) - 1;
  await run('--name', 'seen', 'busybox', 'true');
  const actions = await ok(
    'events',
    '--since',
    `${since}`,
    '--until',
    // The client sends whole seconds: the one that is under way must be over.
    `${Math.floor(Date.now() / 1000) + 1}`,
    '--filter',
    'type=container',
    '--format',
    '{{.Action}}',
  );
  for (const action of ['create', 'start', 'die', 'destroy']) assert.ok(actions.split('\n').includes(action), action);
});

test("what is not here says so in Docker's shape", async () => {
  assert.deepEqual(await call('POST', '/v1.45/swarm/init'), {
    status: 501,
    body: { message: 'POST /swarm/init is not supported by dabba' },
  });
  assert.deepEqual(await call('GET', '/v1.45/nowhere'), { status: 404, body: { message: 'page not found' } });
  assert.deepEqual(await call('GET', '/v1.99/info'), {
    status: 400,
    body: { message: 'client version 1.99 is too new. Maximum supported API version is 1.51' },
  });
  assert.deepEqual(await call('GET', '/containers/nobody/json'), {
    status: 404,
    body: { message: 'No such container: nobody' },
  });
  assert.deepEqual(await call('POST', '/containers/create', '{'), {
    status: 400,
    body: {
      message: "the request body is not JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)",
    },
  });
  assert.deepEqual(await call('POST', '/containers/create', '{"Image":1}'), {
    status: 400,
    body: { message: 'Image is not a string' },
  });
});

test('malformed requests are answered with 4xx and a message, and nothing falls over', async () => {
  const requests: readonly (readonly [method: string, path: string, body?: string])[] = [
    ['GET', '//'],
    ['GET', '/v1.45'],
    ['GET', '/containers/%ff/json'],
    ['GET', '/containers/json?filters={'],
    ['GET', '/containers/json?filters=[1]'],
    ['GET', '/containers/json?filters={"odd":["x"]}'],
    ['GET', '/containers/json?limit=many'],
    ['GET', '/containers/json?filters={"name":["("]}'],
    ['GET', '/images/json?filters={"reference":1}'],
    ['GET', '/events?since=soon'],
    ['POST', '/auth', '{"username":'],
    ['POST', '/auth', '{}'],
    ['POST', '/build', 'this is no tar'],
    ['POST', '/build', ''],
    ['POST', '/build?buildargs=[]', ''],
    ['POST', '/build?labels={"a":1}', ''],
    ['POST', '/images/create'],
    ['POST', '/images/create?fromImage=UPPER%20CASE'],
    ['POST', '/images/create?fromSrc=-', 'this is no tar'],
    ['POST', '/images/busybox/tag?repo='],
    ['POST', '/images/busybox/tag?repo=A%20B'],
    ['DELETE', '/images/nothing'],
    ['POST', '/containers/create?name=..', '{"Image":"busybox"}'],
    ['POST', '/containers/create', '[]'],
    ['POST', '/containers/create', '{"Image":"busybox","HostConfig":{"Binds":["relative/../x:/y"]}}'],
    ['POST', '/containers/create', `{"Image":"${'x'.repeat(5000)}"}`],
    ['POST', '/exec/none/start', '{}'],
    ['POST', '/containers/none/wait'],
    ['POST', '/containers/none/attach?stream=1'],
  ];
  for (const [method, path, body] of requests) {
    const answer = await call(method, path, body);
    const what = `${method} ${path} ${body ?? ''}: ${JSON.stringify(answer)}`.slice(0, 400);
    assert.ok(answer.status >= 400 && answer.status < 500, what);
    assert.equal(typeof (answer.body as { message?: unknown }).message, 'string', what);
  }
  assert.equal(await ok('ps', '-aq'), '');
});

test('a hijacked stream closes by halves', async () => {
  const create = await call(
    'POST',
    '/containers/create',
    JSON.stringify({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'cat; echo ended'],
      OpenStdin: true,
      StdinOnce: true,
      HostConfig: { NetworkMode: 'none' },
    }),
  );
  const { Id } = create.body as { Id: string };
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  socket.write(
    `POST /containers/${Id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  let received = Buffer.alloc(0);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const { promise: upgraded, resolve: onUpgraded } = Promise.withResolvers<void>();
  socket.on('data', (data: Buffer) => {
    received = Buffer.concat([received, data]);
    if (received.includes('\r\n\r\n')) onUpgraded();
  });
  socket.on('end', resolve);
  await upgraded;
  await call('POST', `/containers/${Id}/start`);
  socket.write('first ');
  socket.end('second ');
  await ended;
  socket.destroy();
  const bodyStart = received.indexOf('\r\n\r\n') + 4;
  assert.match(
    received.toString('latin1', 0, bodyStart),
    /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream/,
  );
  assert.equal(unframed(received.subarray(bodyStart)), 'first second ended\n');
  await call('DELETE', `/containers/${Id}?force=1`);
});

/** The payload of a multiplexed stream. */
function unframed(stream: Buffer): string {
  let text = '';
  for (let at = 0; at < stream.length;) {
    const length = stream.readUInt32BE(at + 4);
    text += stream.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}

async function nextEvent(action: string): Promise<void> {
  for await (const event of world.engine.events(AbortSignal.timeout(120_000))) if (event.action === action) return;
  throw new Error(`no event "${action}" came`);
}

async function call(
  method: string,
  path: string,
  body?: string,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: unknown }>();
  const sent = request(
    { socketPath, method, path, headers: body === undefined ? {} : { 'content-type': 'application/json' } },
    (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        resolve({ status: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) });
      });
    },
  );
  sent.on('error', reject);
  sent.end(body);
  return promise;
}
