import { DabbaError } from '#base';
import type { Versioned } from '#store';
import { publishBalancer, publishGroup } from './publish.ts';
import type { BalancerRecord, Elbv2State, GroupRecord, Scope } from './records.ts';

const ATTEMPTS = 16;

/**
 * Changes a load balancer and what is published of it in one transaction. `find` reads it anew for each attempt and throws when it is gone; `change` may run several
 * times.
 */
export async function changeBalancer(
  state: Elbv2State,
  scope: Scope,
  find: () => Promise<Versioned<BalancerRecord>>,
  change: (record: BalancerRecord) => BalancerRecord,
): Promise<BalancerRecord> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seen = await find();
    const next = change(seen.value);
    const { succeeded } = await state.store.txn({
      compare: [state.balancers.ifUnchanged(seen)],
      success: [state.balancers.put(seen.id, next), await publishBalancer(state, scope, next)],
    });
    if (succeeded) return next;
  }
  throw busy();
}

/** The same for a target group. */
export async function changeGroup(
  state: Elbv2State,
  scope: Scope,
  find: () => Promise<Versioned<GroupRecord>>,
  change: (record: GroupRecord) => GroupRecord,
): Promise<GroupRecord> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seen = await find();
    const next = change(seen.value);
    const { succeeded } = await state.store.txn({
      compare: [state.groups.ifUnchanged(seen)],
      success: [state.groups.put(seen.id, next), publishGroup(state, scope, next)],
    });
    if (succeeded) return next;
  }
  throw busy();
}

function busy(): DabbaError {
  return new DabbaError('Unavailable', 'the resource is changed faster than it can be read');
}
