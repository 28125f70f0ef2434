import { DabbaError, type ErrorKind, isDabbaError, messageOf } from '#base';
import { CompactedError, FutureRevisionError } from '../errors.ts';
import type {
  KeyValue,
  Lease,
  ListOptions,
  Operation,
  Transaction,
  TransactionResult,
  WatchBatch,
  WatchEvent,
} from '../store.ts';
import type { Blobs } from './frames.ts';

/** Raised when the messages below change in a way that an older peer would misread. */
export const PROTOCOL_VERSION = 1;

/** First word of a client: who it is. */
export interface Hello {
  readonly protocol: number;
  readonly client: string;
}

/** Throws `InvalidArgument` unless a client's first word is a `Hello`. */
export function parseHello(head: unknown): Hello {
  const { protocol, client } = (head ?? {}) as Partial<Record<keyof Hello, unknown>>;
  if (typeof protocol !== 'number' || typeof client !== 'string')
    throw new DabbaError('InvalidArgument', 'a store client begins with its protocol and name');
  return { protocol, client };
}

/** What a client asks. Every request but `cancel` and `taken` is answered under its `id`. */
export type Request = { readonly id: number } & (
  | { readonly call: 'get'; readonly key: string; readonly revision?: number }
  | { readonly call: 'list'; readonly prefix: string; readonly options: ListOptions }
  | { readonly call: 'txn'; readonly transaction: WireTransaction }
  | {
      readonly call: 'watch';
      readonly prefix: string;
      readonly fromRevision?: number;
      readonly isProgressWanted: boolean;
    }
  | { readonly call: 'grantLease'; readonly ttlMs: number }
  | { readonly call: 'keepAlive' | 'revokeLease'; readonly leaseId: string }
  | { readonly call: 'compact'; readonly revision: number }
  | { readonly call: 'revision' }
  /** Ends the watch with this id. */
  | { readonly call: 'cancel' }
  /** The consumer of the watch with this id took so many batches. */
  | { readonly call: 'taken'; readonly count: number }
);

/** Answers. A list comes in parts, the last one with `revision`; a watch sends `started`, then `batch` after `batch`. */
export type Reply = { readonly id: number } & (
  | { readonly welcome: true }
  | { readonly error: WireError }
  | { readonly entry: WireEntry | null }
  | { readonly entries: readonly WireEntry[]; readonly revision?: number; readonly continue?: string }
  | { readonly result: TransactionResult }
  | { readonly lease: Lease }
  | { readonly done: true }
  | { readonly revision: number }
  | { readonly started: true }
  | { readonly batch: WireBatch }
);

/** Key, create revision, mod revision, version, index of the value, lease. */
export type WireEntry = readonly [string, number, number, number, number, (string | undefined)?];

type WireOperation =
  | { readonly kind: 'put'; readonly key: string; readonly value: number; readonly leaseId?: string }
  | Exclude<Operation, { kind: 'put' }>;

export interface WireTransaction extends Omit<Transaction, 'success' | 'failure'> {
  readonly success: readonly WireOperation[];
  readonly failure?: readonly WireOperation[];
}

/** `put` has an entry, a deletion a key; both may have the previous entry. */
type WireEvent = { readonly entry?: WireEntry; readonly key?: string; readonly previous?: WireEntry };

export interface WireBatch {
  readonly revision: number;
  readonly events: readonly WireEvent[];
}

interface WireError {
  readonly kind: ErrorKind;
  readonly message: string;
  /** Of the two errors that callers tell apart by class: which it is, the revision asked for, and the one that bounds it. */
  readonly revisions?: { readonly is: 'compacted' | 'future'; readonly asked: number; readonly bound: number };
}

export function packEntry(entry: KeyValue, blobs: Blobs): WireEntry {
  const { key, createRevision, modRevision, version, leaseId, value } = entry;
  const packed = [key, createRevision, modRevision, version, blobs.add(value)] as const;
  return leaseId === undefined ? packed : [...packed, leaseId];
}

export function unpackEntry(packed: WireEntry, blobs: readonly Buffer[]): KeyValue {
  const [key, createRevision, modRevision, version, value, leaseId] = packed;
  const entry = { key, value: blobAt(blobs, value), createRevision, modRevision, version };
  return leaseId === undefined ? entry : { ...entry, leaseId };
}

export function packTransaction(transaction: Transaction, blobs: Blobs): WireTransaction {
  const pack = (operation: Operation): WireOperation =>
    operation.kind === 'put' ? { ...operation, value: blobs.add(operation.value) } : operation;
  const { success, failure, ...rest } = transaction;
  return { ...rest, success: success.map(pack), ...(failure && { failure: failure.map(pack) }) };
}

export function unpackTransaction(packed: WireTransaction, blobs: readonly Buffer[]): Transaction {
  const unpack = (operation: WireOperation): Operation =>
    operation.kind === 'put' ? { ...operation, value: blobAt(blobs, operation.value) } : operation;
  const { success, failure, ...rest } = packed;
  return { ...rest, success: success.map(unpack), ...(failure && { failure: failure.map(unpack) }) };
}

export function packBatch(batch: WatchBatch, blobs: Blobs): WireBatch {
  const pack = (event: WatchEvent): WireEvent => ({
    ...(event.kind === 'put' ? { entry: packEntry(event.entry, blobs) } : { key: event.key }),
    ...(event.previous && { previous: packEntry(event.previous, blobs) }),
  });
  return { revision: batch.revision, events: batch.events.map(pack) };
}

export function unpackBatch({ revision, events }: WireBatch, blobs: readonly Buffer[]): WatchBatch {
  const unpack = ({ entry, key, previous }: WireEvent): WatchEvent => {
    const before = previous && { previous: unpackEntry(previous, blobs) };
    if (entry) return { kind: 'put', entry: unpackEntry(entry, blobs), ...before };
    return { kind: 'delete', key: key!, revision, ...before };
  };
  return { revision, events: events.map(unpack) };
}

/** Faults that are not a caller's to act on go over as `Internal`. */
export function packError(error: unknown): WireError {
  const wire = { kind: isDabbaError(error) ? error.kind : ('Internal' as const), message: messageOf(error) };
  if (error instanceof CompactedError)
    return { ...wire, revisions: { is: 'compacted', asked: error.revision, bound: error.compactRevision } };
  if (error instanceof FutureRevisionError)
    return { ...wire, revisions: { is: 'future', asked: error.revision, bound: error.currentRevision } };
  return wire;
}

export function unpackError({ kind, message, revisions }: WireError): DabbaError {
  if (!revisions) return new DabbaError(kind, message);
  const { is, asked, bound } = revisions;
  return is === 'compacted' ? new CompactedError(asked, bound) : new FutureRevisionError(asked, bound);
}

function blobAt(blobs: readonly Buffer[], index: number): Buffer {
  const blob = blobs[index];
  if (!blob) throw new DabbaError('InvalidArgument', `a message refers to value ${index}, which it does not carry`);
  return blob;
}
