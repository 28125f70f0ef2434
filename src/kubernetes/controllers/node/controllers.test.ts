import { isoSeconds } from '#base';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leases, nodes, pods } from '../../resources.ts';
import type { Node, PodSpec } from '../../types.ts';
import { conditionOf } from '../conditions.ts';
import { type Harness, harness } from '../harness.ts';
import { nodeLifecycleController } from './lifecycle.ts';
import { podGarbageCollector } from './pod-gc.ts';
import { taintEvictionController } from './taint-eviction.ts';

const start = () =>
  harness((parts) => [nodeLifecycleController(parts), taintEvictionController(parts), podGarbageCollector(parts)]);

const get = (run: Harness, name: string) => run.client.get(nodes, { name });
const taints = async (run: Harness, name: string) =>
  ((await get(run, name)).spec?.taints ?? []).map(
    ({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`,
  );

async function heartbeat(
  run: Harness,
  name: string,
  ready = 'True',
  more: NonNullable<Node['status']>['conditions'] = [],
): Promise<void> {
  const lastHeartbeatTime = isoSeconds(run.clock.now());
  const conditions = [{ type: 'Ready', status: ready, lastHeartbeatTime }, ...more];
  await run.setStatus(nodes, await get(run, name), { conditions });
  await run.settle();
}

async function renew(run: Harness, name: string): Promise<void> {
  const spec = { renewTime: new Date(run.clock.now()).toISOString() };
  const body = { spec };
  await run.client.patch(leases, { namespace: 'kube-node-lease', name }, { kind: 'merge', body });
  await run.settle();
}

async function addNode(run: Harness, name: string): Promise<void> {
  await run.client.create(nodes, {
    metadata: { name },
    spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] },
  });
  await run.client.create(leases, { metadata: { namespace: 'kube-node-lease', name }, spec: {} });
  await heartbeat(run, name);
}

async function addPod(run: Harness, name: string, spec: Partial<PodSpec>): Promise<void> {
  await run.client.create(pods, { metadata: { namespace: 'default', name }, spec: { containers: [], ...spec } });
  await run.settle();
}

const isLeaving = async (run: Harness, name: string) =>
  (await run.client.get(pods, { namespace: 'default', name })).metadata!.deletionTimestamp !== undefined;

test('a node is taken into use when it is ready, and taken out by its conditions', async () => {
  await using run = start();
  await addNode(run, 'n');
  assert.deepEqual(await taints(run, 'n'), []);
  await heartbeat(run, 'n', 'True', [{ type: 'DiskPressure', status: 'True' }]);
  assert.deepEqual(await taints(run, 'n'), ['disk-pressure:NoSchedule']);
  await run.client.patch(nodes, { name: 'n' }, { kind: 'merge', body: { spec: { unschedulable: true } } });
  await heartbeat(run, 'n', 'True');
  assert.deepEqual(await taints(run, 'n'), ['unschedulable:NoSchedule']);
});

test('a node that falls silent is unknown, its pods do not serve, and those without patience leave', async () => {
  await using run = start();
  await addNode(run, 'well');
  await addNode(run, 'lost');
  const tolerations = [
    { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
  ];
  await addPod(run, 'patient', { nodeName: 'lost', tolerations });
  await addPod(run, 'impatient', { nodeName: 'lost' });
  await run.ready(...run.pods());
  await run.advance(40_000);
  await renew(run, 'well');
  await run.advance(15_000);
  const ready = conditionOf((await get(run, 'lost')).status?.conditions, 'Ready');
  assert.deepEqual([ready?.status, ready?.reason], ['Unknown', 'NodeStatusUnknown']);
  assert.deepEqual(await taints(run, 'lost'), ['unreachable:NoSchedule', 'unreachable:NoExecute']);
  assert.deepEqual(await taints(run, 'well'), []);
  assert.deepEqual([await isLeaving(run, 'impatient'), await isLeaving(run, 'patient')], [true, false]);
  const patient = await run.client.get(pods, { namespace: 'default', name: 'patient' });
  assert.equal(conditionOf(patient.status?.conditions, 'Ready')?.status, 'False');
  await renew(run, 'well');
  await run.advance(300_000);
  assert.ok(await isLeaving(run, 'patient'));
});

test('a node that comes back in time keeps its pods', async () => {
  await using run = start();
  await addNode(run, 'well');
  await addNode(run, 'n');
  const tolerations = [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }];
  await addPod(run, 'p', { nodeName: 'n', tolerations });
  await run.advance(49_000);
  await renew(run, 'well');
  await run.advance(2000);
  assert.equal((await taints(run, 'n')).length, 2);
  await heartbeat(run, 'n');
  assert.deepEqual(await taints(run, 'n'), []);
  await run.advance(10_000);
  assert.equal(await isLeaving(run, 'p'), false);
});

test('patience with a taint that does not say when it came ends all the same', async () => {
  await using run = start();
  await addNode(run, 'n');
  const patience = (tolerationSeconds: number) => ({
    nodeName: 'n',
    tolerations: [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds }],
  });
  await addPod(run, 'short', patience(5));
  await addPod(run, 'long', patience(12));
  const taint = async (taints: object[]) => {
    await run.client.patch(nodes, { name: 'n' }, { kind: 'merge', body: { spec: { taints } } });
    await run.settle();
  };
  const maintenance = { key: 'maintenance', effect: 'NoExecute' };
  await taint([maintenance]);
  await run.advance(4000);
  assert.equal(await isLeaving(run, 'short'), false);
  // Whatever else becomes of the node does not begin the count anew.
  await taint([maintenance, { key: 'other', effect: 'NoSchedule' }]);
  await run.advance(1000);
  assert.deepEqual([await isLeaving(run, 'short'), await isLeaving(run, 'long')], [true, false]);
  await taint([]);
  await run.advance(20_000);
  await taint([maintenance]);
  await run.advance(8000);
  assert.equal(await isLeaving(run, 'long'), false);
  await run.advance(4000);
  assert.ok(await isLeaving(run, 'long'));
});

test('when no node is heard of, nobody is sent away', async () => {
  await using run = start();
  await addNode(run, 'n');
  await addPod(run, 'p', { nodeName: 'n' });
  await run.advance(60_000);
  assert.deepEqual(await taints(run, 'n'), ['unreachable:NoSchedule']);
  assert.equal(await isLeaving(run, 'p'), false);
});

test('pods of a node that is gone are gone', async () => {
  await using run = start();
  await addNode(run, 'n');
  await addPod(run, 'p', { nodeName: 'n' });
  await run.client.delete(nodes, { name: 'n' });
  await run.settle();
  assert.equal(run.client.all(pods).length, 0);
});
