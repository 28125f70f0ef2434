import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba, freePort } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

/** The unmodified docker client: networks, names inside them, published ports. What counts is what packets do. */

const serving = ['sh', '-c', 'echo page > /i.html; exec httpd -f -p 80 -h /'];
let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const docker = async (...args: string[]) => await dabba.docker(...args);
const start = async (name: string, options: readonly string[], command: readonly string[] = serving) =>
  await docker('run', '-d', '--name', name, ...options, image, ...command);
const remove = async (...names: string[]) => await docker('rm', '-f', ...names);

/** What a container sees at a URL; undefined when it gets no answer. */
async function seenFrom(network: string, url: string): Promise<string | undefined> {
  // The first process of a container takes no SIGTERM, so `timeout` is not the first.
  const get = ['sh', '-c', `timeout 2 wget -q -O- ${url}; exit $?`];
  const outcome = await dabba.client('docker', ['run', '--rm', '--network', network, image, ...get]);
  return outcome.status === 0 ? outcome.stdout.trim() : undefined;
}

async function seenFromMachine(address: string): Promise<string | undefined> {
  const outcome = await dabba.client('curl', ['-sf', '-m', '2', `http://${address}/i.html`]);
  return outcome.status === 0 ? outcome.stdout.trim() : undefined;
}

async function serves(address: string): Promise<void> {
  await eventually(`a page at ${address}`, 5_000, async () => (await seenFromMachine(address)) === 'page');
}

test('containers of a network find one another by name, alias and short id; those of another do not', async () => {
  await docker('network', 'create', 'red');
  await docker('network', 'create', 'blue');
  const id = await start('web', ['--network', 'red', '--network-alias', 'www']);
  for (const name of ['web', 'www', id.slice(0, 12), 'web.red'])
    await eventually(
      `a page at ${name}`,
      5_000,
      async () => (await seenFrom('red', `http://${name}/i.html`)) === 'page',
    );
  const address = await docker('inspect', 'web', '-f', '{{.NetworkSettings.Networks.red.IPAddress}}');
  for (const host of ['web', address])
    for (const network of ['blue', 'bridge'])
      assert.equal(await seenFrom(network, `http://${host}/i.html`), undefined, `${host} from ${network}`);
  assert.equal(await seenFromMachine(address), 'page', 'the machine itself reaches a container by its address');
  await docker('rename', 'web', 'web2');
  assert.equal(await seenFrom('red', 'http://web2/i.html'), 'page', 'by its new name');
  await remove('web2');
  await docker('network', 'rm', 'red', 'blue');
});

