import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podDisruptionBudgets, pods, replicaSets } from '../../resources.ts';
import type { PodDisruptionBudget } from '../../types.ts';
import { type Harness, harness } from '../harness.ts';
import { replicaSetController } from '../replicaset/controller.ts';
import { disruptionController } from './controller.ts';

const start = () => harness((parts) => [disruptionController(parts), replicaSetController(parts)]);
const name = { namespace: 'default', name: 'b' };
const labels = { app: 'x' };

async function setUp(run: Harness, spec: Partial<NonNullable<PodDisruptionBudget['spec']>>): Promise<void> {
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  await run.client.create(replicaSets, {
    metadata: { ...name, name: 'rs' },
    spec: { replicas: 4, selector: { matchLabels: labels }, template },
  });
  await run.client.create(podDisruptionBudgets, {
    metadata: name,
    spec: { selector: { matchLabels: labels }, ...spec },
  });
  await run.settle();
  await run.ready(...run.pods());
}

const counts = async (run: Harness) => {
  const { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods } = (
    await run.client.get(podDisruptionBudgets, name)
  ).status!;
  return [expectedPods, currentHealthy, desiredHealthy, disruptionsAllowed];
};

test('so many may be missing, or so many must be there', async () => {
  for (const [spec, expected] of [
    [{ maxUnavailable: 1 }, [4, 4, 3, 1]],
    [{ maxUnavailable: '50%' }, [4, 4, 2, 2]],
    [{ minAvailable: 3 }, [4, 4, 3, 1]],
    [{ minAvailable: '30%' }, [4, 4, 2, 2]],
  ] as const) {
    await using run = start();
    await setUp(run, spec);
    assert.deepEqual(await counts(run), expected);
  }
});

test('what is not ready, or about to go, is not there', async () => {
  await using run = start();
  await setUp(run, { maxUnavailable: 2 });
  const [first, second] = run.pods();
  await run.setStatus(pods, first!, { conditions: [{ type: 'Ready', status: 'False' }] });
  const budget = await run.client.get(podDisruptionBudgets, name);
  const disruptedPods = { [second!.metadata!.name!]: new Date(run.clock.now()).toISOString() };
  await run.setStatus(podDisruptionBudgets, budget, { disruptedPods });
  await run.settle();
  assert.deepEqual(await counts(run), [4, 2, 2, 0]);
  await run.advance(121_000);
  assert.deepEqual(await counts(run), [4, 3, 2, 1], 'an eviction that nothing came of is forgotten');
});

test('pods without a controller have no share', async () => {
  await using run = start();
  await run.client.create(pods, { metadata: { ...name, name: 'bare', labels }, spec: { containers: [] } });
  await setUp(run, { maxUnavailable: 1 });
  const { conditions, disruptionsAllowed } = (await run.client.get(podDisruptionBudgets, name)).status!;
  // The replica set adopts it, and with that it has one.
  assert.deepEqual([conditions![0]!.reason, disruptionsAllowed], ['SufficientPods', 1]);
});
