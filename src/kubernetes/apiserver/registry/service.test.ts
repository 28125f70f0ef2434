import assert from 'node:assert/strict';
import { test } from 'node:test';
import { services } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { makeTestCluster } from '../../test-cluster.ts';
import type { Service } from '../../types.ts';

const options = { timeout: 20_000 };

function service(name: string, spec: Partial<Service['spec']> = {}): Service {
  return { metadata: { namespace: 'default', name }, spec: { ports: [{ port: 80 }], ...spec } };
}

test('every service has an address of its own, however many are made at once', options, async () => {
  await using cluster = await makeTestCluster();
  const made = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      cluster.client.create(services, service(`s${index}`, { type: 'NodePort' })),
    ),
  );
  const addresses = new Set(made.map(({ spec }) => spec!.clusterIP));
  const ports = new Set(made.map(({ spec }) => spec!.ports![0]!.nodePort));
  assert.deepEqual([addresses.size, ports.size], [40, 40]);
  for (const address of addresses) assert.match(address!, /^10\.100\./);
});

test('an address that is taken is refused, and free again when its service goes', options, async () => {
  await using cluster = await makeTestCluster();
  const { client } = cluster;
  await client.create(
    services,
    service('a', { clusterIP: '10.100.3.3', type: 'NodePort', ports: [{ port: 80, nodePort: 30_123 }] }),
  );
  const invalid = (error: unknown) => isStatusError(error, 'Invalid');
  await assert.rejects(client.create(services, service('b', { clusterIP: '10.100.3.3' })), invalid);
  await assert.rejects(client.create(services, service('b', { clusterIP: '10.200.0.1' })), invalid);
  await assert.rejects(
    client.create(services, service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_123 }] })),
    invalid,
  );
  await client.delete(services, { namespace: 'default', name: 'a' });
  const again = await client.create(
    services,
    service('b', { clusterIP: '10.100.3.3', type: 'NodePort', ports: [{ port: 80, nodePort: 30_123 }] }),
  );
  assert.equal(again.spec!.clusterIP, '10.100.3.3');
});

test('a service keeps what it was given, and gives back what it no longer is', options, async () => {
  await using cluster = await makeTestCluster();
  const { client } = cluster;
  const name = { namespace: 'default', name: 'a' };
  const made = await client.create(services, service('a', { type: 'NodePort' }));
  const updated = await client.update(services, service('a', { type: 'NodePort', selector: { app: 'a' } }));
  assert.equal(updated.spec!.clusterIP, made.spec!.clusterIP);
  assert.equal(updated.spec!.ports![0]!.nodePort, made.spec!.ports![0]!.nodePort);
  const inner = await client.patch(services, name, { kind: 'merge', body: { spec: { type: 'ClusterIP' } } });
  assert.equal(inner.spec!.ports![0]!.nodePort, undefined);
  const port = made.spec!.ports![0]!.nodePort!;
  await client.create(services, service('b', { type: 'NodePort', ports: [{ port: 80, nodePort: port }] }));
});

test('a headless service has no address', options, async () => {
  await using cluster = await makeTestCluster();
  const made = await cluster.client.create(services, service('a', { clusterIP: 'None' }));
  assert.deepEqual([made.spec!.clusterIP, made.spec!.clusterIPs], ['None', ['None']]);
});
