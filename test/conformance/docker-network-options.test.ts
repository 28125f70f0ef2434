import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba, freePort } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

/** Options of the bridge driver and links, by the unmodified docker client: what counts is what packets and processes see. */

const serving = ['sh', '-c', 'echo page > /i.html; exec httpd -f -p 80 -h /'];
const option = (name: string, value: string) => ['-o', `com.docker.network.${name}=${value}`];
let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const docker = async (...args: string[]) => await dabba.docker(...args);
const serve = async (name: string, ...options: readonly string[]) =>
  await docker('run', '-d', '--name', name, ...options, image, ...serving);
const remove = async (...names: string[]) => await docker('rm', '-f', ...names);

/** What a container sees at a URL; undefined when it gets no answer. */
async function seenFrom(container: string, url: string): Promise<string | undefined> {
  const outcome = await dabba.client('docker', ['exec', container, 'timeout', '2', 'wget', '-q', '-O-', url]);
  return outcome.status === 0 ? outcome.stdout.trim() : undefined;
}

test('a network keeps its auxiliary addresses free', async () => {
  const range = [
    '--subnet',
    '10.214.0.0/29',
    '--aux-address',
    'router=10.214.0.2',
    '--aux-address',
    'spare=10.214.0.3',
  ];
  await docker('network', 'create', ...range, 'aux');
  const shown: unknown = JSON.parse(await docker('network', 'inspect', 'aux', '-f', '{{json .IPAM.Config}}'));
  const AuxiliaryAddresses = { router: '10.214.0.2', spare: '10.214.0.3' };
  assert.deepEqual(shown, [{ Subnet: '10.214.0.0/29', AuxiliaryAddresses, Gateway: '10.214.0.1' }]);
  const address = await docker('run', '--rm', '--network', 'aux', image, 'hostname', '-i');
  assert.equal(address, '10.214.0.4');
  const taken = ['run', '--rm', '--network', 'aux', '--ip', '10.214.0.2', image, 'true'];
  await dabba.refused('Address already in use', 'docker', taken);
  const outside = ['network', 'create', '--subnet', '10.215.0.0/29', '--aux-address', 'a=10.9.0.2', 'wrong'];
  await dabba.refused('no matching subnet for aux-address', 'docker', outside);
  await docker('network', 'rm', 'aux');
});

test('interfaces have the MTU that was asked for', async () => {
  await docker('network', 'create', ...option('driver.mtu', '1280'), 'narrow');
  assert.equal(await docker('run', '--rm', '--network', 'narrow', image, 'cat', '/sys/class/net/eth0/mtu'), '1280');
  await docker('network', 'rm', 'narrow');
  await dabba.refused('is not an MTU', 'docker', ['network', 'create', ...option('driver.mtu', '9'), 'x']);
});

test('containers of a network without ICC reach one another by published ports alone', async () => {
  const port = await freePort();
  await docker('network', 'create', ...option('bridge.enable_icc', 'false'), 'apart');
  await serve('web', '--network', 'apart', '-p', `${port}:80`);
  await serve('other', '--network', 'apart');
  const address = await docker('inspect', 'web', '-f', '{{.NetworkSettings.Networks.apart.IPAddress}}');
  assert.equal(await seenFrom('other', `http://${address}/i.html`), undefined);
  const machine = (await dabba.client('hostname', ['-I'])).stdout.trim().split(' ')[0]!;
  await eventually('the published port', 5_000, async () => {
    return (await seenFrom('other', `http://${machine}:${port}/i.html`)) === 'page';
  });
  await remove('web', 'other');
  await docker('network', 'rm', 'apart');
});

test('ports are published where the network says, unless the port says so itself', async () => {
  const [port, everywhere] = [await freePort(), await freePort()];
  await docker('network', 'create', ...option('bridge.host_binding_ipv4', '127.0.0.1'), 'local');
  await serve('web', '--network', 'local', '-p', `${port}:80`, '-p', `0.0.0.0:${everywhere}:80`);
  assert.deepEqual((await docker('port', 'web', '80')).split('\n').toSorted(), [
    `0.0.0.0:${everywhere}`,
    `127.0.0.1:${port}`,
  ]);
  const machine = (await dabba.client('hostname', ['-I'])).stdout.trim().split(' ')[0]!;
  const reached = async (at: string) =>
    (await dabba.client('curl', ['-sf', '-m', '2', `http://${at}/i.html`])).status === 0;
  await eventually('the page at loopback', 5_000, async () => await reached(`127.0.0.1:${port}`));
  assert.equal(await reached(`${machine}:${port}`), false);
  assert.equal(await reached(`${machine}:${everywhere}`), true);
  await remove('web');
  await docker('network', 'rm', 'local');
});

