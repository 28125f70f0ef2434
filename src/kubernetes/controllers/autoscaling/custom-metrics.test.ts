import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RemoteRead } from '../../client/remote-reader.ts';
import { deployments, horizontalPodAutoscalers } from '../../resources.ts';
import type { HorizontalPodAutoscaler } from '../../types.ts';
import { conditionOf } from '../conditions.ts';
import { deploymentController } from '../deployment/controller.ts';
import { type Harness, harness } from '../harness.ts';
import { replicaSetController } from '../replicaset/controller.ts';
import { horizontalPodAutoscaler } from './controller.ts';
import { demandOfValue } from './replicas.ts';

type Metric = NonNullable<NonNullable<HorizontalPodAutoscaler['spec']>['metrics']>[number];

const name = { namespace: 'default', name: 'web' };
const labels = { app: 'web' };

/** Two ready pods of a deployment, and adapters that answer `told`. */
async function start(versions: readonly string[], told: (asked: RemoteRead) => readonly object[]) {
  const asked: RemoteRead[] = [];
  const remote = {
    versionsOf: () => versions,
    read: async (read: RemoteRead) => {
      asked.push(read);
      return { items: told(read) };
    },
  };
  const run = harness((parts) => [
    horizontalPodAutoscaler({ ...parts, remoteOf: () => remote }),
    deploymentController(parts),
    replicaSetController(parts),
  ]);
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  await run.client.create(deployments, {
    metadata: name,
    spec: { replicas: 2, selector: { matchLabels: labels }, template },
  });
  await run.settle();
  await run.ready(...run.pods());
  return { run, asked };
}

async function follow(run: Harness, metric: Metric): Promise<HorizontalPodAutoscaler> {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  await run.client.create(horizontalPodAutoscalers, {
    metadata: name,
    spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 10, metrics: [metric] },
  });
  await run.settle();
  return await run.client.get(horizontalPodAutoscalers, name);
}

const replicas = async (run: Harness) => (await run.client.get(deployments, name)).spec!.replicas;

test('a metric of pods is their average', async () => {
  const { run, asked } = await start(['v1beta1', 'v1beta2'], () =>
    run.pods().map(({ metadata }) => ({ describedObject: { name: metadata!.name }, value: '30' })),
  );
  await using _run = run;
  const metric = { name: 'requests', selector: { matchLabels: { verb: 'GET' } } };
  const { status } = await follow(run, {
    type: 'Pods',
    pods: { metric, target: { type: 'AverageValue', averageValue: '20' } },
  });
  assert.equal(await replicas(run), 3);
  assert.deepEqual(asked[0], {
    group: 'custom.metrics.k8s.io',
    version: 'v1beta2',
    namespace: 'default',
    resource: 'pods',
    name: '*',
    subresource: 'requests',
    query: { labelSelector: 'app=web', metricLabelSelector: 'verb=GET' },
  });
  assert.deepEqual(status?.currentMetrics, [{ type: 'Pods', pods: { metric, current: { averageValue: '30' } } }]);
  assert.ok(run.said().includes('SuccessfulRescale: New size: 3; reason: pods metric requests above target'));
});

test('a metric of an object is one value for all, or shared', async () => {
  for (const [target, size, current] of [
    [{ type: 'Value', value: '100' }, 4, { value: '200' }],
    [{ type: 'AverageValue', averageValue: '40' }, 5, { averageValue: '100' }],
  ] as const) {
    const { run, asked } = await start(['v1beta1'], () => [{ metricName: 'hits', value: '200' }]);
    await using _run = run;
    const describedObject = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' };
    const { status } = await follow(run, {
      type: 'Object',
      object: { describedObject, metric: { name: 'hits' }, target },
    });
    assert.equal(await replicas(run), size);
    assert.deepEqual(
      [asked[0]?.version, asked[0]?.resource, asked[0]?.name, asked[0]?.subresource],
      ['v1beta1', 'ingresses.networking.k8s.io', 'front', 'hits'],
    );
    assert.deepEqual(status?.currentMetrics?.[0]?.object?.current, current);
  }
});

test('an external metric is the sum of all that is selected', async () => {
  const { run, asked } = await start(['v1beta1'], () => [{ value: '40' }, { value: '20500m' }, { value: 7 }]);
  await using _run = run;
  const metric = { name: 'queue', selector: { matchLabels: { of: 'web' } } };
  const { status } = await follow(run, {
    type: 'External',
    external: { metric, target: { type: 'AverageValue', averageValue: '13' } },
  });
  assert.equal(await replicas(run), 5);
  assert.deepEqual(
    [asked[0]?.group, asked[0]?.resource, asked[0]?.query],
    ['external.metrics.k8s.io', 'queue', { labelSelector: 'of=web' }],
  );
  assert.deepEqual(status?.currentMetrics?.[0]?.external?.current, { averageValue: '30250m' });
});

test('without an adapter nothing moves, and the reason is told', async () => {
  const { run } = await start([], () => []);
  await using _run = run;
  const target = { type: 'AverageValue', averageValue: '10' };
  const { status } = await follow(run, { type: 'Pods', pods: { metric: { name: 'requests' }, target } });
  assert.equal(await replicas(run), 2);
  const active = conditionOf(status?.conditions, 'ScalingActive');
  assert.equal(active?.reason, 'FailedGetPodsMetric');
  assert.match(
    active?.message ?? '',
    /failed to get pods metric value: unable to get metric requests: unable to fetch metrics from custom metrics API/,
  );
});

test('a target whose pods are not there yet is not made smaller', () => {
  const counted = { pods: [], currentReplicas: 4, statusReplicas: 4 };
  assert.throws(() => demandOfValue(90_000, 10_000, counted), /no pods returned by selector/);
  assert.equal(demandOfValue(10_000, 10_000, counted), 4);
});
