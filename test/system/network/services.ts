import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { bindUdp, openNetworkNamespace } from '#kernel';
import { createLinuxNetworkPlane } from '#network/linux';
import {
  recordId,
  type ClusterRules,
  type DnsZone,
  type LoadBalancer,
  type NetworkInterface,
  type ServicePort,
  type TargetGroup,
} from '#network';
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

const key = { vpcId: 'vpc-a', clusterId: 'c1' };
const nothing: ClusterRules = { serviceCidr: '10.100.0.0/16', nodes: [], services: [], policies: [] };

/** A VPC with a group that opens everything among its members. */
async function startedWorld(): Promise<World> {
  const world = new World();
  await world.plane.start();
  const vpcId = await world.vpc('a', '10.0.0.0/16', ['10.0.1.0/24'], { isPublic: true });
  const members = { kind: 'group', groupId: 'sg-nodes' } as const;
  await world.group(vpcId, 'sg-nodes', [{ ...allowAll, peer: members }]);
  return world;
}

async function pod(world: World, last: number, more: Partial<NetworkInterface> = {}): Promise<string> {
  const cluster = { id: 'c1', node: 'n1' };
  const eni = { securityGroupIds: ['sg-nodes'], cluster, ...more };
  return await world.attach(await world.eni(`eni-${last}`, 'subnet-a-0', `10.0.1.${last}`, eni));
}

const backends = (...last: readonly number[]) =>
  ({ kind: 'everywhere', backends: last.map((each) => ({ address: `10.0.1.${each}`, port: 8080 })) }) as const;

function service(routing: ServicePort['internal'], more: Partial<ServicePort> = {}): ServicePort {
  const rest = { addresses: ['10.100.0.7'], externalAddresses: [], internal: routing, external: routing };
  return { id: 'default/web/', protocol: 'tcp', port: 80, ...rest, ...more };
}

async function spread(
  netns: string | undefined,
  address: string,
  count: number,
  port = 80,
): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    const [name = ''] = (await ask(netns, address, port)).split(' ');
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  return seen;
}

test('a service address leads to every backend, to its own pod too, and is refused without any', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  const pods = [await pod(world, 11), await pod(world, 12), await pod(world, 13)];
  const client = await pod(world, 20);
  const stranger = await pod(world, 30, { cluster: { id: 'c2', node: 'n9' } });
  for (const [index, netns] of pods.entries()) world.serve(netns, 8080, `pod-${index}`);
  await cluster.apply({ ...nothing, services: [service(backends(11, 12, 13))] });
  assert.deepEqual([...(await spread(client, '10.100.0.7', 40)).keys()].sort(), ['pod-0', 'pod-1', 'pod-2']);
  assert.match(await ask(client, '10.100.0.7'), / 10\.0\.1\.20$/, 'the client is who it is');
  assert.equal(await ask(stranger, '10.100.0.7'), 'unreachable', 'another cluster does not see it');

  await cluster.apply({ ...nothing, services: [service(backends(11))] });
  assert.equal(await ask(pods[0], '10.100.0.7'), 'pod-0 10.0.0.2', 'a pod reaches itself, as its fabric');
  await cluster.apply({ ...nothing, services: [service(backends())] });
  const refused = await run(client, 'sh', '-c', 'curl -s -m 5 http://10.100.0.7/; echo $?');
  assert.equal(refused?.trim(), '7', 'refused at once');
  await cluster.apply(nothing);
  assert.equal((await run(client, 'sh', '-c', 'curl -s -m 5 http://10.100.0.7/; echo $?'))?.trim(), '7');
});

