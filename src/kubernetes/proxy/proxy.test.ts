import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { silentLogger, systemClock, systemRandom } from '#base';
import type { ClusterNetworks, ClusterRules, ClusterServed } from '#network';
import { MemoryClient } from '../client/memory-client.ts';
import { MemoryInformers } from '../client/memory-informers.ts';
import { endpointSlices, networkPolicies, nodes, pods, services } from '../resources.ts';
import { networkCopies } from './copies.ts';
import { createClusterProxy } from './proxy.ts';

const cluster = {
  id: 'c1',
  name: 'one',
  server: 'https://127.0.0.1:16443',
  certificateAuthorityPem: '',
  dnsAddress: '10.100.0.10',
  domain: 'cluster.local',
  serviceCidr: '10.100.0.0/16',
};

/** A proxy over objects in memory, and what it told the network. */
async function started() {
  const client = new MemoryClient();
  const applied: ClusterRules[] = [];
  let served: ClusterServed | undefined;
  let failures = 0;
  let isOpen = false;
  const clusters: ClusterNetworks = {
    async open(_key, what) {
      served = what;
      isOpen = true;
      return {
        async apply(rules) {
          if (failures-- > 0) throw new Error('refused');
          applied.push(rules);
        },
        async remove() {
          isOpen = false;
        },
      };
    },
    async retain() {},
  };
  const copies = networkCopies(new MemoryInformers(client));
  const parts = { clusters, copies, clock: systemClock, random: systemRandom, logger: silentLogger };
  const proxy = createClusterProxy({ ...parts, cluster, vpcId: 'vpc-1' });
  assert.equal(proxy.isHealthy(), false);
  await proxy.start();
  return {
    client,
    proxy,
    applied,
    served: served!,
    isOpen: () => isOpen,
    fail: () => (failures = 1),
    settled: async (count: number) => {
      while (applied.length < count) await nextTurn();
      return applied.at(-1)!;
    },
  };
}

const metadata = (name: string, labels = {}) => ({ name, namespace: 'default', labels });
const service = {
  metadata: metadata('web'),
  spec: { clusterIP: '10.100.0.7', clusterIPs: ['10.100.0.7'], ports: [{ port: 80 }] },
};

test('the address of the API and of DNS are served', async () => {
  const { served, proxy } = await started();
  assert.deepEqual(served.relays, [{ address: '10.100.0.1', port: 443, toPort: 16_443 }]);
  assert.equal(served.dns?.address, '10.100.0.10');
  await proxy.stop();
});

test('rules follow services and their slices', async () => {
  const { client, proxy, settled, applied } = await started();
  assert.equal(proxy.isHealthy(), true);
  await client.create(services, service);
  assert.equal((await settled(2)).services.length, 1);
  await client.create(endpointSlices, {
    metadata: metadata('web-1', { 'kubernetes.io/service-name': 'web' }),
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'] }],
    ports: [{ name: '', port: 8080 }],
  });
  assert.deepEqual((await settled(3)).services[0]!.internal, {
    kind: 'everywhere',
    backends: [{ address: '10.0.0.1', port: 8080 }],
  });
  await client.delete(services, { namespace: 'default', name: 'web' });
  assert.deepEqual((await settled(4)).services, []);
  await proxy.stop();
  await client.create(services, service);
  await nextTurn();
  assert.equal(applied.length, 4, 'stopped');
});

test('heartbeats of nodes, and pods without policies, are nothing to apply', async () => {
  const { client, proxy, settled, applied } = await started();
  const status = { addresses: [{ type: 'InternalIP', address: '10.0.0.4' }] };
  const write = async (more: object) => {
    const node = await client.get(nodes, { name: 'n1' });
    await client.update(nodes, { ...node, status: { ...status, ...more } }, { subresource: 'status' });
  };
  await client.create(nodes, { metadata: { name: 'n1' } });
  await settled(2);
  await write({});
  assert.deepEqual((await settled(3)).nodes, [{ name: 'n1', addresses: ['10.0.0.4'] }]);
  await write({ phase: 'Running' });
  const pod = await client.create(pods, { metadata: metadata('a'), spec: { containers: [] } });
  const running = { podIP: '10.0.0.9', phase: 'Running' };
  await client.update(pods, { ...pod, status: running }, { subresource: 'status' });
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(applied.length, 3);
  await client.create(networkPolicies, { metadata: metadata('p'), spec: { podSelector: {} } });
  assert.equal((await settled(4)).policies.length, 1);
  await proxy.stop();
});

test('a refusal is tried again, and removal removes', async () => {
  const { client, proxy, settled, fail, isOpen } = await started();
  fail();
  await client.create(services, service);
  assert.equal((await settled(2)).services.length, 1);
  await proxy.remove();
  assert.equal(isOpen(), false);
});

test('a pod that begins is filtered before its status tells its address', { timeout: 10_000 }, async () => {
  const { client, proxy, applied, settled } = await started();
  await client.create(networkPolicies, {
    metadata: metadata('p'),
    spec: { podSelector: { matchLabels: { app: 'a' } } },
  });
  await settled(2);
  const { signal } = new AbortController();
  const spec = { containers: [] };
  const named = { namespace: 'default', name: 'a', uid: '' };
  const pod = await client.create(pods, { metadata: metadata('a', { app: 'a' }), spec });
  const held = { ...named, uid: pod.metadata!.uid! };
  await proxy.hold(held, '10.0.0.9', signal);
  assert.deepEqual(applied.at(-1)!.policies[0]?.pods, ['10.0.0.9']);
  const { length } = applied;
  const running = { podIP: '10.0.0.9', phase: 'Running' };
  await client.update(pods, { ...pod, status: running }, { subresource: 'status' });
  await settled(length + 1);
  assert.deepEqual(applied.at(-1)!.policies[0]?.pods, ['10.0.0.9']);
  await proxy.hold(held, '10.0.0.9', signal);
  assert.equal(applied.length, length + 1, 'it is known');
  await assert.rejects(proxy.hold({ ...named, uid: 'none' }, '10.0.0.8', AbortSignal.timeout(20)), {
    name: 'TimeoutError',
  });
  await client.delete(pods, { namespace: 'default', name: 'a' });
  assert.deepEqual((await settled(length + 2)).policies, []);
  await proxy.stop();
});

test('rules that could not be applied hold a pod until they are', { timeout: 10_000 }, async () => {
  const { client, proxy, applied, settled, fail } = await started();
  await client.create(networkPolicies, { metadata: metadata('p'), spec: { podSelector: {} } });
  await settled(2);
  const { metadata: made } = await client.create(pods, { metadata: metadata('a'), spec: { containers: [] } });
  await nextTurn();
  fail();
  await proxy.hold({ namespace: 'default', name: 'a', uid: made!.uid! }, '10.0.0.9', AbortSignal.timeout(5000));
  assert.deepEqual(applied.at(-1)!.policies[0]?.pods, ['10.0.0.9']);
  await proxy.stop();
});
