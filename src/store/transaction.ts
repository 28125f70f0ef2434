import { DabbaError } from '#base';
import type { Compare, KeyValue, Operation, Transaction, WatchEvent } from './store.ts';

/** Largest value a key may hold: etcd's default request limit, so that every adapter can keep what another accepted. */
export const MAX_VALUE_BYTES = 1.5 * 1024 * 1024;

/** What a transaction needs to see of the state it is applied to. */
export interface TransactionView {
  /** What comparisons look at. */
  version(key: string): { readonly [field in Compare['field']]?: number } | undefined;
  current(key: string): KeyValue | undefined;
  currentUnder(prefix: string): readonly KeyValue[];
  hasLease(leaseId: string): boolean;
}

/** Throws `InvalidArgument` for what no state could make right: an empty key, a huge value, a key that is changed twice. */
export function checkTransaction(transaction: Transaction): void {
  for (const { key } of transaction.compare ?? []) checkKey(key);
  checkOperations(transaction.success);
  if (transaction.failure) checkOperations(transaction.failure);
}

/**
 * Decides a transaction against `view` and returns the events that it is: none when nothing changes. Changes nothing itself, and throws
 * `NotFound` (unknown lease) before the caller could have.
 */
export function decide(
  transaction: Transaction,
  view: TransactionView,
  revision: number,
): { readonly succeeded: boolean; readonly events: readonly WatchEvent[] } {
  const succeeded = (transaction.compare ?? []).every((compare) => holds(compare, view));
  const operations = succeeded ? transaction.success : (transaction.failure ?? []);
  return { succeeded, events: operations.flatMap((operation) => eventsOf(operation, view, revision)) };
}

/** Throws `InvalidArgument` unless `key` can name something: not empty, and text that UTF-8 can carry. */
export function checkKey(key: string): void {
  if (key === '') throw new DabbaError('InvalidArgument', 'a key is not empty');
  if (!key.isWellFormed())
    throw new DabbaError('InvalidArgument', `key ${JSON.stringify(key)} is not well-formed text`);
}

function checkOperations(operations: readonly Operation[]): void {
  for (const operation of operations) {
    if (operation.kind === 'deletePrefix') continue;
    checkKey(operation.key);
    if (operation.kind === 'put' && operation.value.length > MAX_VALUE_BYTES)
      throw new DabbaError(
        'InvalidArgument',
        `the value of ${operation.key} has ${operation.value.length} bytes; at most ${MAX_VALUE_BYTES} fit`,
      );
  }
  // Nearly every transaction has one operation, and that one is in a hurry.
  if (operations.length > 1) checkOnce(operations);
}

/** Throws unless every key is changed by at most one of the operations. */
function checkOnce(operations: readonly Operation[]): void {
  const changed = new Set<string>();
  const prefixes: string[] = [];
  for (const operation of operations) {
    if (operation.kind === 'deletePrefix') {
      prefixes.push(operation.prefix);
      continue;
    }
    if (changed.has(operation.key)) throw changedTwice(operation.key);
    changed.add(operation.key);
  }
  for (const [index, prefix] of prefixes.entries()) {
    for (const key of changed) if (key.startsWith(prefix)) throw changedTwice(key);
    for (const other of prefixes.slice(index + 1))
      if (other.startsWith(prefix) || prefix.startsWith(other)) throw changedTwice(other);
  }
}

function changedTwice(key: string): DabbaError {
  return new DabbaError('InvalidArgument', `${key} is changed twice in one transaction`);
}

const comparisons = {
  '=': (actual: number, wanted: number) => actual === wanted,
  '!=': (actual: number, wanted: number) => actual !== wanted,
  '<': (actual: number, wanted: number) => actual < wanted,
  '>': (actual: number, wanted: number) => actual > wanted,
} satisfies { [is in Compare['is']]: (actual: number, wanted: number) => boolean };

function holds(compare: Compare, view: TransactionView): boolean {
  return comparisons[compare.is](view.version(compare.key)?.[compare.field] ?? 0, compare.value);
}

function eventsOf(operation: Operation, view: TransactionView, revision: number): WatchEvent[] {
  if (operation.kind === 'put') return [putEvent(operation, view, revision)];
  const previous = operation.kind === 'delete' ? [view.current(operation.key)] : view.currentUnder(operation.prefix);
  return previous.filter((entry) => entry !== undefined).map((entry) => deleteEvent(entry, revision));
}

function putEvent(operation: Operation & { kind: 'put' }, view: TransactionView, revision: number): WatchEvent {
  const { key, value, leaseId } = operation;
  if (leaseId !== undefined && !view.hasLease(leaseId)) throw unknownLease(leaseId);
  const previous = view.current(key);
  const entry: KeyValue = {
    key,
    value,
    createRevision: previous?.createRevision ?? revision,
    modRevision: revision,
    version: (previous?.version ?? 0) + 1,
    ...(leaseId !== undefined && { leaseId }),
  };
  return previous ? { kind: 'put', entry, previous } : { kind: 'put', entry };
}

/** The event that deletes `previous`. */
export function deleteEvent(previous: KeyValue, revision: number): WatchEvent {
  return { kind: 'delete', key: previous.key, revision, previous };
}

export function unknownLease(leaseId: string): DabbaError {
  return new DabbaError('NotFound', `lease ${leaseId} does not exist or has expired`);
}

/** The key an event is about. */
export function keyOf(event: WatchEvent): string {
  return event.kind === 'put' ? event.entry.key : event.key;
}
