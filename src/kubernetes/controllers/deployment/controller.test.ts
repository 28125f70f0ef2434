import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployments, pods, replicaSets } from '../../resources.ts';
import type { Deployment } from '../../types.ts';
import { conditionOf } from '../conditions.ts';
import { type Harness, harness } from '../harness.ts';
import { isReady } from '../pods.ts';
import { replicaSetController } from '../replicaset/controller.ts';
import { deploymentController } from './controller.ts';
import { revisionOf } from './revisions.ts';
import { replicasOf } from './settings.ts';

const start = () => harness((parts) => [deploymentController(parts), replicaSetController(parts)]);
const name = { namespace: 'default', name: 'web' };

function deployment(replicas: number, more: Partial<NonNullable<Deployment['spec']>> = {}): Deployment {
  const labels = { app: 'web' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'v1' }] } };
  return { metadata: name, spec: { replicas, selector: { matchLabels: labels }, template, ...more } };
}

const change = (run: Harness, spec: object) => run.client.patch(deployments, name, { kind: 'merge', body: { spec } });
const setImage = (run: Harness, image: string) =>
  change(run, { template: { spec: { containers: [{ name: 'c', image }] } } });
const get = (run: Harness) => run.client.get(deployments, name);
/** `[revision, wanted]` of each set, by revision. */
const sets = (run: Harness) =>
  run.client
    .all(replicaSets)
    .map((set) => [revisionOf(set), replicasOf(set)] as const)
    .sort(([a], [b]) => a - b);
const progressing = async (run: Harness) => conditionOf((await get(run)).status?.conditions, 'Progressing');

/** Lets kubelets work until nothing is left to make ready; calls `watch` at each stop on the way. */
async function rollOut(run: Harness, watch: () => void = () => undefined): Promise<void> {
  for (;;) {
    await run.settle();
    watch();
    const unready = run.pods().find((pod) => !isReady(pod));
    if (!unready) return;
    await run.ready(unready);
  }
}

test('a first rollout ends complete, as kubectl rollout status reads it', async () => {
  await using run = start();
  await run.client.create(deployments, deployment(3));
  await run.settle();
  assert.equal((await progressing(run))?.reason, 'ReplicaSetUpdated');
  await rollOut(run);
  const { status, metadata } = await get(run);
  assert.deepEqual(
    [status?.observedGeneration, status?.replicas, status?.updatedReplicas, status?.availableReplicas],
    [metadata!.generation, 3, 3, 3],
  );
  assert.equal(status?.unavailableReplicas, undefined);
  assert.equal(conditionOf(status?.conditions, 'Available')?.status, 'True');
  const [set] = run.client.all(replicaSets);
  const message = `ReplicaSet "${set!.metadata!.name}" has successfully progressed.`;
  assert.deepEqual(
    [(await progressing(run))?.reason, (await progressing(run))?.message],
    ['NewReplicaSetAvailable', message],
  );
  assert.equal(revisionOf(await get(run)), 1);
  assert.ok(run.said().includes(`ScalingReplicaSet: Scaled up replica set ${set!.metadata!.name} from 0 to 3`));
  assert.match(run.pods()[0]!.metadata!.labels!['pod-template-hash']!, /^[a-z0-9]{10}$/);
});

test('a rolling update keeps within surge and unavailability at every step', async () => {
  await using run = start();
  const rollingUpdate = { maxSurge: 2, maxUnavailable: 1 };
  await run.client.create(deployments, deployment(5, { strategy: { type: 'RollingUpdate', rollingUpdate } }));
  await rollOut(run);
  await setImage(run, 'v2');
  let stops = 0;
  await rollOut(run, () => {
    stops++;
    assert.ok(run.pods().length <= 7, `${run.pods().length} pods`);
    assert.ok(run.pods().filter(isReady).length >= 4);
  });
  assert.ok(stops > 2);
  assert.deepEqual(sets(run), [
    [1, 0],
    [2, 5],
  ]);
  assert.deepEqual(new Set(run.pods().map(({ spec }) => spec!.containers[0]!.image)), new Set(['v2']));
});

test('a rollback gives the old set a new revision', async () => {
  await using run = start();
  await run.client.create(deployments, deployment(2));
  await rollOut(run);
  await setImage(run, 'v2');
  await rollOut(run);
  await setImage(run, 'v1');
  await rollOut(run);
  assert.deepEqual(sets(run), [
    [2, 0],
    [3, 2],
  ]);
  const first = run.client.all(replicaSets).find((set) => revisionOf(set) === 3)!;
  assert.equal(first.metadata!.annotations!['deployment.kubernetes.io/revision-history'], '1');
  assert.equal(revisionOf(await get(run)), 3);
});

