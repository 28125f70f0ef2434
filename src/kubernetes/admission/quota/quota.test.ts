import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdmissionRequest } from '../../auth/user.ts';
import { MemoryClient } from '../../client/memory-client.ts';
import type { Informer } from '../../client/informer.ts';
import type { ServedResources } from '../../client/served-resources.ts';
import { MemoryInformers } from '../../client/memory-informers.ts';
import { harness } from '../../controllers/harness.ts';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import {
  customResourceDefinitions,
  deployments,
  persistentVolumeClaims,
  pods,
  resourceQuotas,
  services,
} from '../../resources.ts';
import { makeTestCluster } from '../../test-cluster.ts';
import type { Pod, ResourceQuota } from '../../types.ts';
import { quotaController } from './controller.ts';
import { resourceQuota } from './plugin.ts';

const named = (name: string) => ({ metadata: { name, namespace: 'default' } });
const quotaOf = (hard: { [name: string]: string }, more: object = {}): ResourceQuota => ({
  ...named('q'),
  spec: { hard, ...more },
});
const podOf = (name: string, requests: object = {}, more: object = {}): Pod =>
  ({ ...named(name), spec: { containers: [{ name: 'c', resources: { requests } }], ...more } }) as Pod;

const builtInOnly: ServedResources = { all: () => [], ofKind: () => undefined, onChange: () => () => undefined };

async function setUp(quota: ResourceQuota) {
  const client = new MemoryClient();
  await client.create(resourceQuotas, quota);
  const plugin = resourceQuota({
    client,
    informers: new MemoryInformers(client),
    resources: () => builtInOnly,
  });
  async function create<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    more: Partial<AdmissionRequest> = {},
  ) {
    const request = {
      operation: 'CREATE',
      type,
      namespace: 'default',
      name: object.metadata!.name!,
      object,
      oldObject: undefined,
    };
    await plugin.validate!({
      ...request,
      user: { username: 'u', groups: [] },
      isDryRun: false,
      ...more,
    } as AdmissionRequest);
    if (!more.isDryRun && !more.oldObject) await client.create(type, object);
  }
  const used = async () => (await client.get(resourceQuotas, { namespace: 'default', name: 'q' })).status?.used;
  return { client, create, used };
}

test('what is asked for is claimed, and what exceeds the quota is refused', async () => {
  const { create, used } = await setUp(quotaOf({ pods: '2', 'requests.cpu': '1', 'count/deployments.apps': '1' }));
  await create(pods, podOf('a', { cpu: '600m' }));
  assert.deepEqual(await used(), { pods: '1', 'requests.cpu': '600m', 'count/deployments.apps': '0' });
  await assert.rejects(create(pods, podOf('b', { cpu: '500m' })), {
    code: 403,
    message:
      'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
  });
  await assert.rejects(create(pods, podOf('b')), {
    message: 'pods "b" is forbidden: failed quota: q: must specify requests.cpu for: c',
  });
  await create(deployments, named('d') as never);
  await assert.rejects(create(deployments, named('e') as never), {
    message:
      'deployments.apps "e" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: count/deployments.apps=1, limited: count/deployments.apps=1',
  });
  await create(pods, podOf('c', { cpu: '100m' }), { isDryRun: true });
  assert.equal((await used())!['pods'], '1');
});

test('of many at once only as many get in as there is room for', async () => {
  const { client, create } = await setUp(quotaOf({ pods: '3' }));
  const all = await Promise.allSettled(Array.from({ length: 12 }, (_, index) => create(pods, podOf(`p${index}`))));
  assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 3);
  assert.equal(client.all(pods).length, 3);
});

