import { isAccountId, type AccountId } from '#base';
import type { KeyValue, Operation, Store } from '#store';

/** Prefixes whose records belong to the machine and outlive a reset: nodes and their observed state, base images, keys of our own. */
const machinePrefixes = ['node/nodes/', 'node/statuses/', 'node/instance-statuses/', 'system/'] as const;
/** Records unique across accounts: the account stands in their value. */
const sharedPrefixes = ['network/public-addresses/', 'node/kubelets/'] as const;
/** Operations in one transaction. */
const BATCH = 500;

/**
 * Deletes every record of an account, or of all. A record belongs to an account when the account's id is a segment of its key (decision 2).
 * Node workers see their specs go and end what ran.
 */
export async function forgetRecords(store: Store, account: AccountId | undefined): Promise<void> {
  const { entries } = await store.list('');
  const doomed = entries.filter((entry) => belongs(entry, account));
  for (let start = 0; start < doomed.length; start += BATCH) {
    const success = doomed.slice(start, start + BATCH).map(({ key }): Operation => ({ kind: 'delete', key }));
    await store.txn({ success });
  }
}

function belongs(entry: KeyValue, account: AccountId | undefined): boolean {
  if (machinePrefixes.some((prefix) => entry.key.startsWith(prefix))) return false;
  const owner = sharedPrefixes.some((prefix) => entry.key.startsWith(prefix))
    ? tenantOf(entry)
    : entry.key.split('/').find(isAccountId);
  return owner !== undefined && (account === undefined || owner === account);
}

function tenantOf(entry: KeyValue): string | undefined {
  return (JSON.parse(Buffer.from(entry.value).toString('utf8')) as { tenant?: string }).tenant; // network/records.ts, kubernetes/kubelet/ports.ts
}
