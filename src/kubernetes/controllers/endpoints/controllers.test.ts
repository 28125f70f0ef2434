import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpoints, endpointSlices, nodes, pods, services } from '../../resources.ts';
import type { Pod, Service } from '../../types.ts';
import { type Harness, harness } from '../harness.ts';
import { endpointsController } from './endpoints-controller.ts';
import { mirroringController } from './mirroring-controller.ts';
import { endpointSliceController } from './slice-controller.ts';

const start = () =>
  harness((parts) => [endpointSliceController(parts), endpointsController(parts), mirroringController(parts)]);
const name = { namespace: 'default', name: 'web' };

function service(more: Partial<NonNullable<Service['spec']>> = {}): Service {
  return {
    metadata: name,
    spec: {
      selector: { app: 'web' },
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
      ...more,
    },
  };
}

async function addPod(run: Harness, index: number, isReady = true, containerPort = 8080): Promise<Pod> {
  const pod = await run.client.create(pods, {
    metadata: { namespace: 'default', name: `p${index}`, labels: { app: 'web' } },
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort }] }] },
  });
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }];
  const podIP = `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`;
  return run.setStatus(pods, pod, { phase: 'Running', podIP, conditions });
}

const slices = (run: Harness) => run.client.all(endpointSlices);
const addresses = (run: Harness) =>
  slices(run)
    .flatMap((slice) => slice.endpoints.map((endpoint) => [endpoint.addresses[0], endpoint.conditions?.ready] as const))
    .sort(([a], [b]) => (a! < b! ? -1 : 1));

test('ready pods serve, with their named port, node and zone', async () => {
  await using run = start();
  await run.client.create(nodes, { metadata: { name: 'n', labels: { 'topology.kubernetes.io/zone': 'z' } } });
  await run.client.create(services, service());
  await addPod(run, 1);
  await addPod(run, 2, false);
  await run.settle();
  const [slice] = slices(run);
  assert.deepEqual(slice!.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  assert.deepEqual(addresses(run), [
    ['10.0.0.2', true],
    ['10.0.0.3', false],
  ]);
  assert.deepEqual([slice!.endpoints[0]!.zone, slice!.endpoints[0]!.nodeName], ['z', 'n']);
  assert.equal(slice!.metadata!.labels!['kubernetes.io/service-name'], 'web');
  const [subset] = (await run.client.get(endpoints, name)).subsets!;
  assert.deepEqual(
    [subset!.addresses!.map(({ ip }) => ip), subset!.notReadyAddresses!.map(({ ip }) => ip)],
    [['10.0.0.2'], ['10.0.0.3']],
  );
});

test('a pod on its way out serves until it is gone, in slices alone', async () => {
  await using run = start();
  await run.client.create(services, service());
  const { metadata } = await addPod(run, 1);
  await run.client.delete(pods, { namespace: 'default', name: metadata!.name! });
  await run.settle();
  assert.deepEqual(slices(run)[0]!.endpoints[0]!.conditions, { ready: false, serving: true, terminating: true });
  assert.deepEqual((await run.client.get(endpoints, name)).subsets, []);
  await run.client.delete(pods, { namespace: 'default', name: metadata!.name! }, { gracePeriodSeconds: 0 });
  await run.settle();
  assert.deepEqual(addresses(run), []);
  assert.equal(slices(run).length, 1, 'an empty slice says that there is nobody');
});

test('pods with other numbers behind the same name are in slices of their own', async () => {
  await using run = start();
  await run.client.create(services, service());
  await addPod(run, 1);
  await addPod(run, 2, true, 9090);
  await run.settle();
  assert.deepEqual(new Set(slices(run).map(({ ports }) => ports![0]!.port)), new Set([8080, 9090]));
  assert.equal((await run.client.get(endpoints, name)).subsets!.length, 2);
});

test('traffic that is to stay close is told where', async () => {
  await using run = start();
  await run.client.create(nodes, { metadata: { name: 'n', labels: { 'topology.kubernetes.io/zone': 'z' } } });
  await run.client.create(services, service());
  await addPod(run, 1);
  await run.settle();
  assert.equal(slices(run)[0]!.endpoints[0]!.hints, undefined);
  await run.client.patch(services, name, { kind: 'merge', body: { spec: { trafficDistribution: 'PreferClose' } } });
  await run.settle();
  assert.deepEqual(slices(run)[0]!.endpoints[0]!.hints, { forZones: [{ name: 'z' }] });
});

test('not-ready pods are published when the service asks for it', async () => {
  await using run = start();
  await run.client.create(services, service({ publishNotReadyAddresses: true, clusterIP: 'None' }));
  await addPod(run, 1, false);
  await run.settle();
  assert.deepEqual(addresses(run), [['10.0.0.2', true]]);
  assert.equal(slices(run)[0]!.metadata!.labels!['service.kubernetes.io/headless'], '');
});

test('slices hold a hundred, and few are written for one change', async () => {
  await using run = start();
  for (let index = 0; index < 250; index++) await addPod(run, index);
  await run.client.create(services, service());
  await run.settle();
  assert.deepEqual(
    slices(run).map((slice) => slice.endpoints.length),
    [100, 100, 50],
  );
  const before = new Map(slices(run).map(({ metadata }) => [metadata!.name, metadata!.resourceVersion]));
  await addPod(run, 250);
  await run.settle();
  const changed = slices(run).filter(({ metadata }) => before.get(metadata!.name) !== metadata!.resourceVersion);
  assert.deepEqual(
    changed.map((slice) => slice.endpoints.length),
    [51],
  );
});

test('what goes with a service goes', async () => {
  await using run = start();
  await run.client.create(services, service());
  await addPod(run, 1);
  await run.settle();
  await run.client.delete(services, name);
  await run.settle();
  assert.equal(slices(run).length, 0);
  assert.equal(run.client.all(endpoints).length, 0);
});

test('endpoints made by hand are mirrored', async () => {
  await using run = start();
  const { selector: _selector, ...spec } = service().spec!;
  await run.client.create(services, { metadata: name, spec });
  await run.client.create(endpoints, {
    metadata: name,
    subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
  });
  await run.settle();
  assert.deepEqual(addresses(run), [['192.0.2.1', true]]);
  await run.client.delete(endpoints, name);
  await run.settle();
  assert.equal(slices(run).length, 0);
});
