import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../resources.ts';
import { runScheduler } from '../../scheduler/scheduler.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../types.ts';
import { type Harness, harness } from '../harness.ts';
import { claimController } from './claim-controller.ts';
import { ephemeralVolumeController } from './ephemeral.ts';
import { claimProtection, volumeProtection } from './protection.ts';
import { localProvisioner } from './provisioner.ts';
import { volumeController } from './volume-controller.ts';

function start(): Harness {
  const run = harness((parts) => [
    claimController(parts, [localProvisioner]),
    volumeController(parts, [localProvisioner]),
    claimProtection(parts),
    volumeProtection(parts),
    ephemeralVolumeController(parts),
  ]);
  const stop = new AbortController();
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

const name = { namespace: 'default', name: 'c' };
const accessModes = ['ReadWriteOnce'];

function claim(
  storageClassName: string,
  more: Partial<NonNullable<PersistentVolumeClaim['spec']>> = {},
): PersistentVolumeClaim {
  return {
    metadata: name,
    spec: { storageClassName, accessModes, resources: { requests: { storage: '1Gi' } }, ...more },
  };
}

function volume(name: string, storage: string): PersistentVolume {
  return {
    metadata: { name },
    spec: { storageClassName: 'manual', accessModes, capacity: { storage }, hostPath: { path: '/x' } },
  };
}

async function addClass(run: Harness, name: string, volumeBindingMode: string): Promise<void> {
  await run.client.create(storageClasses, {
    metadata: { name },
    provisioner: localProvisioner.name,
    volumeBindingMode,
    reclaimPolicy: 'Delete',
  });
}

async function addNode(run: Harness): Promise<void> {
  const node = await run.client.create(nodes, { metadata: { name: 'n' } });
  await run.setStatus(nodes, node, { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } });
}

const addPod = (run: Harness, volumes: readonly object[]) =>
  run.client.create(pods, {
    metadata: { namespace: 'default', name: 'p' },
    spec: { containers: [], volumes: volumes as never },
  });
const get = (run: Harness) => run.client.get(persistentVolumeClaims, name);

test('a claim takes the smallest volume that will do', async () => {
  await using run = start();
  for (const [name, storage] of [
    ['large', '9Gi'],
    ['fitting', '2Gi'],
    ['small', '1Mi'],
  ] as const)
    await run.client.create(persistentVolumes, volume(name, storage));
  await run.client.create(persistentVolumeClaims, claim('manual'));
  await run.settle();
  const { spec, status } = await get(run);
  assert.deepEqual([spec!.volumeName, status!.phase, status!.capacity], ['fitting', 'Bound', { storage: '2Gi' }]);
  const bound = await run.client.get(persistentVolumes, { name: 'fitting' });
  assert.deepEqual([bound.status!.phase, bound.spec!.claimRef!.name], ['Bound', 'c']);
  assert.equal((await run.client.get(persistentVolumes, { name: 'large' })).status!.phase, 'Available');
});

test('two claims do not take the same volume', async () => {
  await using run = start();
  await run.client.create(persistentVolumeClaims, claim('manual'));
  await run.client.create(persistentVolumeClaims, { ...claim('manual'), metadata: { ...name, name: 'd' } });
  await run.client.create(persistentVolumes, volume('one', '2Gi'));
  await run.settle();
  const phases = run.client.all(persistentVolumeClaims).map(({ status }) => status?.phase);
  assert.deepEqual(new Set(phases), new Set(['Bound', 'Pending']));
});

