/** The controllers over a real API server, each with its own role: what they are for gets done, and nobody is refused anything on the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Informer } from '../client/informer.ts';
import type { KubernetesObject } from '../object.ts';
import {
  cronJobs,
  deployments,
  endpoints,
  endpointSlices,
  horizontalPodAutoscalers,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicationControllers,
  resourceQuotas,
  secrets,
  serviceAccounts,
  services,
} from '../resources.ts';
import { makeTestCluster, refusalLog } from '../test-cluster.ts';

const inDefault = (name: string) => ({ namespace: 'default', name });
const template = (app: string, spec: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

test('controllers do what they are for within their roles', { timeout: 60_000 }, async () => {
  const { logger, refusals } = refusalLog();
  const balanced = new Set<string>();
  await using cluster = await makeTestCluster({
    components: ['controllers', 'scheduler'],
    logger,
    ports: {
      loadBalancers: {
        isFor: () => true,
        ensure: async ({ service }) => {
          balanced.add(service.metadata!.name!);
          return [{ ip: '203.0.113.1' }];
        },
        remove: async ({ metadata }) => void balanced.delete(metadata!.name!),
      },
    },
  });
  const { client, informers } = cluster;
  const until = async <T extends KubernetesObject>(
    what: string,
    copy: Informer<T>,
    key: string,
    holds: (object: T | undefined) => boolean,
  ) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(() => reject(new Error(`never: ${what}; refused: ${refusals.join('; ')}`)), 20_000);
    const stop = copy.onChange(() => holds(copy.get(key)) && resolve());
    if (holds(copy.get(key))) resolve();
    await promise.finally(() => {
      clearTimeout(late);
      stop();
    });
  };
  const copyOfAccounts = informers.of(serviceAccounts);
  await until('the default account', copyOfAccounts, 'default/default', (account) => account !== undefined);

  // Autoscaler: below the least there are to be, no metric is asked.
  await client.create(deployments, {
    metadata: inDefault('web'),
    spec: { selector: { matchLabels: { app: 'web' } }, template: template('web') },
  });
  await client.create(horizontalPodAutoscalers, {
    metadata: inDefault('web'),
    spec: {
      minReplicas: 2,
      maxReplicas: 4,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
    },
  });
  await until('two replicas', informers.of(deployments), 'default/web', (web) => web?.spec?.replicas === 2);

  // Disruption budgets, quotas, replication controllers, mirrored endpoints.
  await client.create(podDisruptionBudgets, {
    metadata: inDefault('web'),
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  await until(
    'a counted budget',
    informers.of(podDisruptionBudgets),
    'default/web',
    (budget) => budget?.status?.expectedPods === 2,
  );
  await client.create(resourceQuotas, { metadata: inDefault('q'), spec: { hard: { pods: '50' } } });
  await until(
    'a counted quota',
    informers.of(resourceQuotas),
    'default/q',
    (quota) => quota?.status?.used?.['pods'] === '2',
  );
  await client.create(replicationControllers, {
    metadata: inDefault('rc'),
    spec: { replicas: 1, selector: { app: 'rc' }, template: template('rc') },
  });
  await until('a replica', informers.of(replicationControllers), 'default/rc', (rc) => rc?.status?.replicas === 1);
  await client.create(services, { metadata: inDefault('outside'), spec: { ports: [{ port: 80 }] } });
  await client.create(endpoints, {
    metadata: inDefault('outside'),
    subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
  });
  const slices = informers.of(endpointSlices, {
    indexes: { service: ({ metadata }) => [metadata?.labels?.['kubernetes.io/service-name'] ?? ''] },
  });
  await until('a mirrored slice', slices, '', () => slices.by('service', 'outside').length > 0);

  // Balancers hold their service until they are gone.
  await client.create(services, { metadata: inDefault('lb'), spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } });
  const serviceCopy = informers.of(services);
  await until(
    'an address',
    serviceCopy,
    'default/lb',
    (service) => service?.status?.loadBalancer?.ingress?.length === 1,
  );
  assert.deepEqual(serviceCopy.get('default/lb')!.metadata!.finalizers, [
    'service.kubernetes.io/load-balancer-cleanup',
  ]);
  await client.delete(services, inDefault('lb'));
  await until('no balancer', serviceCopy, 'default/lb', (service) => service === undefined);

  // Volumes: a claim is bound to one that is there, a pod's own claim is made, what is protected goes when it may.
  await client.create(persistentVolumes, {
    metadata: { name: 'v' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'by-hand',
      hostPath: { path: '/v' },
      persistentVolumeReclaimPolicy: 'Retain',
    },
  });
  await client.create(persistentVolumeClaims, {
    metadata: inDefault('c'),
    spec: { storageClassName: 'by-hand', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  const claims = informers.of(persistentVolumeClaims);
  await until('a bound claim', claims, 'default/c', (claim) => claim?.status?.phase === 'Bound');
  const spec = {
    storageClassName: 'by-hand',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Mi' } },
  };
  await client.create(pods, {
    metadata: inDefault('own'),
    spec: {
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'd', ephemeral: { volumeClaimTemplate: { spec } } }],
    },
  });
  await until('an ephemeral claim', claims, 'default/own-d', (claim) => claim !== undefined);
  await client.delete(persistentVolumeClaims, inDefault('c'));
  await until('no claim', claims, 'default/c', (claim) => claim === undefined);
  await until(
    'a released volume',
    informers.of(persistentVolumes),
    'v',
    (volume) => volume?.status?.phase === 'Released',
  );

  // Nodes: pods of one that is not there, and of one that is not to be borne.
  const podCopy = informers.of(pods);
  await client.create(nodes, { metadata: { name: 'n' } });
  await client.create(pods, { metadata: inDefault('evicted'), spec: { nodeName: 'n', ...template('e').spec } });
  await client.patch(
    nodes,
    { name: 'n' },
    { kind: 'merge', body: { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } } },
  );
  await until(
    'an eviction',
    podCopy,
    'default/evicted',
    (pod) => pod === undefined || pod.metadata?.deletionTimestamp !== undefined,
  );
  assert.equal(
    podCopy.get('default/evicted')?.status?.conditions?.some(({ type }) => type === 'DisruptionTarget'),
    true,
  );

  // Jobs that are over go after a time; those of a schedule are made.
  await client.create(jobs, {
    metadata: inDefault('j'),
    spec: { ttlSecondsAfterFinished: 0, completions: 1, template: template('j', { restartPolicy: 'Never' }) },
  });
  const ofJob = () => podCopy.list('default').find(({ metadata }) => metadata?.labels?.['job-name'] === 'j');
  await until('a pod of the job', podCopy, '', () => ofJob() !== undefined);
  const { name = '' } = ofJob()!.metadata!;
  await client.patch(
    pods,
    inDefault(name),
    { kind: 'merge', body: { status: { phase: 'Succeeded' } } },
    { subresource: 'status' },
  );
  await until('no job', informers.of(jobs), 'default/j', (job) => job === undefined);
  await client.create(cronJobs, {
    metadata: inDefault('cron'),
    spec: {
      schedule: '* * * * *',
      startingDeadlineSeconds: 200,
      jobTemplate: { spec: { template: template('k', { restartPolicy: 'Never' }) } },
    },
  });

  // Tokens of service accounts, and a namespace with all that is in it.
  await client.create(secrets, {
    metadata: { ...inDefault('t'), annotations: { 'kubernetes.io/service-account.name': 'default' } },
    type: 'kubernetes.io/service-account-token',
  });
  await until('a token', informers.of(secrets), 'default/t', (secret) => secret?.data?.['token'] !== undefined);
  await client.create(namespaces, { metadata: { name: 'gone' } });
  await until('its account', copyOfAccounts, 'gone/default', (account) => account !== undefined);
  await client.delete(namespaces, { name: 'gone' });
  await until('no namespace', informers.of(namespaces), 'gone', (namespace) => namespace === undefined);

  assert.deepEqual(refusals, []);
});
