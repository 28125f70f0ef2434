import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, deployments, pods, replicaSets, secrets } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { apiVersionOf } from '../../object.ts';
import { type Harness, harness } from '../harness.ts';
import { garbageCollector } from './controller.ts';

const start = () => harness((parts) => [garbageCollector(parts)]);

interface Options {
  readonly owners?: readonly (readonly [ResourceType, KubernetesObject])[];
  readonly blocks?: boolean;
  readonly finalizers?: readonly string[];
}

function add<T extends KubernetesObject>(
  run: Harness,
  type: ResourceType<T>,
  name: string,
  { owners = [], blocks = true, finalizers }: Options = {},
): Promise<T> {
  const ownerReferences = owners.map(([ownerType, owner]) => ({
    apiVersion: apiVersionOf(ownerType),
    kind: ownerType.kind,
    name: owner.metadata!.name!,
    uid: owner.metadata!.uid!,
    blockOwnerDeletion: blocks,
  }));
  const metadata = {
    namespace: 'default',
    name,
    ...(owners.length && { ownerReferences }),
    ...(finalizers && { finalizers }),
  };
  return run.client.create(type, { metadata } as KubernetesObject as T);
}

const exists = (run: Harness, type: ResourceType, name: string): Promise<boolean> =>
  run.client.get(type, { namespace: 'default', name }).then(
    () => true,
    (error: unknown) => {
      if (isStatusError(error, 'NotFound')) return false;
      throw error;
    },
  );
const remove = (run: Harness, type: ResourceType, name: string, propagationPolicy: string) =>
  run.client.delete(type, { namespace: 'default', name }, { propagationPolicy });

async function tree(run: Harness) {
  const top = await add(run, deployments, 'd');
  const middle = await add(run, replicaSets, 'r', { owners: [[deployments, top]] });
  await add(run, pods, 'p', { owners: [[replicaSets, middle]] });
  await run.settle();
}

test('in the background, what is owned goes after its owner', async () => {
  await using run = start();
  await tree(run);
  await remove(run, deployments, 'd', 'Background');
  assert.ok(await exists(run, replicaSets, 'r'), 'not before');
  await run.settle();
  assert.deepEqual([await exists(run, replicaSets, 'r'), await exists(run, pods, 'p')], [false, false]);
});

test('in the foreground, the owner goes last', async () => {
  await using run = start();
  await tree(run);
  await run.client.patch(
    pods,
    { namespace: 'default', name: 'p' },
    { kind: 'merge', body: { metadata: { finalizers: ['x/hold'] } } },
  );
  await remove(run, deployments, 'd', 'Foreground');
  await run.settle();
  assert.deepEqual([await exists(run, deployments, 'd'), await exists(run, replicaSets, 'r')], [true, true]);
  await run.client.patch(
    pods,
    { namespace: 'default', name: 'p' },
    { kind: 'merge', body: { metadata: { finalizers: null } } },
  );
  await run.settle();
  assert.deepEqual(
    [await exists(run, deployments, 'd'), await exists(run, replicaSets, 'r'), await exists(run, pods, 'p')],
    [false, false, false],
  );
});

test('orphans stay, and forget their owner', async () => {
  await using run = start();
  await tree(run);
  await remove(run, deployments, 'd', 'Orphan');
  await run.settle();
  assert.equal(await exists(run, deployments, 'd'), false);
  const left = await run.client.get(replicaSets, { namespace: 'default', name: 'r' });
  assert.equal(left.metadata!.ownerReferences, undefined);
  assert.ok(await exists(run, pods, 'p'));
});

test('one owner that stays is enough', async () => {
  await using run = start();
  const [a, b] = [await add(run, configMaps, 'a'), await add(run, configMaps, 'b')];
  await add(run, secrets, 's', {
    owners: [
      [configMaps, a],
      [configMaps, b],
    ],
  });
  await run.settle();
  await remove(run, configMaps, 'a', 'Background');
  await run.settle();
  const { metadata } = await run.client.get(secrets, { namespace: 'default', name: 's' });
  assert.deepEqual(
    metadata!.ownerReferences!.map(({ name }) => name),
    ['b'],
  );
});

test('what names an owner that never was is collected; of a kind nobody knows, it is not', async () => {
  await using run = start();
  const ghost = { metadata: { name: 'ghost', uid: '00000000-0000-4000-8000-000000000001' } };
  await add(run, secrets, 'gone', { owners: [[configMaps, ghost]] });
  await add(run, secrets, 'kept', {
    owners: [[{ group: 'x.io', version: 'v1', kind: 'X', resource: 'xs', isNamespaced: true }, ghost]],
  });
  await run.settle();
  assert.deepEqual([await exists(run, secrets, 'gone'), await exists(run, secrets, 'kept')], [false, true]);
});

test('an owner with the right name and another identity is none', async () => {
  await using run = start();
  const first = await add(run, configMaps, 'a');
  await remove(run, configMaps, 'a', 'Background');
  await add(run, configMaps, 'a');
  await add(run, secrets, 's', { owners: [[configMaps, first]] });
  await run.settle();
  assert.equal(await exists(run, secrets, 's'), false);
});

test('those that own each other go together', async () => {
  await using run = start();
  const a = await add(run, configMaps, 'a');
  const b = await add(run, configMaps, 'b', { owners: [[configMaps, a]] });
  const ownerReferences = [
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'b', uid: b.metadata!.uid!, blockOwnerDeletion: true },
  ];
  await run.client.patch(
    configMaps,
    { namespace: 'default', name: 'a' },
    { kind: 'merge', body: { metadata: { ownerReferences } } },
  );
  await run.settle();
  await remove(run, configMaps, 'a', 'Foreground');
  await run.settle();
  assert.deepEqual([await exists(run, configMaps, 'a'), await exists(run, configMaps, 'b')], [false, false]);
});
