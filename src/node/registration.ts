import { type Clock, isDabbaError, type Logger, messageOf } from '#base';
import type { Operation, Store } from '#store';
import type { Node, NodeRecords } from './sandbox.ts';

/** How long schedulers believe in a node that says nothing. */
const LEASE_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;

export interface RegistrationOptions {
  readonly store: Store;
  readonly records: NodeRecords;
  readonly nodes: readonly Node[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Announces the nodes under a lease, and keeps it alive until the signal. Resolves when they are announced. The records are not withdrawn at
 * the end: a worker that comes back in time was never away, and one that does not is missed when the lease runs out.
 */
export async function register(options: RegistrationOptions): Promise<{ readonly ended: Promise<void> }> {
  const leaseId = await announce(options);
  return { ended: keepAlive(options, leaseId) };
}

async function announce({ store, records, nodes }: RegistrationOptions): Promise<string> {
  const { id: leaseId } = await store.grantLease(LEASE_MS);
  const put = (node: Node): Operation => ({
    kind: 'put',
    key: records.nodes.key(node.id),
    value: Buffer.from(JSON.stringify(node)),
    leaseId,
  });
  await store.txn({ success: nodes.map(put) });
  return leaseId;
}

async function keepAlive(options: RegistrationOptions, firstLeaseId: string): Promise<void> {
  const { store, clock, logger, signal } = options;
  let leaseId = firstLeaseId;
  while (!signal.aborted) {
    // A lease asks for a sign of life in time, not for an event.
    await clock.sleep(KEEP_ALIVE_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await store.keepAlive(leaseId);
    } catch (error) {
      logger.warn('the nodes of this machine may be thought lost', { error: messageOf(error) });
      if (isDabbaError(error, 'NotFound')) leaseId = await announce(options).catch(() => leaseId);
    }
  }
}