test('affinity keeps a client with its backend while that lives', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  const pods = [await pod(world, 11), await pod(world, 12), await pod(world, 13)];
  const client = await pod(world, 20);
  for (const [index, netns] of pods.entries()) world.serve(netns, 8080, `pod-${index}`);
  const sticky = (...last: number[]) => ({ ...nothing, services: [service(backends(...last), { affinityS: 60 })] });
  await cluster.apply(sticky(11, 12, 13));
  const first = [...(await spread(client, '10.100.0.7', 20)).keys()];
  assert.equal(first.length, 1);
  const others = [11, 12, 13].filter((last) => `pod-${last - 11}` !== first[0]);
  await cluster.apply(sticky(Number(first[0]!.slice(4)) + 11, others[1]!));
  assert.deepEqual([...(await spread(client, '10.100.0.7', 10)).keys()], first, 'others come and go');
  await cluster.apply(sticky(...others));
  const second = [...(await spread(client, '10.100.0.7', 10)).keys()];
  assert.equal(second.length, 1);
  assert.notDeepEqual(second, first);
});

test('clients and flows of datagrams are not mistaken after a restart', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  const pods = [await pod(world, 11), await pod(world, 12), await pod(world, 13)];
  const client = await pod(world, 20);
  for (const [index, netns] of pods.entries()) world.serve(netns, 8080, `pod-${index}`);
  using near = udpEcho(pods[0]!, 9090, 'near');
  using far = udpEcho(pods[1]!, 9090, 'far');
  using socket = udpEcho(client, 9000, 'client');
  const answered = async () => {
    const answer = once(socket.socket, 'message', { signal: AbortSignal.timeout(8_000) });
    socket.socket.send('hello', 53, '10.100.0.8');
    return String((await answer)[0]);
  };
  const names = (last: number) =>
    service(
      { kind: 'everywhere', backends: [{ address: `10.0.1.${last}`, port: 9090 }] },
      {
        id: 'default/names/dns',
        protocol: 'udp',
        port: 53,
        addresses: ['10.100.0.8'],
      },
    );
  const before = service(backends(12), { id: 'default/gone/http', addresses: ['10.100.0.9'] });
  const sticky = service(backends(11, 12, 13), { affinityS: 600 });
  await cluster.apply({ ...nothing, services: [before, names(11), sticky] });
  const first = [...(await spread(client, '10.100.0.7', 10)).keys()];
  assert.equal(first.length, 1);
  assert.equal(await answered(), 'near');
  await world.plane.stop();
  const heir = createLinuxNetworkPlane(world.options);
  await heir.start();
  const adopted = await heir.clusters.open(key, {});
  await adopted.apply({ ...nothing, services: [names(12), sticky] });
  assert.deepEqual([...(await spread(client, '10.100.0.7', 10)).keys()], first);
  assert.equal(await answered(), 'far');
  assert.ok(near && far);
  await heir.stop();
});

test('node ports answer at nodes, from the machine too, as the groups of the node allow', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  await world.group('vpc-a', 'sg-node', [allowTcp(30080)]);
  const publicIp = world.publicIp(5);
  await pod(world, 5, { publicIp, securityGroupIds: ['sg-nodes', 'sg-node'] });
  await pod(world, 6, { cluster: { id: 'c1', node: 'n2' } });
  const one = await pod(world, 11);
  const client = await pod(world, 20);
  world.serve(one, 8080, 'pod-0');
  const nodes = [
    { name: 'n1', addresses: ['10.0.1.5'] },
    { name: 'n2', addresses: ['10.0.1.6'] },
  ];
  await cluster.apply({ ...nothing, nodes, services: [service(backends(11), { nodePort: 30_080 })] });
  assert.equal(await ask(client, '10.0.1.5', 30_080), 'pod-0 10.0.1.20');
  assert.equal(await ask(client, '10.0.1.6', 30_080), 'pod-0 10.0.1.20');
  assert.match(await ask(undefined, publicIp, 30_080), /^pod-0 /);
  await world.setRules('sg-node', { ingress: [] });
  await eventually(async () => (await ask(undefined, publicIp, 30_080)) === 'unreachable');

  const local = { kind: 'by-node', backends: new Map([['n2', backends(11).backends]]) } as const;
  await cluster.apply({ ...nothing, nodes, services: [service(backends(11), { nodePort: 30_080, external: local })] });
  assert.equal(await ask(client, '10.0.1.5', 30_080), 'unreachable', 'no backend on that node');
  assert.equal(await ask(client, '10.0.1.6', 30_080), 'pod-0 10.0.1.20');
  await cluster.apply({ ...nothing, nodes, services: [service(local)] });
  assert.equal(await ask(client, '10.100.0.7'), 'unreachable', 'no backend on the node of the client');
});