test('without masquerade a container’s own address leaves the machine', async () => {
  const rules = async () => (await dabba.client('nft', ['list', 'ruleset'])).stdout;
  const untranslated = ['--subnet', '10.216.1.0/24', ...option('bridge.enable_ip_masquerade', 'false')];
  await docker('network', 'create', ...untranslated, 'plain');
  assert.match(await rules(), /ip saddr != \{[^}]*10\.216\.1\.0\/24[^}]*\} drop/, 'it is let out');
  assert.doesNotMatch(await rules(), /10\.216\.1\.0\/24[^\n]*masquerade/, 'and not translated');
  await docker('network', 'rm', 'plain');
  assert.doesNotMatch(await rules(), /10\.216\.1\.0/);
});

test('what is honoured nowhere is refused by name, what the driver does not know is passed over', async () => {
  for (const [name, value] of [
    ['bridge.name', 'br-mine'],
    ['bridge.inhibit_ipv4', 'true'],
    ['container_iface_prefix', 'net'],
  ] as const)
    await dabba.refused(`com.docker.network.${name}=${value}`, 'docker', [
      'network',
      'create',
      ...option(name, value),
      'x',
    ]);
  await docker('network', 'create', '-o', 'my.own=1', ...option('bridge.enable_icc', 'true'), 'free');
  assert.equal(await docker('network', 'inspect', 'free', '-f', '{{index .Options "my.own"}}'), '1');
  await docker('network', 'rm', 'free');
});

test('a link on the default network tells of the other by variables and in the hosts file', async () => {
  await serve('db', '--expose', '5432', '-e', 'POSTGRES_DB=app');
  const address = await docker('inspect', 'db', '-f', '{{.NetworkSettings.IPAddress}}');
  await docker('run', '-d', '--name', 'web', '--link', 'db:store', image, 'sleep', '1000');
  for (const seen of [
    await docker('exec', 'web', 'env'),
    await docker('exec', 'web', 'sh', '-c', "tr '\\0' '\\n' < /proc/1/environ"),
  ])
    for (const variable of [
      `STORE_PORT=tcp://${address}:5432`,
      `STORE_PORT_5432_TCP_ADDR=${address}`,
      'STORE_PORT_5432_TCP_PROTO=tcp',
      'STORE_NAME=/web/store',
      'STORE_ENV_POSTGRES_DB=app',
    ])
      assert.ok(seen.split('\n').includes(variable), `${variable} in ${seen}`);
  assert.match(await docker('exec', 'web', 'cat', '/etc/hosts'), new RegExp(`^${address}\\s+store .*\\bdb$`, 'm'));
  assert.equal(await docker('inspect', 'web', '-f', '{{json .HostConfig.Links}}'), '["/db:/web/store"]');
  await docker('network', 'create', 'named');
  await docker('run', '-d', '--name', 'third', '--network', 'named', image, 'sleep', '1000');
  await docker('run', '-d', '--name', 'fourth', '--network', 'named', '--link', 'third:x', image, 'sleep', '1000');
  assert.doesNotMatch(await docker('exec', 'fourth', 'env'), /^X_/m, 'networks with names have no variables');
  await remove('db');
  await docker('restart', '-t', '0', 'web');
  assert.doesNotMatch(await docker('exec', 'web', 'env'), /^STORE_/m, 'the link goes with the linked container');
  await remove('web', 'third', 'fourth');
  await docker('network', 'rm', 'named');
});

test('a link means the container that had the name, not one whose id begins like it', async () => {
  const other = await docker('run', '-d', image, 'sleep', '1000');
  const name = other.slice(0, 6);
  const linked = await docker('run', '-d', '--name', name, image, 'sleep', '1000');
  await docker('run', '-d', '--name', 'web', '--link', `${linked.slice(0, 10)}:store`, image, 'sleep', '1000');
  assert.equal(await docker('inspect', 'web', '-f', '{{json .HostConfig.Links}}'), `["/${name}:/web/store"]`);
  await docker('rename', name, 'shop');
  assert.equal(await docker('inspect', 'web', '-f', '{{json .HostConfig.Links}}'), '["/shop:/web/store"]');
  await docker('rename', 'shop', name);
  await docker('restart', '-t', '0', 'web');
  assert.match(await docker('exec', 'web', 'cat', '/etc/hosts'), new RegExp(`store .*${name}`));
  await remove(name);
  await docker('restart', '-t', '0', 'web');
  assert.doesNotMatch(await docker('exec', 'web', 'cat', '/etc/hosts'), /store/);
  await remove('web', other);
});
