import type { Clock } from '#base';
import { instanceKey } from '#node';
import type { Reconciler } from '#reconcile';
import type { Operation, Store, Versioned } from '#store';
import type { InstanceRecord, InstanceStateName } from './instance-records.ts';
import { specOf, type Instances } from './instances.ts';
import type { Interfaces } from './interfaces.ts';

/** How long a terminated instance can still be described: Amazon EC2 User Guide, "Terminate your instance". */
const TERMINATED_VISIBLE_MS = 3_600_000;

export interface InstanceLifecycle {
  readonly store: Store;
  readonly clock: Clock;
  readonly instances: Instances;
  readonly interfaces: Interfaces;
}

/** Moves each instance from the state in passing to the one it is on the way to, as its machine reports. */
export function instanceReconciler(parts: InstanceLifecycle): Reconciler {
  const { instances } = parts;
  const { records, statuses } = instances;
  return {
    name: 'ec2-instances',
    sources: [
      { prefix: records.prefix, keysOf: ({ key }) => [key.slice(records.prefix.length)] },
      { prefix: statuses.prefix, keysOf: ({ key }) => ownersOf(instances, key) },
    ],
    concurrency: 8,
    async reconcile(key) {
      const seen = await records.get(key);
      if (seen) return await step(parts, seen);
    },
  };
}

/** A status names the machine and the account; the region only its record knows. */
async function ownersOf({ records, statuses }: Instances, key: string): Promise<readonly string[]> {
  const [, tenant = '', id = ''] = key.slice(statuses.prefix.length).split('/');
  const all = await records.list(`${tenant}/`);
  return all.filter(({ value }) => value.id === id).map((seen) => seen.id);
}

async function step(
  parts: InstanceLifecycle,
  seen: Versioned<InstanceRecord>,
): Promise<void | { readonly afterMs: number }> {
  const { value } = seen;
  const { specs, statuses } = parts.instances;
  const key = instanceKey(value);
  const status = await statuses.get(key);
  switch (value.state) {
    case 'pending':
      if (status?.value.phase === 'running') return await become(parts, seen, 'running');
      if (!(await specs.get(key))) await specs.create(key, specOf(value));
      return undefined;
    case 'stopping':
    case 'shutting-down':
      if (await specs.get(key)) return await specs.delete(key);
      if (status) return undefined;
      if (value.state === 'stopping') return await become(parts, seen, 'stopped');
      return await become(
        parts,
        seen,
        'terminated',
        await parts.interfaces.planDelete({ account: value.tenant, region: value.region }, value.networkInterfaceId),
      );
    case 'terminated':
      return await forgetWhenOld(parts, seen);
    case 'running':
    case 'stopped':
      return undefined;
  }
}

async function become(
  { store, clock, instances }: InstanceLifecycle,
  seen: Versioned<InstanceRecord>,
  state: InstanceStateName,
  beside: readonly Operation[] = [],
): Promise<void> {
  await store.txn({
    compare: [instances.records.ifUnchanged(seen)],
    success: [instances.records.put(seen.id, { ...seen.value, state, stateChangedAt: clock.now() }), ...beside],
  });
}

async function forgetWhenOld(
  { clock, instances }: InstanceLifecycle,
  seen: Versioned<InstanceRecord>,
): Promise<void | { readonly afterMs: number }> {
  const left = seen.value.stateChangedAt + TERMINATED_VISIBLE_MS - clock.now();
  if (left > 0) return { afterMs: left };
  return await instances.records.delete(seen.id);
}
