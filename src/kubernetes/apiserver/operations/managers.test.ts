import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ObjectMeta } from '../../types.ts';
import { makeTestCluster, type TestCluster } from '../../test-cluster.ts';

/** One kind in two versions: autoscaling v1 has one field where v2 has a list. */
let cluster: TestCluster;
before(async () => (cluster = await makeTestCluster()));
after(() => cluster[Symbol.asyncDispose]());

interface Answer {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly metrics?: readonly unknown[]; readonly minReplicas?: number };
  readonly message?: string;
}

const cpu = (averageUtilization: number) => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});
const memory = {
  type: 'Resource',
  resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
};

async function send(
  method: string,
  { version, name, spec, query = '', type = 'application/apply-patch+yaml' }: Sent,
): Promise<{ readonly code: number; readonly object: Answer }> {
  const body = {
    apiVersion: `autoscaling/${version}`,
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, maxReplicas: 5, ...spec },
  };
  const path = `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers/${name}?${query}`;
  const { code, body: text } = await cluster.call(method, path, { body, headers: { 'content-type': type } });
  return { code, object: JSON.parse(text) as Answer };
}

interface Sent {
  readonly version: 'v1' | 'v2';
  readonly name: string;
  readonly spec: object;
  readonly query?: string;
  readonly type?: string;
}

const ownersOf = ({ metadata }: Answer) =>
  metadata.managedFields?.map(({ manager, operation, apiVersion, fieldsV1 }) => [
    manager,
    operation,
    apiVersion,
    Object.keys((fieldsV1 as { readonly 'f:spec'?: object } | undefined)?.['f:spec'] ?? {}).toSorted(),
  ]);

test('who applied in one version is asked about it in another', { timeout: 20_000 }, async () => {
  const name = 'asked';
  await send('PATCH', { version: 'v1', name, spec: { targetCPUUtilizationPercentage: 50 }, query: 'fieldManager=a' });
  const refused = await send('PATCH', { version: 'v2', name, spec: { metrics: [cpu(60)] }, query: 'fieldManager=b' });
  assert.deepEqual(
    [refused.code, refused.object.message],
    [409, 'Apply failed with 1 conflict: conflict with "a": .spec.targetCPUUtilizationPercentage'],
  );
  const forced = await send('PATCH', {
    version: 'v2',
    name,
    spec: { metrics: [cpu(60)] },
    query: 'fieldManager=b&force=true',
  });
  assert.deepEqual(ownersOf(forced.object), [
    ['a', 'Apply', 'autoscaling/v1', ['f:maxReplicas', 'f:scaleTargetRef']],
    ['b', 'Apply', 'autoscaling/v2', ['f:maxReplicas', 'f:metrics', 'f:scaleTargetRef']],
  ]);
});

test(
  'who applies in another version than before is the same, and takes away what is no more',
  { timeout: 20_000 },
  async () => {
    const name = 'same';
    const query = 'fieldManager=a';
    const spec = { targetCPUUtilizationPercentage: 50, minReplicas: 2 };
    await send('PATCH', { version: 'v1', name, spec, query });
    const { code, object } = await send('PATCH', { version: 'v2', name, spec: { metrics: [cpu(50), memory] }, query });
    assert.equal(code, 200);
    assert.deepEqual(object.spec.metrics, [cpu(50), memory]);
    // What nobody says any more has its default again.
    assert.equal(object.spec.minReplicas, 1);
    assert.deepEqual(
      ownersOf(object)?.map(([manager, operation, apiVersion]) => [manager, operation, apiVersion]),
      [['a', 'Apply', 'autoscaling/v2']],
    );
    const back = await send('PATCH', { version: 'v1', name, spec: {}, query });
    assert.deepEqual(ownersOf(back.object), [['a', 'Apply', 'autoscaling/v1', ['f:maxReplicas', 'f:scaleTargetRef']]]);
  },
);

test(
  'an ordinary write is noted in the version it spoke, and loses in it what another changes',
  { timeout: 20_000 },
  async () => {
    const name = 'written';
    const spec = { targetCPUUtilizationPercentage: 50 };
    await send('PATCH', { version: 'v2', name, spec: { metrics: [cpu(80)] }, query: 'fieldManager=a' });
    const type = 'application/merge-patch+json';
    const written = await send('PATCH', { version: 'v1', name, spec, query: 'fieldManager=b', type });
    assert.deepEqual(ownersOf(written.object), [
      ['a', 'Apply', 'autoscaling/v2', ['f:maxReplicas', 'f:scaleTargetRef']],
      ['b', 'Update', 'autoscaling/v1', ['f:targetCPUUtilizationPercentage']],
    ]);
    const again = await send('PATCH', {
      version: 'v2',
      name,
      spec: { metrics: [cpu(70)] },
      query: 'fieldManager=c',
      type,
    });
    assert.deepEqual(ownersOf(again.object), [
      ['a', 'Apply', 'autoscaling/v2', ['f:maxReplicas', 'f:scaleTargetRef']],
      ['c', 'Update', 'autoscaling/v2', ['f:metrics']],
    ]);
  },
);