test('a network has the addresses asked for', async () => {
  const range = ['--subnet', '10.213.7.0/24', '--ip-range', '10.213.7.128/25', '--gateway', '10.213.7.254'];
  const id = await docker('network', 'create', ...range, '--label', 'team=core', 'planned');
  const shown = JSON.parse(
    await docker('network', 'inspect', id.slice(0, 8), '-f', '{{json .IPAM.Config}}'),
  ) as unknown;
  assert.deepEqual(shown, [{ Subnet: '10.213.7.0/24', IPRange: '10.213.7.128/25', Gateway: '10.213.7.254' }]);
  await start('chosen', ['--network', 'planned']);
  await start('asked', ['--network', 'planned', '--ip', '10.213.7.9', '--mac-address', '02:42:00:00:00:09']);
  assert.match(await docker('exec', 'chosen', 'ip', '-4', 'addr', 'show', 'eth0'), /inet 10\.213\.7\.128\/24/);
  assert.match(
    await docker('exec', 'asked', 'ip', 'addr', 'show', 'eth0'),
    /02:42:00:00:00:09[\s\S]*10\.213\.7\.9\/24/,
  );
  assert.match(await docker('exec', 'asked', 'ip', 'route'), /^default via 10\.213\.7\.254 dev eth0/);
  const members = await docker('network', 'inspect', 'planned', '-f', '{{range .Containers}}{{.Name}} {{end}}');
  assert.deepEqual(members.trim().split(' ').toSorted(), ['asked', 'chosen']);
  await dabba.refused('Address already in use', 'docker', [
    'run',
    '--network',
    'planned',
    '--ip',
    '10.213.7.9',
    image,
    'true',
  ]);
  await dabba.refused('no configured subnet', 'docker', [
    'run',
    '--rm',
    '--network',
    'planned',
    '--ip',
    '10.9.9.9',
    image,
    'true',
  ]);
  await dabba.refused('user defined networks only', 'docker', ['run', '--rm', '--ip', '10.9.9.9', image, 'true']);
  await dabba.refused('active endpoints', 'docker', ['network', 'rm', 'planned']);
  await dabba.refused('already exists', 'docker', ['network', 'create', 'planned']);
  await dabba.refused('Pool overlaps', 'docker', ['network', 'create', '--subnet', '10.213.0.0/16', 'wider']);
  await dabba.refused('pre-defined network', 'docker', ['network', 'rm', 'bridge']);
  await dabba.refused('not found', 'docker', ['network', 'create', '-d', 'overlay', 'far']);
  await dabba.refused('network nowhere not found', 'docker', ['run', '--rm', '--network', 'nowhere', image, 'true']);
  assert.equal(await docker('network', 'ls', '-q', '--no-trunc', '--filter', 'label=team=core'), id);
  assert.equal(await docker('network', 'ls', '-q', '--no-trunc', '--filter', 'name=lann'), id);
  assert.equal(await docker('network', 'ls', '-q', '--no-trunc', '--filter', `id=${id}`), id);
  assert.equal(
    await docker('ps', '-a', '--filter', 'network=planned', '--filter', 'name=asked', '--format', '{{.Names}}'),
    'asked',
  );
  await remove(...(await docker('ps', '-aq')).split('\n'));
  assert.match(await docker('network', 'prune', '-f'), /planned/);
  assert.equal(await docker('network', 'ls', '--format', '{{.Name}}'), 'bridge\nhost\nnone');
});

test('a container joins and leaves networks, running and stopped', async () => {
  for (const name of ['one', 'two']) await docker('network', 'create', name);
  await start('web', ['--network', 'one']);
  await docker('network', 'connect', '--alias', 'other', 'two', 'web');
  assert.equal(await seenFrom('two', 'http://other/i.html'), 'page');
  assert.match(await docker('exec', 'web', 'ip', '-o', '-4', 'addr'), /eth0[\s\S]*eth1/);
  await dabba.refused('already exists in network', 'docker', ['network', 'connect', 'two', 'web']);
  await docker('network', 'disconnect', 'one', 'web');
  assert.equal(await seenFrom('one', 'http://web/i.html'), undefined);
  assert.match(await docker('exec', 'web', 'ip', 'route'), /^default via \S+ dev eth1/);
  assert.equal(
    await docker('inspect', 'web', '-f', '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}'),
    'two',
  );
  await docker('stop', '-t', '0', 'web');
  await docker('network', 'connect', 'one', 'web');
  await dabba.refused('user defined networks', 'docker', ['network', 'connect', '--alias', 'x', 'bridge', 'web']);
  await docker('start', 'web');
  for (const [network, name] of [
    ['one', 'web'],
    ['two', 'other'],
  ] as const)
    await eventually(
      `a page after a restart, in ${network}`,
      5_000,
      async () => (await seenFrom(network, `http://${name}/i.html`)) === 'page',
    );
  await dabba.refused('is not connected', 'docker', ['network', 'disconnect', 'bridge', 'web']);
  await start('alone', ['--network', 'none']);
  await dabba.refused('cannot be connected', 'docker', ['network', 'connect', 'one', 'alone']);
  const since = Math.floor(Date.now() / 1000) - 60;
  const events = await docker(
    'events',
    '--since',
    String(since),
    '--until',
    // The client sends whole seconds: the one that is under way must be over.
    String(Math.floor(Date.now() / 1000) + 1),
    '--filter',
    'type=network',
    '--format',
    '{{.Action}} {{.Actor.Attributes.name}}',
  );
  for (const event of ['create one', 'connect one', 'disconnect one', 'connect two'])
    assert.ok(events.split('\n').includes(event), `${event} in ${events}`);
  await remove('web', 'alone');
  await docker('network', 'rm', 'one', 'two');
});

