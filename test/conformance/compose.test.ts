import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba, project } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

/**
 * Docker Compose. Debian has no package of its second version, so its calls are made here as the plugin was seen to make them (2.40: names, labels,
 * filters in their old form, and every member it sends); where the plugin is installed it is driven itself too.
 */

let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
  await dabba.docker('pull', '-q', image);
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/json' };
  const socketPath = join(dabba.data, 'docker.sock');
  const sent = request({ socketPath, method, path: `/v1.51${path}`, headers });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
  return { status: response.statusCode!, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

async function done(status: number, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await call(method, path, body);
  assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Filters as compose writes them: sets as objects. */
const filters = (given: { readonly [name: string]: readonly string[] }) =>
  `filters=${encodeURIComponent(
    JSON.stringify(
      Object.fromEntries(
        Object.entries(given).map(([name, values]) => [name, Object.fromEntries(values.map((value) => [value, true]))]),
      ),
    ),
  )}`;

const ofProject = 'com.docker.compose.project=demo';
const labels = (more: { readonly [name: string]: string }) => ({
  'com.docker.compose.project': 'demo',
  'com.docker.compose.config-hash': 'h',
  'com.docker.compose.version': '',
  ...more,
});

const networkBody = (name: string, config?: readonly object[]) => ({
  Driver: '',
  Scope: '',
  IPAM: config ? { Driver: '', Options: null, Config: config } : null,
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigOnly: false,
  ConfigFrom: null,
  Options: null,
  Labels: labels({ 'com.docker.compose.network': name }),
  Name: `demo_${name}`,
});

/** Every member that compose sends for a service, ordinary ones at the value that asks for nothing. */
function containerBody(service: string, of: { readonly host?: object; readonly more?: object } = {}): object {
  const endpoint = {
    IPAMConfig: null,
    Links: null,
    Aliases: [`demo-${service}-1`, service],
    MacAddress: '',
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: '',
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
  const empty = { Hostname: '', Domainname: '', User: '', WorkingDir: '' };
  const absent = { Volumes: null, Entrypoint: null, OnBuild: null, ExposedPorts: null, Cmd: null };
  const hostAbsent = [
    'Binds VolumesFrom CapAdd CapDrop Dns DnsOptions DnsSearch GroupAdd Links SecurityOpt BlkioWeightDevice',
    'BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps Devices DeviceCgroupRules',
    'DeviceRequests MemorySwappiness PidsLimit Ulimits MaskedPaths ReadonlyPaths',
  ];
  const hostEmpty = 'ContainerIDFile VolumeDriver CgroupnsMode IpcMode Cgroup PidMode UTSMode UsernsMode Isolation';
  const hostZero =
    'OomScoreAdj ShmSize CpuShares Memory NanoCpus BlkioWeight CpuPeriod CpuQuota CpuCount IOMaximumIOps';
  const all = (names: string, value: unknown) => Object.fromEntries(names.split(' ').map((name) => [name, value]));
  return {
    ...empty,
    ...absent,
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Image: image,
    Env: [],
    Labels: labels({
      'com.docker.compose.service': service,
      'com.docker.compose.container-number': '1',
      'com.docker.compose.oneoff': 'False',
    }),
    HostConfig: {
      ...all(hostAbsent.join(' '), null),
      ...all(hostEmpty, ''),
      ...all(hostZero, 0),
      LogConfig: { Type: '', Config: null },
      NetworkMode: 'demo_back',
      PortBindings: {},
      RestartPolicy: { Name: '', MaximumRetryCount: 0 },
      ConsoleSize: [0, 0],
      OomKillDisable: false,
      ...of.host,
    },
    NetworkingConfig: { EndpointsConfig: { demo_back: endpoint, demo_default: endpoint } },
    ...of.more,
  };
}

test('the calls of `compose up`, `ps` and `down`, as the plugin makes them', async () => {
  assert.equal((await call('GET', '/networks/demo_back')).status, 404);
  assert.deepEqual(await done(200, 'GET', `/networks?${filters({ name: ['demo_back'] })}`), []);
  await done(201, 'POST', '/networks/create', networkBody('back', [{ Subnet: '10.98.7.0/24' }]));
  await done(201, 'POST', '/networks/create', networkBody('default'));
  assert.equal((await call('GET', '/volumes/demo_data')).status, 404);
  await done(201, 'POST', '/volumes/create', {
    Name: 'demo_data',
    Labels: labels({ 'com.docker.compose.volume': 'data' }),
  });
  const every = `all=1&${filters({ label: ['com.docker.compose.config-hash', ofProject] })}`;
  assert.deepEqual(await done(200, 'GET', `/containers/json?${every}`), []);

  const serve = 'mkdir -p /srv; echo from-db > /srv/i.html; exec httpd -f -p 80 -h /srv';
  const created = async (service: string, of: Parameters<typeof containerBody>[1]) => {
    const body = containerBody(service, of);
    return ((await done(201, 'POST', `/containers/create?name=demo-${service}-1`, body)) as { Id: string }).Id;
  };
  const db = await created('db', {
    host: { Mounts: [{ Type: 'volume', Source: 'demo_data', Target: '/srv', VolumeOptions: {} }] },
    more: {
      Cmd: ['sh', '-c', serve],
      StopTimeout: 1,
      Healthcheck: { Test: ['CMD', 'wget', '-q', '-O-', 'http://127.0.0.1/i.html'], Interval: 2e8, Retries: 9 },
    },
  });
  const secret = dabba.file('secret', 's3cret');
  const web = await created('web', {
    host: {
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }] },
      RestartPolicy: { Name: 'unless-stopped', MaximumRetryCount: 0 },
      ExtraHosts: ['other:10.1.2.3'],
      Tmpfs: { '/scratch': '' },
      Memory: 64 << 20,
      NanoCpus: 5e8,
      Ulimits: [{ Name: 'nofile', Hard: 2000, Soft: 1000 }],
      Mounts: [{ Type: 'bind', Source: secret, Target: '/run/secrets/s', ReadOnly: true, BindOptions: {} }],
      Init: false,
    },
    more: { Cmd: ['sh', '-c', serve], ExposedPorts: { '80/tcp': {} }, StopTimeout: 1 },
  });
  const side = await created('side', {
    host: { NetworkMode: `container:${web}` },
    more: { Cmd: ['sleep', '1000'], StopTimeout: 0, NetworkingConfig: null },
  });
  await done(204, 'POST', `/containers/${db}/start`);
  await eventually('db is healthy', 10_000, async () => {
    const { State } = (await done(200, 'GET', `/containers/${db}/json`)) as { State: { Health: { Status: string } } };
    return State.Health.Status === 'healthy';
  });
  await done(204, 'POST', `/containers/${web}/start`);
  await done(204, 'POST', `/containers/${side}/start`);

  const seen = async (where: string, ...command: string[]) => await dabba.docker('exec', where, ...command);
  const page = ['wget', '-q', '-O-'];
  assert.equal(await seen('demo-web-1', ...page, 'http://db/i.html'), 'from-db');
  await eventually('web serves', 5_000, async () => {
    const { stdout } = await dabba.client('docker', ['exec', 'demo-side-1', ...page, 'http://127.0.0.1/i.html']);
    return stdout.trim() === 'from-db';
  });
  assert.equal(await seen('demo-web-1', 'cat', '/run/secrets/s'), 's3cret');

  const oneOff = ['com.docker.compose.config-hash', 'com.docker.compose.oneoff=False', ofProject];
  const running = (await done(200, 'GET', `/containers/json?${filters({ label: oneOff })}`)) as { Names: string[] }[];
  assert.deepEqual(running.flatMap(({ Names }) => Names).toSorted(), ['/demo-db-1', '/demo-side-1', '/demo-web-1']);
  for (const id of [side, web, db]) {
    await done(204, 'POST', `/containers/${id}/stop`);
    await done(204, 'DELETE', `/containers/${id}?force=1&v=1`);
  }
  await done(204, 'DELETE', '/volumes/demo_data?force=1');
  for (const network of ['default', 'back']) {
    const label = [`com.docker.compose.network=${network}`, ofProject];
    const [found] = (await done(200, 'GET', `/networks?${filters({ label })}`)) as { Id: string }[];
    await done(204, 'DELETE', `/networks/${found!.Id}`);
  }
});

