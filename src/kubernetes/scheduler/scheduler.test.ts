import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '../controllers/conditions.ts';
import { type Harness, harness } from '../controllers/harness.ts';
import { nodes, pods, podDisruptionBudgets } from '../resources.ts';
import type { Node, Pod, PodSpec } from '../types.ts';
import { runScheduler } from './scheduler.ts';

/** A harness with a scheduler in the place of controllers. */
function start(): Harness {
  const stop = new AbortController();
  const run = harness(() => []);
  const ended = runScheduler(run.parts, stop.signal);
  return {
    ...run,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
      await run[Symbol.asyncDispose]();
    },
  };
}

interface NodeOptions {
  readonly cpu?: string;
  readonly labels?: Record<string, string>;
  readonly taints?: NonNullable<Node['spec']>['taints'];
  readonly pods?: string;
}

async function addNode(run: Harness, name: string, { cpu = '2', labels = {}, taints, pods = '10' }: NodeOptions = {}) {
  const all = { 'kubernetes.io/hostname': name, ...labels };
  const node = await run.client.create(nodes, { metadata: { name, labels: all }, spec: { ...(taints && { taints }) } });
  await run.setStatus(nodes, node, { allocatable: { cpu, memory: '4Gi', pods } });
}

interface PodOptions extends Partial<PodSpec> {
  readonly cpu?: string;
  readonly labels?: Record<string, string>;
}

async function addPod(run: Harness, name: string, { cpu, labels, ...spec }: PodOptions = {}): Promise<void> {
  const resources = cpu ? { requests: { cpu } } : {};
  await run.client.create(pods, {
    metadata: { namespace: 'default', name, ...(labels && { labels }) },
    spec: { containers: [{ name: 'c', image: 'i', resources }], ...spec },
  });
  await run.settle();
}

const get = (run: Harness, name: string): Promise<Pod> => run.client.get(pods, { namespace: 'default', name });
const nodeOf = async (run: Harness, name: string) => (await get(run, name)).spec!.nodeName;
const whyNot = async (run: Harness, name: string) =>
  conditionOf((await get(run, name)).status?.conditions, 'PodScheduled')?.message;

test('a pod is bound to a node with room, and told so', async () => {
  await using run = start();
  await addNode(run, 'small', { cpu: '500m' });
  await addNode(run, 'large', { cpu: '4' });
  await addPod(run, 'p', { cpu: '1' });
  assert.equal(await nodeOf(run, 'p'), 'large');
  assert.deepEqual(run.said(), ['Scheduled: Successfully assigned default/p to large']);
});

test('a pod without a place says why in upstream words, and comes when there is room', async () => {
  await using run = start();
  await addNode(run, 'n1', { cpu: '1' });
  await addNode(run, 'n2', { cpu: '1' });
  await addPod(run, 'p', { cpu: '3' });
  const message =
    '0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
  assert.equal(await whyNot(run, 'p'), message);
  assert.deepEqual(run.said(), [`FailedScheduling: ${message}`]);
  await addNode(run, 'n3', { cpu: '4' });
  await run.advance(1000);
  assert.equal(await nodeOf(run, 'p'), 'n3');
});

test('a pod that is there before the first node comes with it', async () => {
  await using run = start();
  await addPod(run, 'p');
  assert.match((await whyNot(run, 'p')) ?? '', /^no nodes available to schedule pods/);
  await addNode(run, 'n1');
  await run.advance(1000);
  assert.equal(await nodeOf(run, 'p'), 'n1');
});

