/** `pods/resize` over a whole API server: what it takes, and what it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pods, serviceAccounts } from '../resources.ts';
import { makeTestCluster } from '../test-cluster.ts';
import type { Pod } from '../types.ts';

const path = '/api/v1/namespaces/default/pods/p/resize';
const requests = { cpu: '100m', memory: '64Mi' };

test('resources of containers may be changed by their own subresource, and nothing else', async () => {
  await using cluster = await makeTestCluster();
  await cluster.client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  const made = await cluster.client.create(pods, {
    metadata: { namespace: 'default', name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests } }] },
  });
  assert.deepEqual(made.spec!.containers[0]!.resizePolicy, [
    { resourceName: 'cpu', restartPolicy: 'NotRequired' },
    { resourceName: 'memory', restartPolicy: 'NotRequired' },
  ]);
  const patch = async (where: string, container: object) => {
    const { code, body } = await cluster.call('PATCH', where, {
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
      body: { spec: { containers: [{ name: 'c', ...container }] } },
    });
    return { code, body: JSON.parse(body) as Pod & { readonly message?: string } };
  };
  const more = { resources: { requests: { cpu: '200m' } } };
  assert.equal(
    (await patch('/api/v1/namespaces/default/pods/p', more)).code,
    422,
    'the pod itself may not be changed so',
  );
  const resized = await patch(path, { ...more, image: 'other' });
  assert.equal(resized.code, 200);
  assert.deepEqual(resized.body.spec!.containers[0]!.resources!.requests, { ...requests, cpu: '200m' });
  assert.equal(resized.body.spec!.containers[0]!.image, 'i', 'what else was said is passed over');
  assert.equal(resized.body.metadata!.generation, 2);
  const refused = async (container: object) => {
    const { code, body } = await patch(path, container);
    assert.equal(code, 422);
    return body.message!;
  };
  assert.match(await refused({ resources: { limits: requests, requests } }), /Pod QOS Class may not change/);
  assert.match(await refused({ resources: { requests: { cpu: null } } }), /resource requests cannot be removed/);
  assert.match(
    await refused({ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }),
    /only cpu and memory resources are mutable/,
  );
});
