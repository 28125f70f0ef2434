import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '#base';
import { bindUdp, openNetworkNamespace } from '#kernel';
import { recordId } from '#network';
import { openSqliteStore } from '#store';
import { World, allowAll, allowTcp, ask, eventually, run, traces } from './world.ts';

let before: string;
beforeEach(() => {
  before = traces();
});
afterEach(async () => {
  // A namespace's own end is announced to nobody: the kernel clears it away in the background.
  await eventually(async () => traces() === before).catch(() => undefined);
  assert.equal(traces(), before, 'nothing is left on the machine');
});

const web = { securityGroupIds: ['sg-web'] };

/** A VPC `a` with two subnets and a group that opens port 80. */
async function startedWorld(options: ConstructorParameters<typeof World>[0] = {}): Promise<World> {
  const world = new World(options);
  await world.plane.start();
  const vpcId = await world.vpc('a', '10.0.0.0/16', ['10.0.1.0/24', '10.0.2.0/24'], { isPublic: true });
  await world.group(vpcId, 'sg-web', [allowTcp(80)]);
  return world;
}

test('groups decide what passes between two interfaces, and a change counts at once', async () => {
  await using world = await startedWorld();
  const one = await world.attach(await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', web));
  const two = await world.attach(await world.eni('eni-2', 'subnet-a-1', '10.0.2.10', { securityGroupIds: [] }));
  for (const port of [80, 81]) world.serve(one, port);
  world.serve(two, 80);
  assert.equal(await ask(two, '10.0.1.10'), 'unreachable', 'no group, no way out');
  await world.group('vpc-a', 'sg-client', []);
  await world.records().networkInterfaces.update('000000000000/us-east-1/eni-2', (eni) => ({
    ...eni,
    securityGroupIds: ['sg-client'],
  }));
  await eventually(async () => (await ask(two, '10.0.1.10')) === '10.0.2.10');
  assert.equal(await ask(two, '10.0.1.10', 81), 'unreachable', 'only the open port');
  assert.equal(await ask(one, '10.0.2.10'), 'unreachable', 'nothing into a group without rules');
  await world.setRules('sg-web', { ingress: [allowTcp(81)] });
  await eventually(async () => (await ask(two, '10.0.1.10', 81)) === '10.0.2.10');
  assert.equal(await ask(two, '10.0.1.10'), 'unreachable', 'revoked');
  await world.setRules('sg-client', { egress: [allowTcp(80)] });
  await eventually(async () => (await ask(two, '10.0.1.10', 81)) === 'unreachable');
});

test('a rule may name a group: its members come and go', async () => {
  await using world = await startedWorld();
  await world.group('vpc-a', 'sg-caller', []);
  await world.group('vpc-a', 'sg-inner', [allowTcp(80, { kind: 'group', groupId: 'sg-caller' })]);
  const inner = await world.attach(
    await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', { securityGroupIds: ['sg-inner'] }),
  );
  const caller = await world.attach(
    await world.eni('eni-2', 'subnet-a-0', '10.0.1.11', { securityGroupIds: ['sg-caller'] }),
  );
  const other = await world.attach(await world.eni('eni-3', 'subnet-a-0', '10.0.1.12', web));
  world.serve(inner, 80);
  assert.equal(await ask(caller, '10.0.1.10'), '10.0.1.11');
  assert.equal(await ask(other, '10.0.1.10'), 'unreachable');
  const both = { securityGroupIds: ['sg-web', 'sg-caller'] };
  await world.records().networkInterfaces.update('000000000000/us-east-1/eni-3', (eni) => ({ ...eni, ...both }));
  await eventually(async () => (await ask(other, '10.0.1.10')) === '10.0.1.12');
});

test('a public address leads in from the machine and out as itself; without one there is no way out', async () => {
  await using world = await startedWorld();
  await world.vpc('b', '10.0.0.0/16', ['10.0.1.0/24'], { isPublic: true });
  await world.group('vpc-b', 'sg-b', [allowTcp(80)]);
  await world.vpc('c', '10.9.0.0/16', ['10.9.1.0/24'], { isPublic: false });
  await world.group('vpc-c', 'sg-c', [allowTcp(80)]);
  const [a, b, sibling, hidden, unrouted] = [5, 6, 7, 8, 9].map((last) => world.publicIp(last)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const one = await world.attach(await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', { ...web, publicIp: a }));
  const two = await world.attach(
    await world.eni('eni-2', 'subnet-b-0', '10.0.1.10', { securityGroupIds: ['sg-b'], publicIp: b }),
  );
  const near = await world.attach(await world.eni('eni-3', 'subnet-a-1', '10.0.2.10', { ...web, publicIp: sibling }));
  const shut = await world.attach(await world.eni('eni-4', 'subnet-a-1', '10.0.2.11', web));
  const lost = await world.attach(
    await world.eni('eni-5', 'subnet-c-0', '10.9.1.10', { securityGroupIds: ['sg-c'], publicIp: unrouted }),
  );
  for (const netns of [one, two, near, lost]) world.serve(netns, 80);
  assert.notEqual(await ask(undefined, a), 'unreachable', 'from the machine');
  assert.equal(await ask(one, b), a, 'the other VPC sees the public address');
  assert.equal(await ask(one, sibling), a, 'as does a neighbour asked by its public address');
  assert.equal(await ask(one, '10.0.1.10'), '10.0.1.10', "the same private address is one's own");
  assert.equal(await ask(shut, b), 'unreachable', 'no public address, no way out');
  assert.equal(await ask(shut, '10.0.2.10'), '10.0.2.11', 'but the VPC is open');
  assert.equal(await ask(undefined, hidden), 'unreachable', 'an address of the pool that nobody has');
  assert.equal(await ask(undefined, unrouted), 'unreachable', 'no route to an internet gateway');
  await world.records().networkInterfaces.update('000000000000/us-east-1/eni-1', (eni) => {
    const { publicIp: _gone, ...rest } = eni;
    return rest;
  });
  await eventually(async () => (await ask(undefined, a)) === 'unreachable');
  assert.equal(await ask(one, b), 'unreachable');
});

test('what has no public address reaches out through a NAT gateway, as its address, and nobody comes in by it', async () => {
  await using world = await startedWorld();
  await world.vpc('b', '10.0.0.0/16', ['10.0.1.0/24'], { isPublic: true });
  await world.group('vpc-b', 'sg-b', [allowTcp(80)]);
  const [shared, outside, own] = [5, 6, 7].map((last) => world.publicIp(last)) as [string, string, string];
  const records = world.records();
  const common = { tenant: '000000000000', region: 'us-east-1', tags: {}, createdAt: 0, vpcId: 'vpc-a' };
  const nat = {
    ...common,
    id: 'nat-1',
    subnetId: 'subnet-a-0',
    networkInterfaceId: 'eni-nat',
    privateIp: '10.0.1.99',
    publicIp: shared,
    publicIpAllocationId: 'eipalloc-1',
    publicIpAssociationId: 'eipassoc-1',
  };
  await records.natGateways.create(recordId(nat), nat);
  const table = {
    ...common,
    id: 'rtb-inside',
    isMain: false,
    associations: [{ id: 'rtbassoc-1', subnetId: 'subnet-a-1' }],
    routes: [
      { destination: '10.0.0.0/16', target: { kind: 'local' as const } },
      { destination: '0.0.0.0/0', target: { kind: 'nat-gateway' as const, id: nat.id } },
    ],
  };
  await records.routeTables.create(recordId(table), table);
  const two = await world.attach(
    await world.eni('eni-2', 'subnet-b-0', '10.0.1.10', { securityGroupIds: ['sg-b'], publicIp: outside }),
  );
  const first = await world.attach(await world.eni('eni-3', 'subnet-a-1', '10.0.2.10', web));
  const second = await world.attach(await world.eni('eni-4', 'subnet-a-1', '10.0.2.11', web));
  const open = await world.attach(await world.eni('eni-5', 'subnet-a-0', '10.0.1.11', { ...web, publicIp: own }));
  for (const netns of [two, first, second, open]) world.serve(netns, 80);
  assert.equal(await ask(first, outside), shared);
  assert.equal(await ask(second, outside), shared, 'many are one');
  assert.equal(await ask(open, outside), own, 'an address of its own is not translated to another');
  assert.equal(await ask(first, own), shared, 'a neighbour asked by its public address');
  assert.equal(await ask(first, '10.0.2.11'), '10.0.2.10', 'inside nothing is translated');
  assert.equal(await ask(undefined, shared), 'unreachable');
  await records.natGateways.update(recordId(nat), (gateway) => ({ ...gateway, deletedAt: 1 }));
  await eventually(async () => (await ask(first, outside)) === 'unreachable');
  assert.equal(await ask(open, outside), own);
});

test('the same private address in two VPCs is two machines', async () => {
  await using world = await startedWorld();
  await world.vpc('b', '10.0.0.0/16', ['10.0.1.0/24'], { isPublic: false });
  await world.group('vpc-b', 'sg-b', [allowAll]);
  const one = await world.attach(await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', web));
  const two = await world.attach(await world.eni('eni-2', 'subnet-b-0', '10.0.1.10', { securityGroupIds: ['sg-b'] }));
  const lone = await world.attach(await world.eni('eni-3', 'subnet-b-0', '10.0.1.11', { securityGroupIds: ['sg-b'] }));
  world.serve(one, 80);
  assert.equal(await ask(lone, '10.0.1.10'), 'unreachable', "the other VPC's server is not here");
  world.serve(two, 80);
  assert.equal(await ask(lone, '10.0.1.10'), '10.0.1.11');
});

test("a sandbox cannot send in another's name, nor reach the machine", async () => {
  await using world = await startedWorld();
  await world.group('vpc-a', 'sg-all', [allowAll]);
  const open = { securityGroupIds: ['sg-all'] };
  const victim = await world.attach(await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', open));
  const liar = await world.attach(
    await world.eni('eni-2', 'subnet-a-0', '10.0.1.11', { ...open, publicIp: world.publicIp(5) }),
  );
  const received: string[] = [];
  using namespace = openNetworkNamespace(victim)!;
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => received.push(`${message} from ${peer.address}`));
  socket.bind({ fd: bindUdp(namespace, { address: '10.0.1.10', port: 9000 }) });
  const host = createTcpServer((client) => client.end('the machine')).listen(0, '0.0.0.0');
  await once(host, 'listening');
  try {
    const say = (source: string, text: string) =>
      run(
        liar,
        'python3',
        '-c',
        `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${source}", 0)); s.sendto(b"${text}", ("10.0.1.10", 9000))`,
      );
    for (const address of ['10.0.1.77/32', '10.0.2.10/32', '192.0.2.77/32'])
      await run(liar, 'ip', 'addr', 'add', address, 'dev', 'lo');
    for (const source of ['10.0.1.77', '10.0.2.10', '192.0.2.77']) await say(source, 'lie');
    await say('10.0.1.11', 'truth');
    await eventually(async () => received.length > 0);
    assert.deepEqual(received, ['truth from 10.0.1.11']);
    await world
      .records()
      .networkInterfaces.update('000000000000/us-east-1/eni-2', (eni) => ({ ...eni, sourceDestCheck: false }));
    await eventually(async () => {
      await say('10.0.1.77', 'allowed');
      return received.includes('allowed from 10.0.1.77');
    });
    const { port } = host.address() as AddressInfo;
    const addresses = (await run(undefined, 'hostname', '-I'))!
      .trim()
      .split(/\s+/)
      .filter((text) => text.includes('.'));
    assert.ok(
      addresses.some((address) => address.startsWith('100.')),
      'the uplink was looked at',
    );
    for (const address of addresses)
      assert.equal(await ask(liar, address, port), 'unreachable', `${address} of the machine`);
  } finally {
    host.close();
    socket.close();
  }
});

test('names of the VPC and services at link-local addresses answer every interface', async () => {
  const world = new World();
  await using _ = world;
  const asked: string[] = [];
  world.plane.serveLinkLocal('169.254.170.2', 80, ({ vpcId }) =>
    createServer((request, response) => {
      asked.push(`${vpcId} ${request.socket.remoteAddress}`);
      response.end('secrets');
    }),
  );
  await world.plane.start();
  await world.vpc('a', '10.0.0.0/16', ['10.0.1.0/24'], { isPublic: false });
  const netns = await world.attach(await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', {}));
  assert.equal(await run(netns, 'curl', '-s', '-m', '2', 'http://169.254.170.2/'), 'secrets', 'no group is needed');
  assert.deepEqual(asked, ['vpc-a 10.0.1.10']);
  for (const server of ['10.0.0.2', '169.254.169.253']) {
    const forward = await run(netns, 'busybox', 'nslookup', '-type=a', 'ip-10-0-1-10.ec2.internal', server);
    assert.match(forward ?? '', /Address: 10\.0\.1\.10\b/);
    const reverse = await run(netns, 'busybox', 'nslookup', '-type=ptr', '10.1.0.10.in-addr.arpa', server);
    assert.match(reverse ?? '', /name = ip-10-0-1-10\.ec2\.internal/);
  }
  assert.match((await run(netns, 'busybox', 'ping', '-c1', '-W5', '10.0.1.1')) ?? '', / 0% packet loss/);
});

test('an engine network joins its endpoints and lets them out, but nobody in', async () => {
  await using world = await startedWorld();
  const outside = await world.attach(
    await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', { ...web, publicIp: world.publicIp(5) }),
  );
  world.serve(outside, 80);
  const { bridges } = world.plane;
  const bridge = await world.bridge('bridge', { cidr: '172.17.0.0/16' });
  const one = await world.join(bridge, 'sandbox-1');
  const two = await world.join(bridge, 'sandbox-2');
  assert.deepEqual(await world.join(bridge, 'sandbox-1'), one, 'repeatable');
  assert.deepEqual([one.privateIp, two.privateIp, one.gateway], ['172.17.0.2', '172.17.0.3', '172.17.0.1']);
  world.serve(two.netnsPath, 80);
  assert.equal(await ask(one.netnsPath, two.privateIp), one.privateIp);
  assert.notEqual(await ask(one.netnsPath, world.publicIp(5)), 'unreachable', 'out by the uplink');
  assert.notEqual(await ask(undefined, two.privateIp), 'unreachable', 'the machine itself reaches it');
  assert.equal(await ask(outside, two.privateIp), 'unreachable', 'nobody else does');
  const connect = `import socket; print(socket.create_connection(("${one.gateway}", 53), 1).getpeername()[0])`;
  assert.equal((await run(one.netnsPath, 'python3', '-c', connect))?.trim(), one.gateway, 'the gateway serves DNS');
  await bridges.detach('sandbox-1');
  await bridges.detach('sandbox-1');
  assert.deepEqual(bridges.endpoints('sandbox-1'), []);
  await assert.rejects(bridges.remove(bridge.id), { kind: 'PermissionDenied' });
  const second = await world.bridge('second');
  assert.notEqual(second.cidr, '172.17.0.0/16', 'another range');
  await assert.rejects(world.bridge('third', { cidr: '172.17.5.0/24' }), { kind: 'PermissionDenied' });
  await bridges.detach('sandbox-2');
  await bridges.remove(bridge.id);
  await bridges.remove(bridge.id);
  assert.deepEqual(bridges.list(), [second]);
});

test('engine networks are apart; a sandbox may be in several, by its names, and leave them', async () => {
  await using world = await startedWorld();
  const { bridges } = world.plane;
  const [red, blue] = [await world.bridge('red'), await world.bridge('blue')];
  const one = await world.join(red, 'one', { names: ['web', 'alias'] });
  const two = await world.join(blue, 'two', { names: ['two'] });
  world.serve(one.netnsPath, 80);
  assert.equal(await ask(two.netnsPath, one.privateIp), 'unreachable');
  assert.equal(await world.lookUp(two, 'web'), undefined);
  const both = await world.join(red, 'two', { names: ['two'], address: red.gateway.replace(/1$/, '77') });
  assert.deepEqual([both.device, both.isWayOut, both.privateIp.split('.')[3]], ['eth1', false, '77']);
  assert.equal(await ask(two.netnsPath, one.privateIp), both.privateIp);
  for (const name of ['web', 'alias', 'web.red']) assert.equal(await world.lookUp(two, name), one.privateIp);
  await assert.rejects(world.join(red, 'three', { address: both.privateIp }), { kind: 'Conflict' });
  await bridges.disconnect('two', blue.id);
  assert.equal(bridges.endpoints('two')[0]?.isWayOut, true, 'the other one is the way out now');
  assert.match((await run(two.netnsPath, 'ip', 'route', 'show', 'default')) ?? '', /dev eth1/);
  await bridges.disconnect('two', red.id);
  assert.equal(await ask(two.netnsPath, one.privateIp), 'unreachable');
  assert.equal((await world.join(blue, 'two')).device, 'eth0');
});

test('firewalls of others that forward nothing let through what is ours, and are as before when we go', async () => {
  const foreign = `
    table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; iifname "docker0" accept; }; }
    table inet firewalld { chain forward { type filter hook forward priority filter + 10; policy accept;
      ct state established accept; reject with icmpx admin-prohibited; }; }
    table ip own { chain forward { type filter hook forward priority filter; policy accept; ip daddr 203.0.113.1 drop; }; }`;
  const rulesOf = async () =>
    (
      await Promise.all(
        ['ip filter', 'inet firewalld', 'ip own'].map((name) => nft('list', 'table', ...name.split(' '))),
      )
    ).join('\n');
  const nft = async (...args: string[]) => (await run(undefined, 'nft', ...args)) ?? '';
  await nft(foreign);
  const untouched = await rulesOf();
  try {
    {
      await using world = await startedWorld();
      const outside = await world.attach(
        await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', { ...web, publicIp: world.publicIp(5) }),
      );
      world.serve(outside, 80);
      const bridge = await world.bridge('bridge', { cidr: '172.17.0.0/16' });
      const one = await world.join(bridge, 'sandbox-1');
      assert.notEqual(await ask(one.netnsPath, world.publicIp(5)), 'unreachable', 'from one uplink to another');
      await nft('flush', 'chain', 'ip', 'filter', 'FORWARD');
      const late = await world.join(await world.bridge('late', { cidr: '172.18.0.0/16' }), 'sandbox-2');
      assert.notEqual(
        await ask(late.netnsPath, world.publicIp(5)),
        'unreachable',
        'after a reload, once a network is made',
      );
      await nft('add', 'rule', 'ip', 'filter', 'FORWARD', 'iifname', '"docker0"', 'accept');
      assert.match(await rulesOf(), /iifname "dab\w+-\*" accept/);
    }
    assert.equal(await rulesOf(), untouched);
  } finally {
    for (const name of ['ip filter', 'inet firewalld', 'ip own']) await nft('delete', 'table', ...name.split(' '));
  }
});

test('an internal network has no way out', async () => {
  await using world = await startedWorld();
  const outside = await world.attach(
    await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', { ...web, publicIp: world.publicIp(5) }),
  );
  world.serve(outside, 80);
  const inner = await world.bridge('inner', { isInternal: true });
  const [one, two] = [await world.join(inner, 'one'), await world.join(inner, 'two')];
  world.serve(two.netnsPath, 80);
  assert.equal(await ask(one.netnsPath, two.privateIp), one.privateIp);
  await run(one.netnsPath, 'ip', 'route', 'add', 'default', 'via', inner.gateway);
  assert.equal(await ask(one.netnsPath, world.publicIp(5)), 'unreachable', 'also not for who adds the route');
});

test('published ports lead in from everywhere, and end with the sandbox', async () => {
  await using world = await startedWorld();
  const { bridges } = world.plane;
  const [red, blue] = [await world.bridge('red'), await world.bridge('blue')];
  const server = await world.join(red, 'server');
  const neighbour = await world.join(red, 'neighbour');
  const stranger = await world.join(blue, 'stranger');
  world.serve(server.netnsPath, 80);
  const everywhere = { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0' } as const;
  const [fixed, chosen, local] = await bridges.publish('server', [
    { ...everywhere, hostPorts: { first: 8080, last: 8080 } },
    everywhere,
    { ...everywhere, hostIp: '127.0.0.1', hostPorts: { first: 9000, last: 9009 } },
  ]);
  assert.deepEqual([fixed!.hostPort, local!.hostPort], [8080, 9000]);
  const machineAddress = '192.0.2.2';
  for (const from of [undefined, server.netnsPath, neighbour.netnsPath, stranger.netnsPath])
    for (const { hostPort } of [fixed!, chosen!])
      assert.notEqual(await ask(from, machineAddress, hostPort), 'unreachable', `${from} port ${hostPort}`);
  assert.notEqual(await ask(undefined, '127.0.0.1', 8080), 'unreachable');
  assert.notEqual(await ask(undefined, '127.0.0.1', 9000), 'unreachable');
  assert.equal(await ask(undefined, machineAddress, 9000), 'unreachable', 'on loopback alone');
  await assert.rejects(
    bridges.publish('neighbour', [everywhere, { ...everywhere, hostPorts: { first: 8080, last: 8080 } }]),
    { kind: 'ResourceExhausted', message: 'Bind for 0.0.0.0:8080 failed: port is already allocated' },
  );
  assert.deepEqual(bridges.ports('neighbour'), []);
  await bridges.detach('server');
  assert.equal(await ask(undefined, '127.0.0.1', 8080), 'unreachable');
  await bridges.publish('neighbour', [{ ...everywhere, hostPorts: { first: 8080, last: 8080 } }]);
  world.serve(neighbour.netnsPath, 80);
  assert.notEqual(await ask(undefined, '127.0.0.1', 8080), 'unreachable', 'free for the next one');
});

test('UDP is published too', async () => {
  await using world = await startedWorld();
  const { netnsPath } = await world.join(await world.bridge('red'), 'server');
  using namespace = openNetworkNamespace(netnsPath)!;
  const server = createSocket('udp4');
  server.on('message', (message, peer) => server.send(message, peer.port, peer.address));
  server.bind({ fd: bindUdp(namespace, { address: '0.0.0.0', port: 7 }) });
  const [port] = await world.plane.bridges.publish('server', [
    { containerPort: 7, protocol: 'udp', hostIp: '127.0.0.1' },
  ]);
  const client = createSocket('udp4');
  const answered = once(client, 'message', { signal: AbortSignal.timeout(20_000) });
  client.send('hello', port!.hostPort, '127.0.0.1');
  assert.equal(String((await answered)[0]), 'hello');
  await Promise.all([server, client].map((socket) => new Promise<void>((closed) => socket.close(() => closed()))));
});

test('detaching the last interface removes the fabric; both may be repeated', async () => {
  await using world = await startedWorld();
  const eni = await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', web);
  const first = await world.plane.attach(eni);
  assert.deepEqual(await world.plane.attach(eni), first);
  assert.deepEqual(world.plane.attached(), ['eni-1']);
  await world.plane.detach('eni-1');
  await world.plane.detach('eni-1');
  assert.deepEqual(world.plane.attached(), []);
  assert.deepEqual(readdirSync(join(world.options.runtimeDirectory, 'netns')), []);
  await world.plane.attach(eni);
  await world.records().networkInterfaces.delete(recordId(eni));
  await eventually(async () => world.plane.attached().length === 0);
  await assert.rejects(world.plane.attach(eni), { kind: 'NotFound' });
  await assert.rejects(world.plane.attach({ ...eni, vpcId: 'vpc-none' }), { kind: 'NotFound' });
});

test('twenty are attached at once', async () => {
  await using world = await startedWorld();
  const enis = await Promise.all(
    Array.from({ length: 20 }, (_, index) => world.eni(`eni-${index}`, 'subnet-a-0', `10.0.1.${10 + index}`, web)),
  );
  const namespaces = await Promise.all(enis.map((eni) => world.attach(eni)));
  world.serve(namespaces[19]!, 80);
  assert.equal(await ask(namespaces[0], '10.0.1.29'), '10.0.1.10');
});

test('a public range that is routed already is refused, two ranges live side by side', async () => {
  await using one = await startedWorld();
  await using two = await startedWorld();
  await using rival = new World({ publicCidr: one.options.publicCidr });
  await assert.rejects(rival.plane.start(), { kind: 'FailedPrecondition', message: /--public-cidr/ });
  const netns = await two.attach(
    await two.eni('eni-1', 'subnet-a-0', '10.0.1.10', { ...web, publicIp: two.publicIp(5) }),
  );
  two.serve(netns, 80);
  await one.plane.destroy();
  assert.notEqual(await ask(undefined, two.publicIp(5)), 'unreachable', 'forwarding stays while somebody needs it');
});

test('what a killed daemon left is adopted, and flows meanwhile', async () => {
  const world = new World();
  await using _ = world;
  const { stateDirectory, runtimeDirectory, publicCidr, instance } = world.options;
  const path = join(world.directory, 'store');
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'victim.ts'),
      JSON.stringify({ path, stateDirectory, runtimeDirectory, publicCidr, instance }),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [kept = '', dropped = ''] = line.toString().trim().split(' ');
  child.kill('SIGKILL');
  await once(child, 'exit');
  world.serve(kept, 80);
  assert.notEqual(await ask(undefined, world.publicIp(5)), 'unreachable', 'while the daemon is dead');
  const store = openSqliteStore({ directory: path, clock: systemClock });
  await using heir = new World({ store, stateDirectory, runtimeDirectory, publicCidr, instance });
  await heir.records().networkInterfaces.delete('000000000000/us-east-1/eni-2');
  await heir.plane.start();
  assert.deepEqual(heir.plane.attached(), ['eni-1']);
  assert.ok(existsSync(kept) && !existsSync(dropped), 'an interface whose record is gone went too');
  assert.notEqual(await ask(undefined, world.publicIp(5)), 'unreachable', 'after adoption');
  assert.match(
    (await run(kept, 'busybox', 'nslookup', '-type=a', 'ip-10-0-1-10.ec2.internal', '10.0.0.2')) ?? '',
    /10\.0\.1\.10/,
  );
  assert.equal(heir.plane.bridges.endpoints('sandbox-1').length, 1);
  assert.equal(heir.plane.bridges.ports('sandbox-1').length, 1);
  const { netnsPath } = heir.plane.bridges.endpoints('sandbox-1')[0]!;
  heir.serve(netnsPath, 80);
  assert.notEqual(await ask(undefined, '127.0.0.1', 8081), 'unreachable', 'the port is still published');
  await heir.setRules('sg-web', { ingress: [] });
  await eventually(async () => (await ask(undefined, world.publicIp(5))) === 'unreachable');
  await heir.plane.stop();
  assert.equal(await ask(undefined, world.publicIp(5)), 'unreachable', 'stopping leaves the rules in force');
});