test('what a pod holds is free again when it ends', async () => {
  await using run = start();
  await addNode(run, 'n1', { cpu: '1' });
  await addPod(run, 'first', { cpu: '1' });
  await addPod(run, 'second', { cpu: '1' });
  assert.equal(
    await whyNot(run, 'second'),
    '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  );
  await run.setStatus(pods, await get(run, 'first'), { phase: 'Succeeded' });
  await run.advance(1000);
  assert.equal(await nodeOf(run, 'second'), 'n1');
});

test('selectors, taints, ports and cordons keep pods away', async () => {
  await using run = start();
  const taints = [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }];
  await addNode(run, 'tainted', { taints, labels: { disk: 'ssd' } });
  await addPod(run, 'plain');
  assert.match(
    (await whyNot(run, 'plain'))!,
    /^0\/1 nodes are available: 1 node\(s\) had untolerated taint \{dedicated: db\}\./,
  );
  const tolerations = [{ key: 'dedicated', operator: 'Exists' }];
  await addPod(run, 'tolerant', { tolerations });
  assert.equal(await nodeOf(run, 'tolerant'), 'tainted');
  await addPod(run, 'picky', { tolerations, nodeSelector: { disk: 'hdd' } });
  assert.match((await whyNot(run, 'picky'))!, /1 node\(s\) didn't match Pod's node affinity\/selector\./);
  const containers = [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 80 }] }];
  await addPod(run, 'port', { tolerations, containers });
  await addPod(run, 'port-too', { tolerations, containers });
  assert.match((await whyNot(run, 'port-too'))!, /1 node\(s\) didn't have free ports for the requested pod ports\./);
  await run.client.patch(nodes, { name: 'tainted' }, { kind: 'merge', body: { spec: { unschedulable: true } } });
  await addPod(run, 'cordoned', { tolerations });
  assert.match((await whyNot(run, 'cordoned'))!, /1 node\(s\) were unschedulable\./);
});

test('affinity brings pods together and keeps them apart', async () => {
  await using run = start();
  for (const name of ['a', 'b', 'c']) await addNode(run, name, { labels: { zone: name === 'c' ? 'z2' : 'z1' } });
  const term = (topologyKey: string) => ({ topologyKey, labelSelector: { matchLabels: { app: 'x' } } });
  const apart = {
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('kubernetes.io/hostname')] },
  };
  for (const name of ['x1', 'x2', 'x3']) await addPod(run, name, { labels: { app: 'x' }, affinity: apart });
  const places = await Promise.all(['x1', 'x2', 'x3'].map((name) => nodeOf(run, name)));
  assert.deepEqual(new Set(places), new Set(['a', 'b', 'c']));
  await addPod(run, 'x4', { labels: { app: 'x' }, affinity: apart });
  assert.match((await whyNot(run, 'x4'))!, /3 node\(s\) didn't match pod anti-affinity rules/);
  await addPod(run, 'guest', { labels: { app: 'x' } });
  assert.match((await whyNot(run, 'guest'))!, /3 node\(s\) didn't satisfy existing pods anti-affinity rules/);
  const together = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('zone')] } };
  await addPod(run, 'friend', { affinity: together });
  assert.ok(await nodeOf(run, 'friend'));
});

test('the first of a group that wants to be together may begin', async () => {
  await using run = start();
  await addNode(run, 'a');
  await addNode(run, 'b');
  const terms = [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } }];
  const affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } };
  for (const name of ['x1', 'x2', 'x3']) await addPod(run, name, { labels: { app: 'x' }, affinity });
  assert.equal(new Set(await Promise.all(['x1', 'x2', 'x3'].map((name) => nodeOf(run, name)))).size, 1);
  await addPod(run, 'y', {
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { ...terms[0]!, labelSelector: { matchLabels: { app: 'none' } } },
        ],
      },
    },
  });
  assert.match((await whyNot(run, 'y'))!, /2 node\(s\) didn't match pod affinity rules/);
});

test('pods are spread within their skew', async () => {
  await using run = start();
  for (const [name, zone] of [
    ['a', 'z1'],
    ['b', 'z1'],
    ['c', 'z2'],
  ] as const)
    await addNode(run, name, { labels: { zone } });
  const topologySpreadConstraints = [
    {
      maxSkew: 1,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'x' } },
    },
  ];
  for (let index = 0; index < 6; index++)
    await addPod(run, `x${index}`, { labels: { app: 'x' }, topologySpreadConstraints });
  const zones = run.pods().map(({ spec }) => (spec!.nodeName === 'c' ? 'z2' : 'z1'));
  assert.equal(zones.filter((zone) => zone === 'z2').length, 3);
  await addNode(run, 'bare');
  await run.client.delete(nodes, { name: 'c' });
  await addPod(run, 'more', {
    labels: { app: 'x' },
    topologySpreadConstraints,
    nodeSelector: { 'kubernetes.io/hostname': 'bare' },
  });
  assert.match((await whyNot(run, 'more'))!, /didn't match/);
});

