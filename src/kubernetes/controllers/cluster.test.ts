import { isoSeconds } from '#base';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Informer } from '../client/informer.ts';
import type { KubernetesObject, ResourceType } from '../object.ts';
import {
  daemonSets,
  deployments,
  endpointSlices,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  serviceAccounts,
  services,
  statefulSets,
} from '../resources.ts';
import { makeTestCluster, refusalLog, type TestCluster } from '../test-cluster.ts';
import { isTrue } from './conditions.ts';

/** Resolves when the copy satisfies `holds`. */
function until<T extends KubernetesObject>(copy: Informer<T>, holds: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = copy.onChange(() => holds() && resolve());
  if (holds()) resolve();
  return promise.finally(stop);
}

/** What a kubelet says of every pod that is bound: it runs, and has an address, or has ended, if it is a job's; one that is being deleted is gone. */
function fakeKubelet({ client, informers }: TestCluster): () => void {
  let last = 0;
  return informers.of(pods).onChange(({ now }) => {
    if (!now?.spec?.nodeName) return;
    const { name, namespace, deletionTimestamp } = now.metadata!;
    const named = { name: name!, namespace };
    const work = deletionTimestamp
      ? client.delete(pods, named, { gracePeriodSeconds: 0 })
      : now.status?.phase !== 'Pending'
        ? Promise.resolve()
        : client.patch(
            pods,
            named,
            {
              kind: 'merge',
              body: {
                status: {
                  phase: now.metadata!.labels?.['job-name'] ? 'Succeeded' : 'Running',
                  podIP: `10.0.0.${++last}`,
                  conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: isoSeconds(Date.now()) }],
                },
              },
            },
            { subresource: 'status' },
          );
    work.catch(() => undefined);
  });
}

async function addNode({ client }: TestCluster): Promise<void> {
  const node = await client.create(nodes, { metadata: { name: 'n1' } });
  const allocatable = { cpu: '4', memory: '4Gi', pods: '100' };
  const conditions = [{ type: 'Ready', status: 'True' }];
  await client.update(
    nodes,
    { ...node, status: { allocatable, capacity: allocatable, conditions } },
    { subresource: 'status' },
  );
}

test(
  'over the real API server a deployment rolls out, serves, and goes with its namespace',
  { timeout: 30_000 },
  async () => {
    const { logger, refusals } = refusalLog();
    await using cluster = await makeTestCluster({ components: ['controllers', 'scheduler'], logger });
    const { client, informers } = cluster;
    const stop = fakeKubelet(cluster);
    const namespace = 'shop';
    await client.create(namespaces, { metadata: { name: namespace } });
    await client.create(serviceAccounts, { metadata: { namespace, name: 'default' } });
    await addNode(cluster);
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
    assert.deepEqual(refusals, [], 'nobody does what the role does not hold');
  },
);

test(
  'over the real API server every workload comes up, and goes with all that is its own',
  { timeout: 30_000 },
  async () => {
    const { logger, refusals } = refusalLog();
    await using cluster = await makeTestCluster({ components: ['controllers', 'scheduler'], logger });
    const { client, informers } = cluster;
    const stop = fakeKubelet(cluster);
    await addNode(cluster);
    const accounts = informers.of(serviceAccounts);
    await until(accounts, () => accounts.get('default/default') !== undefined);
    const named = (name: string) => ({ namespace: 'default', name });
    const template = (app: string, restartPolicy: string) => ({
      metadata: { labels: { app } },
      spec: { restartPolicy, containers: [{ name: 'c', image: 'i' }] },
    });
    const selecting = (app: string) => ({ selector: { matchLabels: { app } }, template: template(app, 'Always') });
    const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '8Mi' } } };
    await client.create(statefulSets, {
      metadata: named('db'),
      spec: {
        ...selecting('db'),
        replicas: 2,
        serviceName: 'db',
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' },
        volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: claim }],
      },
    });
    await client.create(daemonSets, { metadata: named('ds'), spec: selecting('ds') });
    const job = { completions: 3, completionMode: 'Indexed', template: template('j', 'Never') };
    await client.create(jobs, { metadata: named('j'), spec: job });
    const [sets, daemons, ended] = [informers.of(statefulSets), informers.of(daemonSets), informers.of(jobs)];
    await until(sets, () => sets.get('default/db')?.status?.availableReplicas === 2);
    await until(daemons, () => daemons.get('default/ds')?.status?.numberAvailable === 1);
    await until(ended, () => isTrue(ended.get('default/j')?.status?.conditions, 'Complete'));
    const leave = <T extends KubernetesObject>(type: ResourceType<T>, name: string) =>
      client.delete(type, named(name), { propagationPolicy: 'Foreground' });
    await Promise.all([leave(statefulSets, 'db'), leave(daemonSets, 'ds'), leave(jobs, 'j')]);
    const gone = <T extends KubernetesObject>(type: ResourceType<T>) => {
      const copy = informers.of(type);
      return until(copy, () => copy.list().length === 0);
    };
    await Promise.all([gone(statefulSets), gone(daemonSets), gone(jobs), gone(pods)]);
    await Promise.all([gone(persistentVolumeClaims), gone(persistentVolumes)]);
    stop();
    assert.deepEqual(refusals, [], 'nobody does what the role does not hold');
  },
);