test('policies isolate pods', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  const one = await pod(world, 11);
  const [friend, foe] = [await pod(world, 20), await pod(world, 21)];
  const node = await pod(world, 5);
  for (const port of [8080, 8081]) world.serve(one, port, 'pod-0');
  world.serve(foe, 8080, 'foe');
  const nodes = [{ name: 'n1', addresses: ['10.0.1.5'] }];
  const services = [service(backends(11))];
  const only = (allows: ClusterRules['policies'][number]['allows'], direction: 'ingress' | 'egress' = 'ingress') =>
    ({ ...nothing, nodes, services, policies: [{ id: 'default/p', direction, pods: ['10.0.1.11'], allows }] }) as const;
  await cluster.apply(only([]));
  assert.equal(await ask(friend, '10.0.1.11', 8080), 'unreachable');
  assert.equal(await ask(friend, '10.100.0.7'), 'unreachable');
  assert.equal(await ask(node, '10.0.1.11', 8080), 'pod-0 10.0.1.5', 'the node of a pod always may');
  assert.equal(await ask(one, '10.100.0.7'), 'pod-0 10.0.0.2', 'and the pod itself');
  const ports = [{ protocol: 'tcp', first: 8080 }] as const;
  await cluster.apply(only([{ peers: { addresses: ['10.0.1.20'], blocks: [] }, ports }]));
  assert.equal(await ask(friend, '10.100.0.7'), 'pod-0 10.0.1.20');
  assert.equal(await ask(friend, '10.0.1.11', 8081), 'unreachable');
  assert.equal(await ask(foe, '10.0.1.11', 8080), 'unreachable');
  const blocks = [{ cidr: '10.0.1.0/24', except: ['10.0.1.20/32'] }];
  await cluster.apply(only([{ peers: { addresses: [], blocks }, ports: 'any' }]));
  assert.equal(await ask(foe, '10.0.1.11', 8081), 'pod-0 10.0.1.21');
  assert.equal(await ask(friend, '10.0.1.11', 8080), 'unreachable');
  await cluster.apply(only([], 'egress'));
  assert.equal(await ask(one, '10.0.1.21', 8080), 'unreachable');
  assert.equal(await ask(friend, '10.0.1.11', 8080), 'pod-0 10.0.1.20', 'answers go out');
  await cluster.apply({ ...nothing, nodes, services });
  assert.equal(await ask(one, '10.0.1.21', 8080), 'foe 10.0.1.11');
});

test('names and the API server are served at addresses of the cluster', async () => {
  await using world = await startedWorld();
  const api = createServer((socket) => socket.resume().end(`api ${socket.remoteAddress}\n`));
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const toPort = (api.address() as AddressInfo).port;
  const zone: DnsZone = {
    answer({ name, type }) {
      if (!name.endsWith('.test')) return undefined;
      if (name !== 'web.test') return 'unknown';
      return type === 'A' ? [{ type, name, data: '10.100.0.7' }] : [];
    },
  };
  const client = await pod(world, 20);
  const stranger = await pod(world, 30, { cluster: { id: 'c2', node: 'n9' } });
  const cluster = await world.plane.clusters.open(key, {
    dns: { address: '10.100.0.10', zones: [zone], ready: Promise.resolve() },
    relays: [{ address: '10.100.0.1', port: 443, toPort }],
  });
  await cluster.apply(nothing);
  const lookUp = async (netns: string, name: string) =>
    await run(netns, 'busybox', 'nslookup', '-type=a', name, '10.100.0.10');
  assert.match((await lookUp(client, 'web.test')) ?? '', /Address:\s*10\.100\.0\.7/);
  assert.match((await lookUp(client, 'ip-10-0-1-20.ec2.internal')) ?? '', /10\.0\.1\.20/, "the VPC's names too");
  assert.equal(await ask(client, '10.100.0.1', 443), 'api 127.0.0.2');
  assert.equal(await ask(stranger, '10.100.0.1', 443), 'unreachable');
  await cluster.remove();
  assert.equal(await ask(client, '10.100.0.1', 443), 'unreachable');
  await new Promise((resolve) => api.close(resolve));
});