test('a pod of higher priority takes the place of the least important', async () => {
  await using run = start();
  await addNode(run, 'n', { cpu: '2' });
  await addPod(run, 'low', { cpu: '1', priority: 1 });
  await addPod(run, 'middle', { cpu: '1', priority: 5 });
  await addPod(run, 'high', { cpu: '1', priority: 10 });
  assert.ok((await get(run, 'low')).metadata!.deletionTimestamp, 'low is on its way out');
  assert.equal((await get(run, 'middle')).metadata!.deletionTimestamp, undefined);
  assert.equal((await get(run, 'high')).status!.nominatedNodeName, 'n');
  assert.equal(
    conditionOf((await get(run, 'low')).status?.conditions, 'DisruptionTarget')?.reason,
    'PreemptionByScheduler',
  );
  // Nobody of lower priority slips into the gap.
  await addPod(run, 'cheeky', { cpu: '1', priority: 0 });
  await run.client.delete(pods, { namespace: 'default', name: 'low' }, { gracePeriodSeconds: 0 });
  await run.advance(10_000);
  assert.equal(await nodeOf(run, 'high'), 'n');
  assert.equal(await nodeOf(run, 'cheeky'), undefined);
});

test('preemption spares what a budget protects, and never happens for those who may not', async () => {
  await using run = start();
  await addNode(run, 'a', { cpu: '1' });
  await addPod(run, 'guarded', { cpu: '1', labels: { app: 'guarded' } });
  await addNode(run, 'b', { cpu: '1' });
  await addPod(run, 'free', { cpu: '1' });
  const budget = await run.client.create(podDisruptionBudgets, {
    metadata: { namespace: 'default', name: 'b' },
    spec: { selector: { matchLabels: { app: 'guarded' } }, minAvailable: 1 },
  });
  await run.setStatus(podDisruptionBudgets, budget, { disruptionsAllowed: 0 });
  await addPod(run, 'polite', { cpu: '1', priority: 9, preemptionPolicy: 'Never' });
  assert.match((await whyNot(run, 'polite'))!, /preemption: not eligible due to preemptionPolicy=Never\.$/);
  await addPod(run, 'high', { cpu: '1', priority: 10 });
  assert.equal((await get(run, 'guarded')).metadata!.deletionTimestamp, undefined);
  assert.ok((await get(run, 'free')).metadata!.deletionTimestamp);
});

test('a gated pod waits until its gates are gone', async () => {
  await using run = start();
  await addNode(run, 'n');
  await addPod(run, 'p', { schedulingGates: [{ name: 'example.com/wait' }] });
  assert.equal(conditionOf((await get(run, 'p')).status?.conditions, 'PodScheduled')?.reason, 'SchedulingGated');
  await run.client.patch(
    pods,
    { namespace: 'default', name: 'p' },
    { kind: 'merge', body: { spec: { schedulingGates: null } } },
  );
  await run.settle();
  assert.equal(await nodeOf(run, 'p'), 'n');
});

test('without nodes, and for another scheduler, nothing is bound', async () => {
  await using run = start();
  await addPod(run, 'p');
  assert.equal(await whyNot(run, 'p'), 'no nodes available to schedule pods');
  await addNode(run, 'n');
  await addPod(run, 'other', { schedulerName: 'other' });
  assert.equal(await nodeOf(run, 'other'), undefined);
});

test('a binding that fails is taken back and tried again', async () => {
  await using run = start();
  await addNode(run, 'n', { cpu: '1' });
  const post = run.client.post.bind(run.client);
  let isBroken = true;
  run.client.post = async (type, name, subresource, body) => {
    if (isBroken) throw new Error('away');
    return post(type, name, subresource, body);
  };
  await addPod(run, 'p', { cpu: '1' });
  assert.equal(await nodeOf(run, 'p'), undefined);
  isBroken = false;
  await run.advance(1000);
  assert.equal(await nodeOf(run, 'p'), 'n');
});