test('services, storage and growth are counted, scopes choose pods', async () => {
  const { create, used } = await setUp(
    quotaOf({
      'services.loadbalancers': '1',
      'requests.storage': '2Gi',
      'gp3.storageclass.storage.k8s.io/requests.storage': '1Gi',
    }),
  );
  await create(services, { ...named('s'), spec: { type: 'LoadBalancer', ports: [{ port: 1 }] } });
  await assert.rejects(create(services, { ...named('t'), spec: { type: 'LoadBalancer' } }), /services.loadbalancers=1/);
  const claim = (storage: string) => ({
    ...named('c'),
    spec: { storageClassName: 'gp3', resources: { requests: { storage } } },
  });
  await create(persistentVolumeClaims, claim('1Gi'));
  await assert.rejects(
    create(persistentVolumeClaims, claim('1536Mi'), { operation: 'UPDATE', oldObject: claim('1Gi') }),
    /requested: gp3.storageclass.storage.k8s.io\/requests.storage=512Mi, used: .*=1Gi, limited: .*=1Gi/,
  );
  assert.equal((await used())!['requests.storage'], '1Gi');

  const scoped = await setUp(quotaOf({ pods: '1' }, { scopes: ['BestEffort'] }));
  await scoped.create(pods, podOf('a'));
  await scoped.create(pods, podOf('b', { cpu: '1' }));
  await assert.rejects(scoped.create(pods, podOf('c')), /exceeded quota/);
});

test('what goes or is over is given back', async () => {
  await using run = harness((parts) => [quotaController(parts)]);
  await run.client.create(pods, podOf('a'));
  const second = await run.client.create(pods, podOf('b'));
  await run.client.create(resourceQuotas, quotaOf({ pods: '5' }));
  await run.settle();
  const status = async () => (await run.client.get(resourceQuotas, { namespace: 'default', name: 'q' })).status;
  assert.deepEqual(await status(), { hard: { pods: '5' }, used: { pods: '2' } });
  await run.client.delete(pods, { namespace: 'default', name: 'a' });
  await run.setStatus(pods, second, { phase: 'Succeeded' });
  await run.settle();
  assert.deepEqual((await status())!.used, { pods: '0' });
});

test('custom resources are counted by their full name', { timeout: 20_000 }, async () => {
  await using cluster = await makeTestCluster({ components: ['controllers'] });
  const { client, informers } = cluster;
  await client.create(resourceQuotas, quotaOf({ 'count/foos.example.com': '1' }));
  const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }];
  const define = async () => {
    await client.create(customResourceDefinitions, {
      metadata: { name: 'foos.example.com' },
      spec: { group: 'example.com', scope: 'Namespaced', names: { plural: 'foos', kind: 'Foo' }, versions },
    });
    await until(definitions, isServed);
  };
  const foo: ResourceType = {
    group: 'example.com',
    version: 'v1',
    kind: 'Foo',
    resource: 'foos',
    isNamespaced: true,
  };
  const copy = informers.of(resourceQuotas);
  const isFree = () => copy.get('default/q')?.status?.used?.['count/foos.example.com'] === '0';
  const definitions = informers.of(customResourceDefinitions);
  const isServed = () =>
    definitions.get('foos.example.com')?.status?.conditions?.some(({ type }) => type === 'Established') ?? false;
  await define();
  await client.create(foo, named('a'));
  await assert.rejects(client.create(foo, named('b')), {
    message:
      'foos.example.com "b" is forbidden: exceeded quota: q, requested: count/foos.example.com=1, used: count/foos.example.com=1, limited: count/foos.example.com=1',
  });
  await client.delete(foo, { namespace: 'default', name: 'a' });
  await until(copy, isFree);
  await client.create(foo, named('b'));

  // They go with their definition, and are counted again when it comes back.
  await client.delete(customResourceDefinitions, { name: 'foos.example.com' });
  await until(definitions, () => definitions.get('foos.example.com') === undefined);
  await until(copy, isFree);
  await define();
  await client.create(foo, named('c'));
  await client.delete(foo, { namespace: 'default', name: 'c' });
  await until(copy, isFree);
  await client.create(foo, named('d'));
  assert.deepEqual(
    informers
      .of(foo)
      .list('default')
      .map(({ metadata }) => metadata?.name),
    ['d'],
  );
});

async function until<T extends KubernetesObject>(copy: Informer<T>, holds: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = copy.onChange(() => holds() && resolve());
  await promise.finally(stop);
}
