import { isoSeconds } from '#base';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { deployments, horizontalPodAutoscalers, pods } from '../../resources.ts';
import type { HorizontalPodAutoscaler } from '../../types.ts';
import { conditionOf } from '../conditions.ts';
import { deploymentController } from '../deployment/controller.ts';
import { type Harness, harness } from '../harness.ts';
import { replicaSetController } from '../replicaset/controller.ts';
import { limited, ScaleHistory } from './behavior.ts';
import { horizontalPodAutoscaler } from './controller.ts';
import { demandOf } from './replicas.ts';

const name = { namespace: 'default', name: 'web' };
const labels = { app: 'web' };

async function start(): Promise<Harness> {
  const run = harness((parts) => [
    horizontalPodAutoscaler(parts),
    deploymentController(parts),
    replicaSetController(parts),
  ]);
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m' } } }];
  const template = { metadata: { labels }, spec: { containers } };
  await run.client.create(deployments, {
    metadata: name,
    spec: { replicas: 2, selector: { matchLabels: labels }, template },
  });
  await run.settle();
  return run;
}

function autoscaler(more: Partial<HorizontalPodAutoscaler['spec'] & object> = {}): HorizontalPodAutoscaler {
  const target = { type: 'Utilization', averageUtilization: 50 };
  const metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  return { metadata: name, spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 10, metrics, ...more } };
}

/** Every pod runs since long ago and uses so much, as a metrics server would tell. */
async function use(run: Harness, cpu: string): Promise<void> {
  const long = isoSeconds(run.clock.now() - 3_600_000);
  for (const pod of run.pods()) {
    await run.setStatus(pods, pod, {
      phase: 'Running',
      startTime: long,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: long }],
    });
  }
  const list = run.client.list.bind(run.client);
  const answer = async (type: ResourceType, options: object) => {
    if (type.group !== 'metrics.k8s.io') return list(type, options);
    const items = run
      .pods()
      .map(({ metadata }) => ({ metadata: { name: metadata!.name! }, containers: [{ name: 'c', usage: { cpu } }] }));
    return { items: items as KubernetesObject[], resourceVersion: '' };
  };
  run.client.list = answer as typeof run.client.list;
}

const replicas = async (run: Harness) => (await run.client.get(deployments, name)).spec!.replicas;
const condition = async (run: Harness, type: string) =>
  conditionOf((await run.client.get(horizontalPodAutoscalers, name)).status?.conditions, type);

test('load above the target makes more replicas, and less of it fewer, later', async () => {
  await using run = await start();
  await use(run, '100m');
  await run.client.create(horizontalPodAutoscalers, autoscaler());
  await run.settle();
  assert.equal(await replicas(run), 4);
  const { status } = await run.client.get(horizontalPodAutoscalers, name);
  assert.deepEqual([status!.currentReplicas, status!.desiredReplicas], [2, 4]);
  assert.equal(status!.currentMetrics![0]!.resource!.current.averageUtilization, 100);
  assert.ok(
    run
      .said()
      .includes(
        'SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target',
      ),
  );
  await use(run, '10m');
  await run.advance(15_000);
  assert.equal(await replicas(run), 4, 'a moment of quiet changes nothing');
  for (let minute = 0; minute < 6; minute++) await run.advance(60_000);
  assert.equal(await replicas(run), 1);
});

test('bounds hold, and say so', async () => {
  await using run = await start();
  await use(run, '1');
  await run.client.create(horizontalPodAutoscalers, autoscaler({ maxReplicas: 3 }));
  await run.settle();
  assert.equal(await replicas(run), 3);
  assert.equal((await condition(run, 'ScalingLimited'))?.reason, 'TooManyReplicas');
});

test('bounds hold without metrics too', async () => {
  await using run = await start();
  await run.client.create(horizontalPodAutoscalers, autoscaler({ minReplicas: 3 }));
  await run.settle();
  assert.equal(await replicas(run), 3);
  assert.equal((await condition(run, 'AbleToScale'))?.reason, 'SucceededRescale');
  const less = { kind: 'merge', body: { spec: { minReplicas: 1, maxReplicas: 2 } } } as const;
  await run.client.patch(horizontalPodAutoscalers, name, less);
  await run.settle();
  assert.equal(await replicas(run), 2);
  assert.ok(
    run.said().includes('SuccessfulRescale: New size: 2; reason: Current number of replicas above Spec.MaxReplicas'),
  );
});

test('without metrics nothing moves, and the reason is told', async () => {
  await using run = await start();
  await run.client.create(horizontalPodAutoscalers, autoscaler());
  await run.settle();
  assert.equal(await replicas(run), 2);
  const active = await condition(run, 'ScalingActive');
  assert.deepEqual([active?.status, active?.reason], ['False', 'FailedGetResourceMetric']);
});

test('a target that is not there is told', async () => {
  await using run = await start();
  await run.client.create(
    horizontalPodAutoscalers,
    autoscaler({ scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' } }),
  );
  await run.settle();
  assert.equal((await condition(run, 'AbleToScale'))?.reason, 'FailedGetScale');
});

test('what is not known counts against a change', () => {
  const pod = (name: string) => ({
    metadata: { name, uid: name },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m' } } }] },
    status: { phase: 'Running', startTime: '2020-01-01T00:00:00Z', conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const request = { resource: 'cpu', container: undefined, target: { utilization: 50 }, nowMs: Date.UTC(2026, 0, 1) };
  const list = ['a', 'b', 'c', 'd'].map(pod);
  const demand = (usage: readonly (readonly [string, number])[]) =>
    demandOf({ ...request, pods: list, usage: new Map(usage), currentReplicas: 4 }).replicas;
  assert.equal(
    demand([
      ['a', 100],
      ['b', 100],
      ['c', 100],
      ['d', 100],
    ]),
    8,
  );
  assert.equal(
    demand([
      ['a', 100],
      ['b', 100],
    ]),
    4,
    'two unknown ones that use nothing leave it as it is',
  );
  assert.equal(
    demand([
      ['a', 10],
      ['b', 10],
      ['c', 10],
    ]),
    3,
    'an unknown one that uses all it may slows the way down',
  );
});

test('policies bound the pace', () => {
  const spec = {
    ...autoscaler().spec!,
    maxReplicas: 100,
    behavior: {
      scaleUp: { policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] },
      scaleDown: { stabilizationWindowSeconds: 0, selectPolicy: 'Disabled' },
    },
  };
  const history = new ScaleHistory();
  const ask = (current: number, desired: number, nowMs: number) => limited({ spec, current, desired, history, nowMs });
  assert.deepEqual([ask(10, 50, 0).replicas, ask(10, 50, 0).reason], [12, 'ScaleUpLimit']);
  history.change(0, 2);
  assert.equal(ask(12, 50, 30_000).replicas, 12, 'the two of this minute are used up');
  assert.equal(ask(12, 50, 61_000).replicas, 14);
  assert.equal(ask(12, 1, 200_000).replicas, 12, 'never down');
});
