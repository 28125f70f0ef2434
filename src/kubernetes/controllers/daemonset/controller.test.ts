import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonSets, nodes, pods } from '../../resources.ts';
import type { DaemonSet, Node } from '../../types.ts';
import { type Harness, harness } from '../harness.ts';
import { isReady } from '../pods.ts';
import { daemonSetController } from './controller.ts';
import { targetOf } from './placement.ts';

const start = () => harness((parts) => [daemonSetController(parts)]);
const name = { namespace: 'default', name: 'ds' };

function daemonSet(more: Partial<NonNullable<DaemonSet['spec']>> = {}, spec: object = {}): DaemonSet {
  const labels = { app: 'ds' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'v1' }], ...spec } };
  return { metadata: name, spec: { selector: { matchLabels: labels }, template, ...more } };
}

const addNode = (
  run: Harness,
  name: string,
  spec: NonNullable<Node['spec']> = {},
  labels: Record<string, string> = {},
) => run.client.create(nodes, { metadata: { name, labels }, spec });
const targets = (run: Harness) =>
  run
    .pods()
    .map((pod) => targetOf(pod)!)
    .sort((a, b) => (a < b ? -1 : 1));
const get = (run: Harness) => run.client.get(daemonSets, name);
const setImage = (run: Harness, image: string) =>
  run.client.patch(daemonSets, name, {
    kind: 'merge',
    body: { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } },
  });

async function rollOut(run: Harness, watch: () => void = () => undefined): Promise<void> {
  for (;;) {
    await run.settle();
    watch();
    const unready = run.pods().find((pod) => !isReady(pod));
    if (!unready) return;
    await run.ready(unready);
  }
}

test('each node gets a daemon, late ones too, and the counts say so', async () => {
  await using run = start();
  await addNode(run, 'a');
  await run.client.create(daemonSets, daemonSet());
  await run.settle();
  await addNode(run, 'b');
  await rollOut(run);
  assert.deepEqual(targets(run), ['a', 'b']);
  const { status, metadata } = await get(run);
  assert.deepEqual(status, {
    currentNumberScheduled: 2,
    desiredNumberScheduled: 2,
    numberMisscheduled: 0,
    numberReady: 2,
    observedGeneration: metadata!.generation,
    updatedNumberScheduled: 2,
    numberAvailable: 2,
  });
  const keys = run.pods()[0]!.spec!.tolerations!.map(({ key }) => key);
  assert.ok(keys.includes('node.kubernetes.io/unschedulable') && keys.includes('node.kubernetes.io/not-ready'));
});

test('selectors and taints keep daemons away, cordons do not', async () => {
  await using run = start();
  await addNode(run, 'plain');
  await addNode(
    run,
    'wanted',
    { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
    { disk: 'ssd' },
  );
  await addNode(run, 'tainted', { taints: [{ key: 'x', effect: 'NoSchedule' }] }, { disk: 'ssd' });
  await run.client.create(daemonSets, daemonSet({}, { nodeSelector: { disk: 'ssd' } }));
  await run.settle();
  assert.deepEqual(targets(run), ['wanted']);
  await run.client.patch(nodes, { name: 'wanted' }, { kind: 'merge', body: { metadata: { labels: { disk: null } } } });
  await run.settle();
  assert.deepEqual(targets(run), []);
});

test('an update leaves at most one node unserved', async () => {
  await using run = start();
  for (const node of ['a', 'b', 'c']) await addNode(run, node);
  await run.client.create(daemonSets, daemonSet());
  await rollOut(run);
  await setImage(run, 'v2');
  await rollOut(run, () => assert.ok(run.pods().filter(isReady).length >= 2));
  assert.ok(run.pods().every(({ spec }) => spec!.containers[0]!.image === 'v2'));
  assert.equal((await get(run)).status?.updatedNumberScheduled, 3);
});

test('with a surge the new daemon comes first', async () => {
  await using run = start();
  for (const node of ['a', 'b']) await addNode(run, node);
  await run.client.create(
    daemonSets,
    daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }),
  );
  await rollOut(run);
  await setImage(run, 'v2');
  await rollOut(run, () => {
    assert.ok(run.pods().filter(isReady).length >= 2 && run.pods().length <= 3);
  });
  assert.deepEqual(targets(run), ['a', 'b']);
  assert.ok(run.pods().every(({ spec }) => spec!.containers[0]!.image === 'v2'));
});

test('on delete nothing moves by itself', async () => {
  await using run = start();
  await addNode(run, 'a');
  await run.client.create(daemonSets, daemonSet({ updateStrategy: { type: 'OnDelete' } }));
  await rollOut(run);
  await setImage(run, 'v2');
  await rollOut(run);
  assert.equal(run.pods()[0]!.spec!.containers[0]!.image, 'v1');
  await run.client.delete(pods, { namespace: 'default', name: run.pods()[0]!.metadata!.name! });
  await rollOut(run);
  assert.equal(run.pods()[0]!.spec!.containers[0]!.image, 'v2');
});

test('a failed daemon is replaced, the second time after a pause', async () => {
  await using run = start();
  await addNode(run, 'a');
  await run.client.create(daemonSets, daemonSet());
  await run.settle();
  for (const expected of [1, 0]) {
    await run.setStatus(pods, run.pods()[0]!, { phase: 'Failed' });
    await run.settle();
    assert.equal(run.pods().filter(({ status }) => status?.phase !== 'Failed').length, expected);
  }
  await run.advance(2000);
  assert.equal(run.pods().filter(({ status }) => status?.phase !== 'Failed').length, 1);
  assert.match(
    run.said().find((line) => line.startsWith('FailedDaemonPod'))!,
    /^FailedDaemonPod: Found failed daemon pod default\/ds-\w+ on node a, will try to kill it$/,
  );
});
