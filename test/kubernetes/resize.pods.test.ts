/** Resources of running containers changed in place, as upstream's sig-node tests ask; the containers' own cgroups say what they have. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { busybox } from '../harness/dabba.ts';
import { type Json, until } from './api.ts';
import { type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'resize');
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

const options = { timeout: 90_000 };

/** Processor time in thousandths of a core, memory in MiB; a number for both request and limit, or one for each. */
type Amount = number | readonly [request: number, limit: number];
interface Asked {
  readonly cpu?: Amount;
  readonly memory?: Amount;
}

function resourcesOf({ cpu, memory }: Asked): Json {
  const pick = (index: 0 | 1) => ({
    ...(cpu !== undefined && { cpu: `${typeof cpu === 'number' ? cpu : cpu[index]}m` }),
    ...(memory !== undefined && { memory: `${typeof memory === 'number' ? memory : memory[index]}Mi` }),
  });
  return { requests: pick(0), limits: pick(1) };
}

const container = (name: string, asked: Asked, rest: Json = {}): Json => ({
  name,
  image: busybox,
  command: ['sh', '-c', 'trap exit TERM; while :; do sleep 1; done'],
  resources: resourcesOf(asked),
  ...rest,
});

async function start(name: string, containers: Json): Promise<Json> {
  return await pods.ready({ metadata: { name }, spec: { terminationGracePeriodSeconds: 1, containers } });
}

const path = (name: string): string => pods.path('pods', name);
const patchOf = (containers: { readonly [name: string]: Asked }): Json => ({
  spec: { containers: Object.entries(containers).map(([name, asked]) => ({ name, resources: resourcesOf(asked) })) },
});

async function resize(name: string, containers: { readonly [name: string]: Asked }): Promise<Json> {
  return await cluster.api.patch(`${path(name)}/resize`, patchOf(containers), 'strategic');
}

/** Waits until the status says that every container has what it is to have, and looks into its cgroup. */
async function expect(name: string, containers: { readonly [name: string]: Asked }, restarts = 0): Promise<Json> {
  const isDone = ({ spec, status }: Json): boolean =>
    status.conditions.every(({ type }: Json) => !type.startsWith('PodResize')) &&
    status.containerStatuses.every((each: Json) => {
      const asked = spec.containers.find((it: Json) => it.name === each.name);
      return each.state.running && JSON.stringify(each.resources) === JSON.stringify(asked.resources);
    });
  const pod = await until(cluster.api, path(name), isDone);
  const restarted = pod.status.containerStatuses.reduce((sum: number, each: Json) => sum + each.restartCount, 0);
  assert.equal(restarted, restarts);
  for (const [of, { cpu, memory }] of Object.entries(containers)) {
    const [quota, bytes] = await limitsOf(name, of);
    if (cpu !== undefined)
      assert.equal(quota, (typeof cpu === 'number' ? cpu : cpu[1]) * 100, `processor time of ${of}`);
    if (memory !== undefined)
      assert.equal(bytes, (typeof memory === 'number' ? memory : memory[1]) * 2 ** 20, `memory of ${of}`);
  }
  return pod;
}

/** Microseconds of each tenth of a second, and bytes. */
async function limitsOf(name: string, of: string): Promise<readonly number[]> {
  const script =
    'cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us 2>/dev/null || cut -d" " -f1 cpu.max; cat memory/memory.limit_in_bytes 2>/dev/null || cat memory.max';
  const said = await cluster.kubectl('exec', '-n', pods.namespace, name, '-c', of, '--', 'sh', '-c', script);
  return said.trim().split('\n').map(Number);
}

const remove = async (name: string): Promise<void> => {
  await cluster.api.delete(path(name), { gracePeriodSeconds: 0 });
};

const title = '[sig-node] Pod InPlace Resize [1.34+]';

test(`${title} guaranteed 3 containers net increase`, options, async () => {
  const before = { c1: { cpu: 50, memory: 32 }, c2: { cpu: 60, memory: 40 }, c3: { cpu: 70, memory: 48 } };
  await start(
    'up',
    Object.entries(before).map(([name, asked]) => container(name, asked)),
  );
  await expect('up', before);
  const after = { c1: { cpu: 90, memory: 48 }, c2: { cpu: 40, memory: 32 }, c3: { cpu: 110, memory: 64 } };
  await resize('up', after);
  const pod = await expect('up', after);
  assert.equal(pod.status.qosClass, 'Guaranteed');
  await remove('up');
});

test(`${title} guaranteed 3 containers net decrease`, options, async () => {
  const before = { c1: { cpu: 100, memory: 64 }, c2: { cpu: 110, memory: 64 }, c3: { cpu: 120, memory: 64 } };
  await start(
    'down',
    Object.entries(before).map(([name, asked]) => container(name, asked)),
  );
  const after = { c1: { cpu: 60, memory: 48 }, c2: { cpu: 130, memory: 72 }, c3: { cpu: 70, memory: 40 } };
  await resize('down', after);
  await expect('down', after);
  await remove('down');
});

test(`${title} guaranteed 3 containers CPU c1,c3 memory c2,c3 increase; CPU c2 decrease`, options, async () => {
  const before = { c1: { cpu: 50, memory: 32 }, c2: { cpu: 80, memory: 32 }, c3: { cpu: 60, memory: 32 } };
  await start(
    'mixed',
    Object.entries(before).map(([name, asked]) => container(name, asked)),
  );
  const after = { c1: { cpu: 70, memory: 32 }, c2: { cpu: 50, memory: 48 }, c3: { cpu: 90, memory: 64 } };
  await resize('mixed', after);
  await expect('mixed', after);
  await remove('mixed');
});

test(`${title} burstable extended 6 containers - various operations`, options, async () => {
  const restarting = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
  const before = {
    cpu: { cpu: [20, 40] },
    memory: { memory: [16, 32] },
    both: { cpu: [20, 40], memory: [16, 32] },
    down: { cpu: [40, 80], memory: [24, 48] },
    same: { cpu: [20, 40], memory: [16, 32] },
    again: { cpu: [20, 40], memory: [16, 32] },
  } as const;
  await start(
    'six',
    Object.entries(before).map(([name, asked]) => container(name, asked, name === 'again' ? restarting : {})),
  );
  const after = {
    cpu: { cpu: [30, 60] },
    memory: { memory: [24, 48] },
    both: { cpu: [40, 70], memory: [32, 64] },
    down: { cpu: [20, 30], memory: [16, 32] },
    same: before.same,
    again: { cpu: [20, 40], memory: [24, 64] },
  } as const;
  await resize('six', after);
  await expect('six', after, 1);
  await remove('six');
});

test(`${title} burstable extended resize with equivalents`, options, async () => {
  await start('equal', [container('c', { cpu: [100, 200], memory: [32, 64] })]);
  const equivalent = { requests: { cpu: '0.1', memory: '32Mi' }, limits: { cpu: '0.2', memory: '65536Ki' } };
  await cluster.api.patch(
    `${path('equal')}/resize`,
    { spec: { containers: [{ name: 'c', resources: equivalent }] } },
    'strategic',
  );
  await expect('equal', { c: { cpu: [100, 200], memory: [32, 64] } });
  await remove('equal');
});

test(`${title} resize pod via the replace endpoint`, options, async () => {
  await start('put', [container('c', { cpu: 50, memory: 32 })]);
  const after = { cpu: 80, memory: 48 };
  const pod = await cluster.api.get(path('put'));
  pod.spec.containers[0].resources = resourcesOf(after);
  await cluster.api.put(`${path('put')}/resize`, pod);
  await expect('put', { c: after });
  await remove('put');
});
