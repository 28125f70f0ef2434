import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes, services } from '../../resources.ts';
import type { Service } from '../../types.ts';
import { type Harness, harness } from '../harness.ts';
import { loadBalancerController } from './controller.ts';
import type { LoadBalancers } from './ports.ts';

const name = { namespace: 'default', name: 's' };

/** Balancers that note which nodes each of them has. */
class FakeBalancers implements LoadBalancers {
  readonly there = new Map<string, readonly string[]>();
  isBroken = false;

  isFor({ spec }: Service): boolean {
    return spec?.loadBalancerClass === undefined;
  }

  async ensure({ service, nodes, warn }: Parameters<LoadBalancers['ensure']>[0]) {
    if (this.isBroken) throw new Error('no capacity');
    for (const name of Object.keys(service.metadata?.annotations ?? {})) warn(`${name} has no effect`);
    this.there.set(
      service.metadata!.uid!,
      nodes.map(({ metadata }) => metadata!.name!),
    );
    return [{ hostname: 'lb.example' }];
  }

  async remove({ metadata }: Service): Promise<void> {
    this.there.delete(metadata!.uid!);
  }
}

function start(): { run: Harness; balancers: FakeBalancers } {
  const balancers = new FakeBalancers();
  return { balancers, run: harness((parts) => [loadBalancerController(parts, balancers)]) };
}

const service = (spec: NonNullable<Service['spec']> = {}): Service => ({
  metadata: name,
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
});

test('a service that asks for a balancer has one as long as it asks', async () => {
  const { run, balancers } = start();
  await using _ = run;
  await run.client.create(services, service());
  await run.settle();
  const made = await run.client.get(services, name);
  assert.deepEqual(made.status!.loadBalancer, { ingress: [{ hostname: 'lb.example' }] });
  assert.deepEqual(made.metadata!.finalizers, ['service.kubernetes.io/load-balancer-cleanup']);
  const node = await run.client.create(nodes, { metadata: { name: 'n' } });
  await run.setStatus(nodes, node, { conditions: [{ type: 'Ready', status: 'True' }] });
  await run.settle();
  assert.deepEqual([...balancers.there.values()], [['n']]);
  await run.client.patch(services, name, { kind: 'merge', body: { spec: { type: 'ClusterIP' } } });
  await run.settle();
  assert.equal(balancers.there.size, 0);
  const plain = await run.client.get(services, name);
  assert.deepEqual([plain.status!.loadBalancer, plain.metadata!.finalizers], [undefined, undefined]);
});

test('a service goes when its balancer is gone', async () => {
  const { run, balancers } = start();
  await using _ = run;
  await run.client.create(services, service());
  await run.settle();
  await run.client.delete(services, name);
  await run.settle();
  assert.deepEqual([balancers.there.size, run.client.all(services).length], [0, 0]);
});

test('what a balancer leaves out is told', async () => {
  const { run } = start();
  await using _ = run;
  await run.client.create(services, { ...service(), metadata: { ...name, annotations: { shape: 'round' } } });
  await run.settle();
  assert.ok(run.said().includes('UnsupportedLoadBalancerOption: shape has no effect'));
});

test('another class is another’s matter, and a failure is told and tried again', async () => {
  const { run, balancers } = start();
  await using _ = run;
  await run.client.create(services, service({ loadBalancerClass: 'other' }));
  balancers.isBroken = true;
  await run.client.create(services, { ...service(), metadata: { ...name, name: 't' } });
  await run.settle();
  assert.ok(run.said().includes('SyncLoadBalancerFailed: Error syncing load balancer: no capacity'));
  balancers.isBroken = false;
  await run.advance(60_000);
  assert.equal(balancers.there.size, 1);
});