test('datagrams of an old connection follow the backends', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  const [one, two, client] = [await pod(world, 11), await pod(world, 12), await pod(world, 20)];
  using near = udpEcho(one, 8080, 'pod-0');
  using far = udpEcho(two, 8080, 'pod-1');
  using socket = udpEcho(client, 9000, 'client');
  const seen = async (address = '10.100.0.7', port = 80) => {
    const answered = once(socket.socket, 'message', { signal: AbortSignal.timeout(8_000) });
    socket.socket.send('hello', port, address);
    return String((await answered)[0]);
  };
  const udp = (...last: number[]) => ({ ...nothing, services: [service(backends(...last), { protocol: 'udp' })] });
  await cluster.apply(udp(11));
  assert.equal(await seen(), 'pod-0');
  assert.equal(await seen(), 'pod-0');
  await cluster.apply(udp(12));
  assert.equal(await seen(), 'pod-1');

  const nodes = [{ name: 'n1', addresses: ['10.0.1.5'] }];
  await pod(world, 5);
  const atNode = (...last: number[]) => ({
    ...nothing,
    nodes,
    services: [service(backends(...last), { protocol: 'udp', nodePort: 30_080 })],
  });
  await cluster.apply(atNode());
  socket.socket.send('hello', 30_080, '10.0.1.5'); // goes to the node itself, where nobody is
  await run(client, 'busybox', 'ping', '-c', '1', '-W', '1', '10.0.1.5');
  await cluster.apply(atNode(11));
  assert.equal(await seen('10.0.1.5', 30_080), 'pod-0');

  assert.equal(await seen('10.0.1.12', 8080), 'pod-1', 'the pod itself');
  const claimed = service(backends(11), { protocol: 'udp', port: 8080, externalAddresses: ['10.0.1.12'] });
  await cluster.apply({ ...nothing, services: [claimed] });
  assert.equal(await seen('10.0.1.12', 8080), 'pod-0', 'the service that claims its address');
  assert.ok(near && far);
});

test('nothing is lost while backends come and go', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  const pods = [await pod(world, 11), await pod(world, 12), await pod(world, 13)];
  const client = await pod(world, 20);
  for (const [index, netns] of pods.entries()) world.serve(netns, 8080, `pod-${index}`);
  await cluster.apply({ ...nothing, services: [service(backends(11))] });
  const loop = 'for i in $(seq 100); do curl -s --http0.9 -m 2 http://10.100.0.7/ || echo failed $?; done';
  const traffic = run(client, 'sh', '-c', loop);
  const over = new AbortController();
  void traffic.finally(() => over.abort());
  const turns = [[11, 12], [12], [12, 13], [11, 13], [11, 12, 13], [13]];
  for (let turn = 0; !over.signal.aborted; turn++)
    await cluster.apply({ ...nothing, services: [service(backends(...turns[turn % turns.length]!))] });
  const answers = (await traffic)!.trim().split('\n');
  assert.equal(answers.length, 100);
  assert.deepEqual(
    answers.filter((line) => !line.startsWith('pod-')),
    [],
  );
});