test('a class that waits for a consumer binds where its pod goes, and the pod follows', async () => {
  await using run = start();
  await addClass(run, 'local', 'WaitForFirstConsumer');
  await run.client.create(persistentVolumeClaims, claim('local'));
  await run.settle();
  assert.equal((await get(run)).status!.phase, 'Pending');
  assert.ok(run.said().includes('WaitForFirstConsumer: waiting for first consumer to be created before binding'));
  await addNode(run);
  await addPod(run, [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }]);
  await run.settle();
  assert.equal((await get(run)).status!.phase, 'Bound');
  assert.equal((await run.client.get(pods, { namespace: 'default', name: 'p' })).spec!.nodeName, 'n');
  const [made] = run.client.all(persistentVolumes);
  assert.equal(made!.metadata!.annotations!['pv.kubernetes.io/provisioned-by'], localProvisioner.name);
  assert.equal(made!.spec!.hostPath!.path, `/pvc-${(await get(run)).metadata!.uid}`);
});

test('a claim for one pod alone is used by one pod alone', async () => {
  await using run = start();
  await addClass(run, 'now', 'Immediate');
  await addNode(run);
  await run.client.create(persistentVolumeClaims, claim('now', { accessModes: ['ReadWriteOncePod'] }));
  await run.settle();
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }];
  await addPod(run, volumes);
  await run.settle();
  await run.client.create(pods, { metadata: { namespace: 'default', name: 'q' }, spec: { containers: [], volumes } });
  await run.settle();
  const second = () => run.client.get(pods, { namespace: 'default', name: 'q' });
  assert.equal((await second()).spec!.nodeName, undefined);
  await run.client.delete(pods, { namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 });
  await run.advance(1000);
  assert.equal((await second()).spec!.nodeName, 'n');
});

test('a claim in use stays until its pod is gone, and takes its volume along', async () => {
  await using run = start();
  await addClass(run, 'now', 'Immediate');
  await addNode(run);
  await run.client.create(persistentVolumeClaims, claim('now'));
  await addPod(run, [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }]);
  await run.settle();
  await run.client.delete(persistentVolumeClaims, name);
  await run.settle();
  assert.ok((await get(run)).metadata!.deletionTimestamp);
  await run.client.delete(pods, { namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 });
  await run.settle();
  assert.equal(run.client.all(persistentVolumeClaims).length, 0);
  assert.equal(run.client.all(persistentVolumes).length, 0);
});

test('what is retained is released, and its claim can be lost', async () => {
  await using run = start();
  await run.client.create(persistentVolumes, volume('v', '1Gi'));
  await run.client.create(persistentVolumeClaims, claim('manual'));
  await run.settle();
  await run.client.delete(persistentVolumeClaims, name);
  await run.settle();
  assert.equal((await run.client.get(persistentVolumes, { name: 'v' })).status!.phase, 'Released');
  await run.client.create(persistentVolumes, volume('w', '1Gi'));
  await run.client.create(persistentVolumeClaims, claim('manual'));
  await run.settle();
  await run.client.patch(persistentVolumes, { name: 'w' }, { kind: 'merge', body: { metadata: { finalizers: null } } });
  await run.client.delete(persistentVolumes, { name: 'w' });
  await run.settle();
  assert.equal((await get(run)).status!.phase, 'Lost');
});

test('a claim that grows gets more', async () => {
  await using run = start();
  await addClass(run, 'now', 'Immediate');
  await run.client.create(persistentVolumeClaims, claim('now'));
  await run.settle();
  await run.client.patch(persistentVolumeClaims, name, {
    kind: 'merge',
    body: { spec: { resources: { requests: { storage: '5Gi' } } } },
  });
  await run.settle();
  assert.deepEqual((await get(run)).status!.capacity, { storage: '5Gi' });
});

test('a pod that brings its own claim has it made, and owns it', async () => {
  await using run = start();
  await addClass(run, 'local', 'WaitForFirstConsumer');
  await addNode(run);
  await addPod(run, [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: claim('local').spec } } }]);
  await run.settle();
  // The scheduler tries again when it has waited.
  await run.advance(1000);
  const made = await run.client.get(persistentVolumeClaims, { namespace: 'default', name: 'p-v' });
  assert.deepEqual([made.status!.phase, made.metadata!.ownerReferences![0]!.kind], ['Bound', 'Pod']);
});
