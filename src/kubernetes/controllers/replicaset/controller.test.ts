import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pods, replicaSets } from '../../resources.ts';
import type { ReplicaSet } from '../../types.ts';
import { eventsOf, harness } from '../harness.ts';
import { controllerOf } from '../ownership.ts';
import { replicaSetController } from './controller.ts';

const start = () => harness((parts) => [replicaSetController(parts)]);
const name = { namespace: 'default', name: 'web' };

function replicaSet(replicas: number, more: Partial<NonNullable<ReplicaSet['spec']>> = {}): ReplicaSet {
  const labels = { app: 'web' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  return { metadata: name, spec: { replicas, selector: { matchLabels: labels }, template, ...more } };
}

test('pods are made until there are enough, with upstream names, owners and events', async () => {
  await using run = start();
  await run.client.create(replicaSets, replicaSet(3));
  await run.settle();
  assert.equal(run.pods().length, 3);
  const [pod] = run.pods();
  assert.match(pod!.metadata!.name!, /^web-[a-z0-9]{5}$/);
  assert.equal(controllerOf(pod!)?.name, 'web');
  const { status } = await run.client.get(replicaSets, name);
  assert.deepEqual(status, { replicas: 3, fullyLabeledReplicas: 3, observedGeneration: 1 });
  assert.deepEqual(
    eventsOf(run),
    Array.from({ length: 3 }, () => ['SuccessfulCreate', 1]),
  );
  await run.ready(...run.pods());
  assert.equal((await run.client.get(replicaSets, name)).status?.availableReplicas, 3);
});

test('a copy that lags makes no pod twice', async () => {
  await using run = start();
  await run.client.create(replicaSets, replicaSet(2));
  await run.settle();
  run.informers.hold();
  await run.client.patch(replicaSets, name, { kind: 'merge', body: { spec: { replicas: 5 } } });
  await run.settle();
  run.informers.release();
  await run.settle();
  assert.equal(run.pods().length, 5);
  assert.equal(run.said().length, 5);
});

test('a pod that ends or goes is replaced', async () => {
  await using run = start();
  await run.client.create(replicaSets, replicaSet(2));
  await run.settle();
  const [first, second] = run.pods();
  await run.client.delete(pods, { namespace: 'default', name: first!.metadata!.name! });
  await run.setStatus(pods, second!, { phase: 'Failed' });
  await run.settle();
  assert.equal(run.pods().filter(({ status }) => status?.phase !== 'Failed').length, 2);
});

test('the surplus goes, what is not ready first', async () => {
  await using run = start();
  await run.client.create(replicaSets, replicaSet(3));
  await run.settle();
  const [kept, ...others] = run.pods();
  await run.ready(kept!);
  await run.client.patch(replicaSets, name, { kind: 'merge', body: { spec: { replicas: 1 } } });
  await run.settle();
  assert.deepEqual(
    run.pods().map(({ metadata }) => metadata!.uid),
    [kept!.metadata!.uid],
  );
  assert.ok(run.said().includes(`SuccessfulDelete: Deleted pod: ${others[0]!.metadata!.name}`));
});

test('an orphan is adopted, a pod that is no longer selected is let go', async () => {
  await using run = start();
  await run.client.create(pods, {
    metadata: { namespace: 'default', name: 'orphan', labels: { app: 'web' } },
    spec: { containers: [] },
  });
  await run.client.create(replicaSets, replicaSet(1));
  await run.settle();
  assert.equal(controllerOf(run.pods()[0]!)?.name, 'web');
  await run.client.patch(
    pods,
    { namespace: 'default', name: 'orphan' },
    {
      kind: 'merge',
      body: { metadata: { labels: { app: 'other' } } },
    },
  );
  await run.settle();
  assert.deepEqual(
    run.pods().map((pod) => controllerOf(pod)?.name),
    [undefined, 'web'],
  );
});

test('availability comes with time', async () => {
  await using run = start();
  await run.client.create(replicaSets, replicaSet(1, { minReadySeconds: 10 }));
  await run.settle();
  await run.ready(...run.pods());
  assert.equal((await run.client.get(replicaSets, name)).status?.availableReplicas, undefined);
  await run.advance(10_000);
  assert.equal((await run.client.get(replicaSets, name)).status?.availableReplicas, 1);
});

test('a creation that is refused is told and tried again', async () => {
  await using run = start();
  const create = run.client.create.bind(run.client);
  let isBroken = true;
  run.client.create = async (type, object, options) => {
    if (isBroken && type.resource === 'pods') throw new Error('quota');
    return create(type, object, options);
  };
  await run.client.create(replicaSets, replicaSet(3));
  await run.settle();
  const { status } = await run.client.get(replicaSets, name);
  assert.deepEqual(status?.conditions?.[0]?.reason, 'FailedCreate');
  assert.deepEqual([...new Set(run.said())], ['FailedCreate: Error creating: quota']);
  isBroken = false;
  await run.advance(60_000);
  assert.equal(run.pods().length, 3);
  assert.equal((await run.client.get(replicaSets, name)).status?.conditions, undefined);
});