test('rules outlive the process, and the next one keeps or removes them', async () => {
  await using world = await startedWorld();
  const cluster = await world.plane.clusters.open(key, {});
  const other = await world.plane.clusters.open({ ...key, clusterId: 'c2' }, {});
  const [one, client] = [await pod(world, 11), await pod(world, 20)];
  const stranger = await pod(world, 30, { cluster: { id: 'c2', node: 'n9' } });
  world.serve(one, 8080, 'pod-0');
  const rules = { ...nothing, services: [service(backends(11))] };
  await Promise.all([cluster.apply(rules), other.apply(rules)]);
  await world.plane.stop();
  assert.equal(await ask(client, '10.100.0.7'), 'pod-0 10.0.1.20');
  const heir = createLinuxNetworkPlane(world.options);
  await heir.start();
  assert.equal(await ask(client, '10.100.0.7'), 'pod-0 10.0.1.20', 'before anybody spoke for the cluster');
  await heir.clusters.retain([key]);
  assert.equal(await ask(client, '10.100.0.7'), 'pod-0 10.0.1.20');
  assert.equal(await ask(stranger, '10.100.0.7'), 'unreachable', 'the cluster that is gone');
  const adopted = await heir.clusters.open(key, {});
  await adopted.apply(nothing);
  assert.equal(await ask(client, '10.100.0.7'), 'unreachable');
  await heir.stop();
});

const owned = { tenant: '000000000000', region: 'us-east-1', tags: {}, createdAt: 0 };
const healthCheck = {
  protocol: 'tcp',
  path: '/',
  matcher: '200-399',
  intervalS: 0.2,
  timeoutS: 0.5,
  healthyThreshold: 2,
  unhealthyThreshold: 2,
} as const;

/** A load balancer with one listener, at port 80, before targets at port 8080. */
async function balance(
  world: World,
  targets: TargetGroup['targets'],
  more: { readonly group?: Partial<TargetGroup>; readonly balancer?: Partial<LoadBalancer> } = {},
): Promise<LoadBalancer> {
  const { targetGroups, loadBalancers } = world.records();
  const group = {
    ...owned,
    id: 'tg-1',
    vpcId: 'vpc-a',
    protocols: ['tcp'],
    preservesClientIp: true,
    targets,
    healthCheck,
  } as const;
  await targetGroups.create(recordId(group), { ...group, ...more.group });
  const balancer: LoadBalancer = {
    ...owned,
    id: 'lb-1',
    vpcId: 'vpc-a',
    dnsName: 'web-1.elb.us-east-1.amazonaws.com',
    zones: [{ zone: 'us-east-1a', subnetId: 'subnet-a-0', privateIp: '10.0.1.200', publicIp: world.publicIp(9) }],
    securityGroupIds: [],
    crossesZones: false,
    listeners: [{ protocols: ['tcp'], port: 80, targetGroupId: 'tg-1' }],
    ...more.balancer,
  };
  await loadBalancers.create(recordId(balancer), balancer);
  return balancer;
}

const target = (last: number, port = 8080) => ({ address: `10.0.1.${last}`, port, zone: 'us-east-1a' });

async function healthOf(world: World, last: number, port = 8080): Promise<string | undefined> {
  const seen = await world.records().targetHealth.get('000000000000/us-east-1/tg-1');
  return seen?.value.targets[`10.0.1.${last}:${port}`]?.state;
}