test('an internal network leads nowhere else', async () => {
  await docker('network', 'create', '--internal', 'inner');
  await start('web', ['--network', 'inner', '-p', '80']);
  assert.equal(await seenFrom('inner', 'http://web/i.html'), 'page');
  assert.doesNotMatch(await docker('exec', 'web', 'ip', 'route'), /default/);
  assert.equal(await docker('port', 'web'), '', 'nothing is published');
  await remove('web');
  await docker('network', 'rm', 'inner');
});

test('published ports lead in by every way, and are free again afterwards', async () => {
  const [fixed, first] = [await freePort(), await freePort()];
  await start('web', ['-p', `${fixed}:80`, '-p', '127.0.0.1::80', '-p', '80', '-p', `127.0.0.1:${first}:53/udp`]);
  const local = (await docker('port', 'web', '80/tcp')).split('\n').find((line) => line.startsWith('127.'))!;
  for (const address of [`127.0.0.1:${fixed}`, local, `localhost:${fixed}`]) await serves(address);
  assert.match(await docker('ps', '--format', '{{.Ports}}'), new RegExp(`0\\.0\\.0\\.0:${fixed}->80/tcp`));
  assert.match(await docker('port', 'web', '53/udp'), new RegExp(`127\\.0\\.0\\.1:${first}`));
  await docker('network', 'create', 'elsewhere');
  const machine = (await dabba.client('hostname', ['-I'])).stdout.trim().split(' ')[0]!;
  for (const network of ['bridge', 'elsewhere'])
    assert.equal(
      await seenFrom(network, `http://${machine}:${fixed}/i.html`),
      'page',
      `from ${network} by the machine`,
    );
  const taken = `Bind for 0.0.0.0:${fixed} failed: port is already allocated`;
  await dabba.refused(taken, 'docker', ['run', '--rm', '-p', `${fixed}:80`, image, 'true']);
  await dabba.refused('port is already allocated', 'docker', [
    'run',
    '--rm',
    '-p',
    `127.0.0.1:${dabba.port}:80`,
    image,
    'true',
  ]);
  await docker('stop', '-t', '0', 'web');
  assert.equal(await seenFromMachine(`127.0.0.1:${fixed}`), undefined);
  assert.equal(await docker('port', 'web'), '');
  await docker('run', '--rm', '-p', `${fixed}:80`, image, 'true');
  await docker('start', 'web');
  await serves(`127.0.0.1:${fixed}`);
  await remove('web');
  await docker('network', 'rm', 'elsewhere');
});

test('every exposed port is published with -P', async () => {
  await start('all', ['-P', '--expose', '80', '--expose', '9000-9001/udp']);
  const shown = await docker('port', 'all');
  assert.match(shown, /80\/tcp -> 0\.0\.0\.0:\d+/);
  assert.match(shown, /9001\/udp -> 0\.0\.0\.0:\d+/);
  await serves(`127.0.0.1:${/80\/tcp -> 0\.0\.0\.0:(\d+)/.exec(shown)![1]}`);
  await remove('all');
});

test('a killed daemon leaves networks, names and ports in force, and takes them over', async () => {
  const port = await freePort();
  await docker('network', 'create', '--label', 'kept=yes', 'kept');
  await start('web', ['--network', 'kept', '-p', `${port}:80`, '-p', '80']);
  const before = await docker('port', 'web');
  await serves(`127.0.0.1:${port}`);
  await dabba.killBoth();
  assert.equal(await seenFromMachine(`127.0.0.1:${port}`), 'page', 'while the daemon is dead');
  await dabba.up();
  assert.equal(await seenFromMachine(`127.0.0.1:${port}`), 'page');
  assert.equal(await docker('port', 'web'), before);
  assert.equal(await seenFrom('kept', 'http://web/i.html'), 'page');
  await dabba.refused('port is already allocated', 'docker', ['run', '--rm', '-p', `${port}:80`, image, 'true']);
  await dabba.command('down');
  assert.equal(await seenFromMachine(`127.0.0.1:${port}`), undefined);
  await dabba.up();
  assert.equal(await docker('network', 'ls', '-q', '--filter', 'label=kept=yes', '--format', '{{.Name}}'), 'kept');
  await docker('start', 'web');
  await serves(`127.0.0.1:${port}`);
  await remove('web');
  await docker('network', 'rm', 'kept');
});
