import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../resources.ts';
import type { StatefulSet } from '../../types.ts';
import { type Harness, harness } from '../harness.ts';
import { isReady } from '../pods.ts';
import { statefulSetController } from './controller.ts';

const start = () => harness((parts) => [statefulSetController(parts)]);
const name = { namespace: 'default', name: 'db' };
const claim = {
  metadata: { name: 'd' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '8Mi' } } },
};

function statefulSet(replicas: number, more: Partial<NonNullable<StatefulSet['spec']>> = {}): StatefulSet {
  const labels = { app: 'db' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'v1' }] } };
  return {
    metadata: name,
    spec: { replicas, serviceName: 'db', selector: { matchLabels: labels }, template, ...more },
  };
}

const names = (run: Harness) =>
  run
    .pods()
    .map(({ metadata }) => metadata!.name!)
    .sort((a, b) => (a < b ? -1 : 1));
const images = (run: Harness) =>
  Object.fromEntries(run.pods().map(({ metadata, spec }) => [metadata!.name, spec!.containers[0]!.image]));
const get = (run: Harness) => run.client.get(statefulSets, name);
const change = (run: Harness, spec: object) => run.client.patch(statefulSets, name, { kind: 'merge', body: { spec } });
const setImage = (run: Harness, image: string) =>
  change(run, { template: { spec: { containers: [{ name: 'c', image }] } } });

async function rollOut(run: Harness): Promise<void> {
  for (;;) {
    await run.settle();
    const unready = run.pods().find((pod) => !isReady(pod));
    if (!unready) return;
    await run.ready(unready);
  }
}

test('pods come one after the other, with lasting names and claims', async () => {
  await using run = start();
  await run.client.create(statefulSets, statefulSet(2, { volumeClaimTemplates: [claim] }));
  await run.settle();
  assert.deepEqual(names(run), ['db-0']);
  await run.ready(...run.pods());
  assert.deepEqual(names(run), ['db-0', 'db-1']);
  const [pod] = run.pods();
  assert.deepEqual([pod!.spec!.hostname, pod!.spec!.subdomain], ['db-0', 'db']);
  assert.deepEqual(pod!.spec!.volumes, [{ name: 'd', persistentVolumeClaim: { claimName: 'd-db-0' } }]);
  assert.equal(pod!.metadata!.labels!['apps.kubernetes.io/pod-index'], '0');
  assert.deepEqual(
    run.client.all(persistentVolumeClaims).map(({ metadata }) => metadata!.name),
    ['d-db-0', 'd-db-1'],
  );
  await rollOut(run);
  const { status, metadata } = await get(run);
  assert.deepEqual(
    [status?.readyReplicas, status?.updatedReplicas, status?.currentReplicas, status?.observedGeneration],
    [2, 2, 2, metadata!.generation],
  );
  assert.equal(status?.currentRevision, status?.updateRevision);
  assert.equal(pod!.metadata!.labels!['controller-revision-hash'], status?.updateRevision);
});

test('a parallel set does not wait', async () => {
  await using run = start();
  await run.client.create(statefulSets, statefulSet(3, { podManagementPolicy: 'Parallel', ordinals: { start: 5 } }));
  await run.settle();
  assert.deepEqual(names(run), ['db-5', 'db-6', 'db-7']);
});

test('scaling down goes from the highest, and keeps the claims', async () => {
  await using run = start();
  await run.client.create(statefulSets, statefulSet(3, { volumeClaimTemplates: [claim] }));
  await rollOut(run);
  await change(run, { replicas: 1 });
  await rollOut(run);
  assert.deepEqual(names(run), ['db-0']);
  assert.equal(run.client.all(persistentVolumeClaims).length, 3);
  const deleted = run.said().filter((line) => line.startsWith('SuccessfulDelete'));
  assert.deepEqual(deleted, [
    'SuccessfulDelete: delete Pod db-2 in StatefulSet db successful',
    'SuccessfulDelete: delete Pod db-1 in StatefulSet db successful',
  ]);
});

test('an update replaces from the highest down to the partition', async () => {
  await using run = start();
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 1 } };
  await run.client.create(statefulSets, statefulSet(3, { updateStrategy }));
  await rollOut(run);
  await setImage(run, 'v2');
  await run.settle();
  assert.equal(names(run).length, 3, 'the first is replaced at once: it runs nowhere');
  await rollOut(run);
  assert.deepEqual(images(run), { 'db-0': 'v1', 'db-1': 'v2', 'db-2': 'v2' });
  await run.client.delete(pods, { namespace: 'default', name: 'db-0' });
  await rollOut(run);
  assert.equal(images(run)['db-0'], 'v1', 'below the partition a pod comes back as it was');
  assert.notEqual((await get(run)).status?.currentRevision, (await get(run)).status?.updateRevision);
  await change(run, { updateStrategy: { rollingUpdate: { partition: 0 } } });
  await rollOut(run);
  const { status } = await get(run);
  assert.equal(images(run)['db-0'], 'v2');
  assert.equal(status?.currentRevision, status?.updateRevision);
});

test('a rollback reuses the old revision', async () => {
  await using run = start();
  await run.client.create(statefulSets, statefulSet(1));
  await rollOut(run);
  await setImage(run, 'v2');
  await rollOut(run);
  await setImage(run, 'v1');
  await rollOut(run);
  const revisions = run.client.all(controllerRevisions).map(({ revision }) => revision);
  assert.deepEqual(new Set(revisions), new Set([2, 3]));
  assert.deepEqual(images(run), { 'db-0': 'v1' });
});

test('a pod that ended is made anew under its name', async () => {
  await using run = start();
  await run.client.create(statefulSets, statefulSet(1));
  await rollOut(run);
  const [{ metadata }] = run.pods() as [NonNullable<ReturnType<typeof run.pods>[number]>];
  await run.setStatus(pods, run.pods()[0]!, { phase: 'Failed' });
  await rollOut(run);
  assert.deepEqual(names(run), ['db-0']);
  assert.notEqual(run.pods()[0]!.metadata!.uid, metadata!.uid);
});

test('the retention policy ties claims to the set, and to pods that are scaled away', async () => {
  await using run = start();
  const persistentVolumeClaimRetentionPolicy = { whenDeleted: 'Delete', whenScaled: 'Delete' };
  await run.client.create(
    statefulSets,
    statefulSet(2, { volumeClaimTemplates: [claim], persistentVolumeClaimRetentionPolicy }),
  );
  await rollOut(run);
  const owners = () =>
    Object.fromEntries(
      run.client
        .all(persistentVolumeClaims)
        .map(({ metadata }) => [metadata!.name, metadata!.ownerReferences?.[0]?.kind]),
    );
  assert.deepEqual(owners(), { 'd-db-0': 'StatefulSet', 'd-db-1': 'StatefulSet' });
  await change(run, { replicas: 1 });
  await run.settle();
  assert.deepEqual(owners(), { 'd-db-0': 'StatefulSet', 'd-db-1': 'Pod' });
});
