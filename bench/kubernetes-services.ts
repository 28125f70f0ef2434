/**
 * How long the rules of a cluster's services take: all of them at first, then one backend in place of another, one more, one less, one service more.
 *   node bench/kubernetes-services.ts [services] [backends each]          (as root; in a network namespace of its own)
 * From the copies of the objects to rules in force in the kernel: what a pod waits between its readiness and its first connection, less the watch.
 */
import { spawnSync } from 'node:child_process';
import { MemoryClient } from '../src/kubernetes/client/memory-client.ts';
import { MemoryInformers } from '../src/kubernetes/client/memory-informers.ts';
import { networkCopies } from '../src/kubernetes/proxy/copies.ts';
import { RuleBook } from '../src/kubernetes/proxy/rules.ts';
import { endpointSlices, services } from '../src/kubernetes/resources.ts';
import { World, allowAll } from '../test/system/network/world.ts';

const ROUNDS = 21;
const [serviceCount = 1000, backendCount = 10] = process.argv.slice(2).map(Number);

if (process.env['DABBA_BENCH_NAMESPACE'] === undefined) {
  const setup = 'mount --make-rprivate / && ip link set lo up && exec "$0" "$@"';
  const self = [process.execPath, import.meta.filename, String(serviceCount), String(backendCount)];
  const { status } = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', setup, ...self], {
    stdio: 'inherit',
    env: { ...process.env, DABBA_BENCH_NAMESPACE: '1' },
  });
  process.exitCode = status ?? 1;
} else await measure();

async function measure(): Promise<void> {
  const client = new MemoryClient();
  const name = (index: number) => ({ name: `s-${index}`, namespace: 'default' });
  const address = (service: number, backend: number) => `10.${backend % 250}.${service >> 8}.${service & 255}`;
  const endpoints = (service: number, backends: readonly number[]) =>
    backends.map((backend) => ({ addresses: [address(service, backend)] }));
  const all = Array.from({ length: backendCount }, (_, backend) => backend);
  const make = async (index: number) => {
    const clusterIP = `10.100.${index >> 8}.${index & 255}`;
    await client.create(services, {
      metadata: name(index),
      spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80 }] },
    });
    const labels = { 'kubernetes.io/service-name': `s-${index}` };
    const metadata = { ...name(index), labels };
    const ports = [{ name: '', port: 8080 }];
    await client.create(endpointSlices, { metadata, addressType: 'IPv4', endpoints: endpoints(index, all), ports });
  };
  const change = async (index: number, backends: readonly number[]) => {
    const slice = await client.get(endpointSlices, name(index));
    await client.update(endpointSlices, { ...slice, endpoints: endpoints(index, backends) });
  };

  await using world = new World();
  await world.plane.start();
  await world.vpc('a', '10.0.0.0/8', ['10.0.1.0/24'], { isPublic: false });
  await world.group('vpc-a', 'sg-all', [allowAll]);
  const cluster = { id: 'c1', node: 'n1' };
  await world.attach(await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', { securityGroupIds: ['sg-all'], cluster }));
  const network = await world.plane.clusters.open({ vpcId: 'vpc-a', clusterId: 'c1' }, {});
  for (let index = 0; index < serviceCount; index++) await make(index);
  const copies = networkCopies(new MemoryInformers(client));
  // The copies for tests have no real index; a lookup by one would be most of what is measured.
  const { slices } = copies;
  const byKey: typeof slices = {
    get: (key) => slices.get(key),
    list: (namespace) => slices.list(namespace),
    by: (_index, key) => [slices.get(key)].filter((slice) => slice !== undefined),
    synced: async () => await slices.synced(),
    onChange: (handler) => slices.onChange(handler),
  };
  const book = new RuleBook({ ...copies, slices: byKey }, '10.100.0.0/16');
  const unfollow = book.follow(() => {});

  const timed = async (act: () => Promise<void>): Promise<number> => {
    await act();
    const start = performance.now();
    await network.apply(book.read());
    return performance.now() - start;
  };
  const median = async (act: (round: number) => Promise<void>): Promise<string> => {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await timed(() => act(round)));
    times.sort((a, b) => a - b);
    return `${times[ROUNDS >> 1]!.toFixed(1)} ms (${times[0]!.toFixed(1)} to ${times.at(-1)!.toFixed(1)})`;
  };

  console.log(`${serviceCount} services of ${backendCount} backends, ${ROUNDS} rounds, median (min to max)`);
  console.log(`all rules at once       ${(await timed(async () => {})).toFixed(0)} ms`);
  const swap = await median((round) => change(7, [...all.slice(1), backendCount + (round % 2)]));
  console.log(`one backend for another ${swap}`);
  const grow = await median((round) => change(9, round % 2 ? all : [...all, backendCount]));
  console.log(`one more, one less      ${grow}`);
  console.log(`one more service        ${await median((round) => make(serviceCount + round))}`);
  console.log(`nothing changed         ${await median(async () => {})}`);
  unfollow();
}
