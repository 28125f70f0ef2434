import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Informer } from '../client/informer.ts';
import type { KubernetesObject } from '../object.ts';
import { deployments, endpointSlices, namespaces, nodes, pods, serviceAccounts, services } from '../resources.ts';
import { makeTestCluster, type TestCluster } from '../test-cluster.ts';
import { timestampAt } from './meta.ts';

/** Resolves when the copy satisfies `holds`. */
function until<T extends KubernetesObject>(copy: Informer<T>, holds: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = copy.onChange(() => holds() && resolve());
  if (holds()) resolve();
  return promise.finally(stop);
}

/** What a kubelet says of every pod that is bound: it runs, and has an address; one that is being deleted is gone. */
function fakeKubelet({ client, informers }: TestCluster): () => void {
  let last = 0;
  return informers.of(pods).onChange(({ now }) => {
    if (!now?.spec?.nodeName) return;
    const { name, namespace, deletionTimestamp } = now.metadata!;
    const named = { name: name!, namespace };
    const work = deletionTimestamp
      ? client.delete(pods, named, { gracePeriodSeconds: 0 })
      : now.status?.phase === 'Running'
        ? Promise.resolve()
        : client.patch(
            pods,
            named,
            {
              kind: 'merge',
              body: {
                status: {
                  phase: 'Running',
                  podIP: `10.0.0.${++last}`,
                  conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: timestampAt(Date.now()) }],
                },
              },
            },
            { subresource: 'status' },
          );
    work.catch(() => undefined);
  });
}

test(
  'over the real API server a deployment rolls out, serves, and goes with its namespace',
  { timeout: 30_000 },
  async () => {
    await using cluster = await makeTestCluster({ components: ['controllers', 'scheduler'] });
    const { client, informers } = cluster;
    const stop = fakeKubelet(cluster);
    const namespace = 'shop';
    await client.create(namespaces, { metadata: { name: namespace } });
    await client.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
    const node = await client.create(nodes, { metadata: { name: 'n1' } });
    const allocatable = { cpu: '4', memory: '4Gi', pods: '100' };
    const conditions = [{ type: 'Ready', status: 'True' }];
    await client.update(
      nodes,
      { ...node, status: { allocatable, capacity: allocatable, conditions } },
      { subresource: 'status' },
    );
    const labels = { app: 'web' };
    await client.create(services, {
      metadata: { namespace, name: 'web' },
      spec: { selector: labels, ports: [{ port: 80 }] },
    });
    await client.create(deployments, {
      metadata: { namespace, name: 'web' },
      spec: {
        replicas: 3,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'v1' }] } },
      },
    });
    const copy = informers.of(deployments);
    await until(copy, () => copy.get('shop/web')?.status?.availableReplicas === 3);
    const slices = informers.of(endpointSlices);
    const serving = () =>
      slices.list(namespace).flatMap(({ endpoints }) => endpoints.filter(({ conditions }) => conditions?.ready));
    await until(slices, () => serving().length === 3);
    const containers = [{ name: 'c', image: 'v2' }];
    await client.patch(
      deployments,
      { namespace, name: 'web' },
      { kind: 'strategic', body: { spec: { template: { spec: { containers } } } } },
    );
    const isRolledOut = () => {
      const { metadata, status } = copy.get('shop/web')!;
      const { updatedReplicas, replicas, availableReplicas, observedGeneration } = status!;
      return (
        observedGeneration === metadata!.generation &&
        updatedReplicas === 3 &&
        replicas === 3 &&
        availableReplicas === 3
      );
    };
    await until(copy, isRolledOut);
    assert.equal(copy.get('shop/web')!.metadata!.annotations!['deployment.kubernetes.io/revision'], '2');
    await client.delete(namespaces, { name: namespace });
    const spaces = informers.of(namespaces);
    await until(spaces, () => spaces.get(namespace) === undefined);
    assert.equal((await client.list(pods, { namespace })).items.length, 0);
    stop();
  },
);