test('a load balancer leads to healthy targets, from the machine and from inside', async () => {
  await using world = await startedWorld();
  await world.group('vpc-a', 'sg-open', [allowTcp(8080)]);
  const open = { securityGroupIds: ['sg-nodes', 'sg-open'] };
  const [one, two, client] = [await pod(world, 11, open), await pod(world, 12, open), await pod(world, 20)];
  world.serve(one, 8080, 'pod-0');
  const balancer = await balance(world, [target(11), target(12)]);
  const address = balancer.zones[0]!.publicIp!;
  await eventually(
    async () => (await healthOf(world, 11)) === 'healthy' && (await healthOf(world, 12)) === 'unhealthy',
  );
  assert.deepEqual([...(await spread(undefined, address, 10)).keys()], ['pod-0']);
  assert.match(await ask(client, '10.0.1.200'), /^pod-0 10\.0\.1\.20$/);
  const found = await run(client, 'busybox', 'nslookup', '-type=a', balancer.dnsName, '10.0.0.2');
  assert.match(found ?? '', new RegExp(`Address:\\s*${address}`));
  world.serve(two, 8080, 'pod-1');
  await eventually(async () => (await healthOf(world, 12)) === 'healthy');
  await eventually(async () => (await spread(undefined, address, 20)).size === 2);

  await world.records().loadBalancers.update(recordId(balancer), (seen) => ({ ...seen, listeners: [] }));
  await eventually(async () => (await ask(undefined, address)) === 'unreachable');
  await world.store.txn({ success: [world.records().loadBalancers.remove(recordId(balancer))] });
  await eventually(async () => !(await run(undefined, 'ip', 'route'))?.includes(address));
});

test('groups guard a load balancer, and targets guard themselves against it', async () => {
  await using world = await startedWorld();
  await world.group('vpc-a', 'sg-lb', []);
  const targetGroup = { kind: 'cidr', cidr: '10.0.1.200/32' } as const;
  await world.group('vpc-a', 'sg-from-lb', [allowTcp(8080, targetGroup)]);
  const one = await pod(world, 11, { securityGroupIds: ['sg-from-lb'] });
  world.serve(one, 8080, 'pod-0');
  const balancer = await balance(world, [target(11)], {
    balancer: { securityGroupIds: ['sg-lb'] },
    group: { preservesClientIp: false },
  });
  const address = balancer.zones[0]!.publicIp!;
  await eventually(async () => (await healthOf(world, 11)) === 'healthy');
  assert.equal(await ask(undefined, address), 'unreachable', 'the group of the load balancer lets nobody in');
  await world.setRules('sg-lb', { ingress: [allowTcp(80)] });
  await eventually(async () => (await ask(undefined, address)) === 'pod-0 10.0.1.200');
  await world.setRules('sg-from-lb', { ingress: [] });
  await eventually(async () => (await ask(undefined, address)) === 'unreachable');
  await eventually(async () => (await healthOf(world, 11)) === 'unhealthy');
});

test('a load balancer before node ports goes to the pods behind them', async () => {
  await using world = await startedWorld();
  await world.group('vpc-a', 'sg-node', [allowTcp(30_080)]);
  const cluster = await world.plane.clusters.open(key, {});
  await pod(world, 5, { securityGroupIds: ['sg-nodes', 'sg-node'] });
  const one = await pod(world, 11);
  world.serve(one, 8080, 'pod-0');
  const nodes = [{ name: 'n1', addresses: ['10.0.1.5'] }];
  await cluster.apply({ ...nothing, nodes, services: [service(backends(11), { nodePort: 30_080 })] });
  const balancer = await balance(world, [target(5, 30_080)]);
  const address = balancer.zones[0]!.publicIp!;
  await eventually(async () => (await healthOf(world, 5, 30_080)) === 'healthy');
  await eventually(async () => (await ask(undefined, address)).startsWith('pod-0 '));
  await world.setRules('sg-node', { ingress: [] });
  await eventually(async () => (await ask(undefined, address)) === 'unreachable');
});

/** A UDP socket that answers everything with its name, unless it is the client. */
function udpEcho(netnsPath: string, port: number, name: string): Disposable & { readonly socket: Socket } {
  using namespace = openNetworkNamespace(netnsPath)!;
  const socket = createSocket('udp4');
  if (name !== 'client') socket.on('message', (_message, peer) => socket.send(name, peer.port, peer.address));
  socket.bind({ fd: bindUdp(namespace, { address: '0.0.0.0', port }) });
  return { socket, [Symbol.dispose]: () => socket.close() };
}