const plugin = ['docker', join(project, '.cache/clients/bin/docker')].find(
  // Installed for everybody, that is: the tests' clients have a configuration of their own.
  (program) =>
    spawnSync(program, ['compose', 'version'], { env: { ...process.env, DOCKER_CONFIG: '/nowhere' } }).status === 0,
);

test(
  'the plugin itself: up, ps, exec, logs, down',
  { skip: !plugin && 'docker has no compose plugin here' },
  async () => {
    const file = dabba.file(
      'compose/compose.yaml',
      `name: real
services:
  db:
    image: ${image}
    command: sh -c 'echo from-db > /i.html; exec httpd -f -p 80 -h /'
    healthcheck: { test: ["CMD", "wget", "-q", "-O-", "http://127.0.0.1/i.html"], interval: 200ms }
    networks: { default: { aliases: [database] } }
    stop_grace_period: 0s
  web:
    build: .
    depends_on: { db: { condition: service_healthy } }
    command: sh -c 'cat /made; wget -q -O- http://database/i.html; exec sleep 1000'
    stop_grace_period: 0s
`,
    );
    dabba.file('compose/Dockerfile', `FROM ${image}\nRUN echo made > /made\n`);
    const compose = async (...args: string[]) => await dabba.docker('compose', '-f', file, ...args);
    await compose('up', '-d', '--wait');
    assert.match(await compose('ps'), /real-web-1/);
    await eventually('both lines', 5_000, async () => /made[^]*from-db/.test(await compose('logs', 'web')));
    assert.equal(await compose('exec', '-T', 'web', 'cat', '/made'), 'made');
    await compose('down', '-v', '--rmi', 'local');
  },
);
