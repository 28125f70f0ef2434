import { type Clock, DabbaError, type Random, systemClock, systemRandom } from '#base';
import { compareKeys } from '../keys.ts';
import { LeaseTimers } from '../lease-timers.ts';
import { formatListPosition, parseListPosition } from '../list-position.ts';
import { type RevisionSpan, checkReadable } from '../revisions.ts';
import type {
  KeyValue,
  Lease,
  ListOptions,
  ListResult,
  Store,
  Transaction,
  TransactionResult,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from '../store.ts';
import { checkTransaction, decide, deleteEvent, keyOf, unknownLease } from '../transaction.ts';
import { WatchHub } from '../watch-hub.ts';

/** A store that forgets everything with its process: for tests of whatever needs one. */
export function memoryStore(options: { readonly clock?: Clock; readonly random?: Random } = {}): Store {
  return new MemoryStore(options.clock ?? systemClock, options.random ?? systemRandom);
}

class MemoryStore implements Store {
  readonly #random: Random;
  readonly #leases: LeaseTimers;
  readonly #hub: WatchHub;
  /** The kept changes of each key, oldest first. */
  readonly #histories = new Map<string, WatchEvent[]>();
  #batches: WatchBatch[] = [];
  #span: RevisionSpan = { revision: 1, compactRevision: 0 };
  #isClosed = false;

  constructor(clock: Clock, random: Random) {
    this.#random = random;
    this.#leases = new LeaseTimers(clock, async (leaseId) => this.#endLease(leaseId));
    this.#hub = new WatchHub({
      span: () => this.#span,
      changesFrom: (prefix, from) => ({
        batches: this.#batches
          .filter(({ revision }) => revision >= from)
          .map(({ revision, events }) => ({
            revision,
            events: events.filter((event) => keyOf(event).startsWith(prefix)),
          }))
          .filter(({ events }) => events.length > 0),
        through: this.#span.revision,
      }),
    });
  }

  async get(key: string, options?: { readonly revision?: number }): Promise<KeyValue | undefined> {
    this.#checkOpen();
    const revision = options?.revision ?? this.#span.revision;
    checkReadable(revision, this.#span);
    return this.#at(key, revision);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#checkOpen();
    const position = options.continue === undefined ? undefined : parseListPosition(options.continue, prefix);
    const revision = position?.revision ?? options.revision ?? this.#span.revision;
    checkReadable(revision, this.#span);
    const rest = this.#under(prefix, revision).filter(
      ({ key }) => position === undefined || compareKeys(key, position.afterKey) > 0,
    );
    const entries = rest.slice(0, options.limit);
    if (entries.length === rest.length) return { entries, revision };
    return { entries, revision, continue: formatListPosition({ revision, afterKey: entries.at(-1)!.key }) };
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    this.#checkOpen();
    checkTransaction(transaction);
    const { revision } = this.#span;
    const { succeeded, events } = decide(
      transaction,
      {
        version: (key) => this.#at(key, revision),
        current: (key) => this.#at(key, revision),
        currentUnder: (prefix) => this.#under(prefix, revision),
        hasLease: (leaseId) => this.#leases.has(leaseId),
      },
      revision + 1,
    );
    this.#record(events);
    return { succeeded, revision: this.#span.revision };
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    return this.#hub.watch(prefix, options);
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    this.#checkOpen();
    if (!Number.isSafeInteger(ttlMs) || ttlMs < 1)
      throw new DabbaError('InvalidArgument', `a lease cannot last ${ttlMs} ms`);
    const id = this.#random.hex(16);
    this.#leases.start(id, ttlMs);
    return { id, ttlMs };
  }

  async keepAlive(leaseId: string): Promise<Lease> {
    const ttlMs = this.#leases.restart(leaseId);
    if (ttlMs === undefined) throw unknownLease(leaseId);
    return { id: leaseId, ttlMs };
  }

  async revokeLease(leaseId: string): Promise<void> {
    this.#checkOpen();
    this.#leases.forget(leaseId);
    this.#endLease(leaseId);
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    checkReadable(revision, this.#span);
    this.#span = { ...this.#span, compactRevision: Math.max(revision, this.#span.compactRevision) };
    this.#batches = this.#batches.filter((batch) => batch.revision >= revision);
    for (const [key, history] of this.#histories) {
      const kept = history.slice(
        Math.max(
          0,
          history.findLastIndex((event) => revisionOf(event) <= revision),
        ),
      );
      if (kept[0]?.kind === 'delete' && kept[0].revision < revision) kept.shift();
      if (kept.length) this.#histories.set(key, kept);
      else this.#histories.delete(key);
    }
  }

  async revision(): Promise<number> {
    this.#checkOpen();
    return this.#span.revision;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#leases.close();
    this.#hub.close();
  }

  #at(key: string, revision: number): KeyValue | undefined {
    const last = this.#histories.get(key)?.findLast((event) => revisionOf(event) <= revision);
    return last?.kind === 'put' ? last.entry : undefined;
  }

  #under(prefix: string, revision: number): KeyValue[] {
    return Array.from(this.#histories.keys())
      .filter((key) => key.startsWith(prefix))
      .sort(compareKeys)
      .map((key) => this.#at(key, revision))
      .filter((entry) => entry !== undefined);
  }

  #record(events: readonly WatchEvent[]): void {
    if (!events.length) return;
    const revision = this.#span.revision + 1;
    for (const event of events) {
      const key = keyOf(event);
      const history = this.#histories.get(key);
      if (history) history.push(event);
      else this.#histories.set(key, [event]);
    }
    const batch = { revision, events };
    this.#batches.push(batch);
    this.#span = { ...this.#span, revision };
    this.#hub.publish(batch);
  }

  #endLease(leaseId: string): void {
    const { revision } = this.#span;
    const entries = this.#under('', revision).filter((entry) => entry.leaseId === leaseId);
    this.#record(entries.map((entry) => deleteEvent(entry, revision + 1)));
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new DabbaError('Unavailable', 'the store is closed');
  }
}

function revisionOf(event: WatchEvent): number {
  return event.kind === 'put' ? event.entry.modRevision : event.revision;
}
