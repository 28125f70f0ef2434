/**
 * The store: revisioned keys with etcd's semantics, the one home of everything dabba must not forget.
 *
 * **Vocabulary.** A *key* is a `/`-separated UTF-8 string, `room/kind/…/name`; keys are ordered by their bytes. A *value* is bytes
 * (JSON, by convention). The store has one global *revision*, a whole number that starts at 1 on an empty store and grows by one with each
 * transaction that changes something; every key changed by one transaction carries the same revision. A key's `createRevision` is the
 * revision that made it, `modRevision` the one that changed it last, `version` counts changes since it was made (1, 2, …).
 *
 * **Lifecycle.** `txn` is the only write. It is durable when its promise resolves; a transaction whose promise was rejected may or may
 * not have happened only if the kind is `Unavailable`. Watchers see transactions in order, whole, and not before they are durable.
 * Old revisions stay readable until `compact`.
 *
 * **Example.** Create a record only if it is absent, then follow its prefix from there:
 *
 *     const made = await store.txn({
 *       compare: [{ key: 'ecs/clusters/1/prod', field: 'version', is: '=', value: 0 }],
 *       success: [{ kind: 'put', key: 'ecs/clusters/1/prod', value: bytes }],
 *     });
 *     if (!made.succeeded) throw new DabbaError('AlreadyExists', …);
 *     for await (const batch of store.watch('ecs/clusters/', { fromRevision: made.revision + 1, signal })) …
 *
 * Source of the semantics: etcd v3 API (`rpc.proto`, "KV", "Watch", "Lease"). Every adapter passes `store.contract.ts` whole.
 */

/** One key as it stood at some revision. */
export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** The lease this key dies with, if any. */
  readonly leaseId?: string;
}

/** A condition of a transaction. An absent key has version, create and mod revision 0. */
export interface Compare {
  readonly key: string;
  readonly field: 'version' | 'createRevision' | 'modRevision';
  readonly is: '=' | '!=' | '<' | '>';
  readonly value: number;
}

/** One effect of a transaction. `deletePrefix` deletes every key that starts with `prefix`. A key may be changed once a transaction. */
export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array; readonly leaseId?: string }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'deletePrefix'; readonly prefix: string };

export interface Transaction {
  /** All must hold for `success` to be done; otherwise `failure` is. Default: none, so `success`. */
  readonly compare?: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure?: readonly Operation[];
}

export interface TransactionResult {
  /** True if every comparison held and `success` was done. */
  readonly succeeded: boolean;
  /** The store's revision after the transaction; that of the changed keys if it changed any. */
  readonly revision: number;
}

export interface ListOptions {
  /** Read the past: the state as it was at this revision. Default: now. */
  readonly revision?: number;
  /** At most this many keys; the answer's `continue` goes on behind them, at the same revision. Default: all. */
  readonly limit?: number;
  /** The `continue` of an earlier answer for the same prefix. */
  readonly continue?: string;
}

export interface ListResult {
  /** In key order. */
  readonly entries: readonly KeyValue[];
  /** The revision this list is the state of. */
  readonly revision: number;
  /** Set when there is more. */
  readonly continue?: string;
}

/** One change of one key. A deletion carries the deleting revision as `revision`, and what the key was as `previous`. */
export type WatchEvent =
  | { readonly kind: 'put'; readonly entry: KeyValue; readonly previous?: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: number; readonly previous?: KeyValue };

/** The events of one revision that fall under the watched prefix, or, with no events and only when asked for, word that everything up to `revision` was seen. */
export interface WatchBatch {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

export interface WatchOptions {
  /** First revision to deliver. Default: the one after the current. May lie in the past, unless compacted. */
  readonly fromRevision?: number;
  /** Ends the watch: the iterator returns. */
  readonly signal: AbortSignal;
  /** Also deliver batches without events, as word of revisions that changed nothing under the prefix. Default: no such batches. */
  readonly isProgressWanted?: boolean;
}

export interface Lease {
  readonly id: string;
  readonly ttlMs: number;
}

/**
 * The port. Errors, all `DabbaError`: `InvalidArgument` (empty key, key changed twice in one transaction, value over 1.5 MiB), `NotFound`
 * (unknown lease), `FailedPrecondition` (revision compacted, or not yet reached: see `CompactedError`, `FutureRevisionError`),
 * `Unavailable` (closed or out of reach), `ResourceExhausted` (disk full; nothing of the transaction was kept).
 */
export interface Store {
  /** The key now, or at `revision`; undefined if it was absent then. */
  get(key: string, options?: { readonly revision?: number }): Promise<KeyValue | undefined>;
  /** Every key that starts with `prefix`. */
  list(prefix: string, options?: ListOptions): Promise<ListResult>;
  /** Compares, then changes, as one. Durable when it resolves. An empty `success` is a barrier: it answers the current revision. */
  txn(transaction: Transaction): Promise<TransactionResult>;
  /**
   * Changes under `prefix`, revision by revision. Throws `CompactedError` when `fromRevision` was compacted, at once or later when a
   * consumer is too slow: list again and go on from there. Never skips or repeats a revision otherwise.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch>;
  /** A lease that dies, with its keys, `ttlMs` after it was granted or last kept alive. The store may round up to whole seconds. */
  grantLease(ttlMs: number): Promise<Lease>;
  /** Starts the lease's time anew. Throws `NotFound` once it has expired. */
  keepAlive(leaseId: string): Promise<Lease>;
  /** Ends the lease and deletes its keys in one revision. Ending an unknown lease succeeds. */
  revokeLease(leaseId: string): Promise<void>;
  /** Forgets what was overwritten or deleted before `revision`. What lives stays. */
  compact(revision: number): Promise<void>;
  /** The current revision. */
  revision(): Promise<number>;
  /** Ends every watch and lets go of what the adapter holds. Idempotent. */
  close(): Promise<void>;
}
