import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { ClusterRules, NetworkInterface, ServicePort } from '#network';
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