test('a recreation has no two versions at once', async () => {
  await using run = start();
  await run.client.create(deployments, deployment(3, { strategy: { type: 'Recreate' } }));
  await rollOut(run);
  for (const pod of run.pods())
    await run.client.post(pods, { namespace: 'default', name: pod.metadata!.name! }, 'binding', {
      target: { name: 'n' },
    } as object);
  await setImage(run, 'v2');
  await run.settle();
  assert.equal(run.pods().length, 0, 'the old pods are ending, and none of the new ones is there');
  for (const { metadata } of run.client.all(pods))
    await run.client.delete(pods, { namespace: 'default', name: metadata!.name! }, { gracePeriodSeconds: 0 });
  await rollOut(run);
  assert.equal(run.pods().length, 3);
});

test('a stuck rollout exceeds its deadline', async () => {
  await using run = start();
  await run.client.create(deployments, deployment(1, { progressDeadlineSeconds: 60 }));
  await run.settle();
  await run.advance(62_000);
  assert.equal((await progressing(run))?.reason, 'ProgressDeadlineExceeded');
  await rollOut(run);
  assert.equal((await progressing(run))?.reason, 'NewReplicaSetAvailable');
});

test('a broken rollout is scaled in proportion', async () => {
  await using run = start();
  const rollingUpdate = { maxSurge: 3, maxUnavailable: 2 };
  await run.client.create(deployments, deployment(10, { strategy: { type: 'RollingUpdate', rollingUpdate } }));
  await rollOut(run);
  await setImage(run, 'broken');
  await run.settle();
  assert.deepEqual(sets(run), [
    [1, 8],
    [2, 5],
  ]);
  await change(run, { replicas: 15 });
  await run.settle();
  // The example of the Kubernetes documentation, "Proportional scaling".
  assert.deepEqual(sets(run), [
    [1, 11],
    [2, 7],
  ]);
});

test('a paused deployment collects changes and scales', async () => {
  await using run = start();
  await run.client.create(deployments, deployment(2));
  await rollOut(run);
  await change(run, { paused: true });
  await setImage(run, 'v2');
  await change(run, { replicas: 3 });
  await rollOut(run);
  assert.deepEqual(sets(run), [[1, 3]]);
  assert.equal((await progressing(run))?.reason, 'DeploymentPaused');
  await change(run, { paused: false });
  await rollOut(run);
  assert.deepEqual(sets(run), [
    [1, 0],
    [2, 3],
  ]);
});

test('history is as long as its limit', async () => {
  await using run = start();
  await run.client.create(deployments, deployment(1, { revisionHistoryLimit: 1 }));
  for (const image of ['v1', 'v2', 'v3', 'v4']) {
    await setImage(run, image);
    await rollOut(run);
  }
  assert.deepEqual(sets(run), [
    [3, 0],
    [4, 1],
  ]);
});

test('a name that another template holds is avoided', async () => {
  await using run = start();
  await run.client.create(deployments, deployment(1));
  await run.settle();
  const [set] = run.client.all(replicaSets);
  await run.client.delete(deployments, name);
  await run.client.patch(
    replicaSets,
    { namespace: 'default', name: set!.metadata!.name! },
    {
      kind: 'merge',
      body: { metadata: { ownerReferences: null, labels: null }, spec: { template: { spec: { hostNetwork: true } } } },
    },
  );
  await run.client.create(deployments, deployment(1));
  await run.settle();
  assert.equal((await get(run)).status?.collisionCount, 1);
  assert.equal(run.client.all(replicaSets).length, 2);
});

test('whatever step is interrupted, the rollout ends the same', async () => {
  for (let failAt = 1; failAt < 12; failAt++) {
    await using run = start();
    await run.client.create(deployments, deployment(3));
    await rollOut(run);
    let writes = 0;
    const update = run.client.update.bind(run.client);
    const create = run.client.create.bind(run.client);
    run.client.update = async (type, object, options) => {
      // The write is done, and whoever asked dies before it hears of it.
      const answer = await update(type, object, options);
      if (type.group === 'apps' && ++writes === failAt) throw new Error('killed');
      return answer;
    };
    run.client.create = async (type, object, options) => {
      const answer = await create(type, object, options);
      if (type.group === 'apps' && ++writes === failAt) throw new Error('killed');
      return answer;
    };
    await setImage(run, 'v2');
    await rollOut(run);
    await run.advance(60_000);
    await rollOut(run);
    assert.deepEqual(sets(run), [
      [1, 0],
      [2, 3],
    ]);
    assert.equal((await get(run)).status?.availableReplicas, 3);
  }
});
