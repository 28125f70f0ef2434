import { DabbaError, isDabbaError, messageOf } from '#base';
import { storeError } from './errors.ts';
import type { Journal } from './journal.ts';
import type { Tables } from './tables.ts';
import type { Tail } from './tail.ts';
import type { WriteAheadLog } from './wal.ts';

interface Waiting {
  readonly job: () => unknown;
  readonly writesTables: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome =
  | { readonly waiting: Waiting; readonly result: unknown }
  | { readonly waiting: Waiting; readonly error: DabbaError };

/** Most jobs that share one commit; the rest wait for the next turn, so that a flood of writers does not stop the event loop. */
const MAX_JOBS = 1024;

/** What takes part in a commit. */
export interface CommitParts {
  /** Of the database; for messages. */
  readonly path: string;
  /** What jobs write: revisions that the journal and the tables still have to take. */
  readonly tail: Tail;
  readonly tables: Tables;
  readonly wal: WriteAheadLog;
  /** Undefined: there was no room for one, and every group waits for SQLite. */
  readonly journal: Journal | undefined;
  /** The jobs are durable: publish what they did. */
  readonly committed: () => void;
  /** Nothing of them was kept: forget what they did. The tail has forgotten it. */
  readonly rolledBack: () => void;
}

/**
 * Runs the jobs of one event-loop turn and makes them durable with one write. It commits in the check phase, right behind the I/O of the same
 * turn, when everyone who was woken by that I/O has asked. A job that refuses throws a `DabbaError` before it has written anything and fails
 * alone; whatever else is thrown is SQLite's, and fails the group.
 *
 * The order that a crash relies on: a group is in the journal, on the disk, before anyone hears of it; SQLite takes it later. A group that the
 * journal does not take (it is full, the group is too large or writes tables of its own) is committed and synced by SQLite, together with all
 * that came before; only then the journal begins anew.
 */
export class GroupCommit {
  readonly #parts: CommitParts;
  #queue: Waiting[] = [];
  #isClosed = false;
  /** A sync that failed. */
  #failure: DabbaError | undefined;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /** Resolves with the job's result when it is durable. A job that `writesTables` runs inside a transaction of SQLite, which has all earlier revisions. */
  run<T>(job: () => T, { writesTables = false } = {}): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#isClosed) return Promise.reject(new DabbaError('Unavailable', `${this.#parts.path} is closed`));
    // The executor's types tie `resolve` to `T`; the queue holds jobs of any result.
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ job, writesTables, resolve: resolve as (result: unknown) => void, reject });
      if (this.#queue.length === 1) setImmediate(() => this.#commitGroup());
    });
  }

  /** Commits what waits, gives SQLite what it has not, and takes no more. */
  close(): void {
    while (this.#queue.length) this.#commitGroup();
    this.#follow();
    this.#isClosed = true;
  }

  #commitGroup(): void {
    const group = this.#queue.splice(0, MAX_JOBS);
    if (this.#queue.length) setImmediate(() => this.#commitGroup());
    if (!group.length) return;
    let outcomes: Outcome[];
    try {
      outcomes = this.#commit(group);
    } catch (error) {
      this.#parts.rolledBack();
      for (const { reject } of group) reject(storeError(error, this.#parts.path));
      return;
    }
    this.#parts.committed();
    for (const outcome of outcomes)
      if ('error' in outcome) outcome.waiting.reject(outcome.error);
      else outcome.waiting.resolve(outcome.result);
    // Those who wrote are answered first.
    if (this.#parts.tail.isLong) setImmediate(() => this.#follow());
  }

  /** Returns when the group is durable. Throws when it is not, and then the tail is as it was. */
  #commit(group: readonly Waiting[]): Outcome[] {
    const { tail, tables, journal } = this.#parts;
    if (this.#failure) throw this.#failure;
    // It still is: SQLite could not take it. What waits in memory and in the journal has its bound, so now the group fails with it.
    if (tail.isLong) tables.take(() => undefined);
    const { length } = tail;
    try {
      if (!journal || group.some(({ writesTables }) => writesTables)) return this.#settle(() => group.map(runJob));
      const outcomes = group.map(runJob);
      const rows = tail.rows(length);
      if (rows.length && !this.#durably(() => journal.write(rows))) this.#settle(() => undefined);
      return outcomes;
    } catch (error) {
      tail.cut(length);
      throw error;
    }
  }

  /** SQLite takes everything there is and syncs it. Only then may the journal forget. */
  #settle<T>(jobs: () => T): T {
    const { tables, wal, journal } = this.#parts;
    const result = tables.take(jobs);
    this.#durably(() => wal.sync());
    journal?.restart();
    return result;
  }

  /** After a failed sync the kernel may have dropped what it could not write: nothing can be promised any more until the store is opened anew. */
  #durably<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      this.#failure = new DabbaError('Unavailable', `${this.#parts.path} could not be synced: ${messageOf(error)}`, {
        cause: error,
      });
      throw this.#failure;
    }
  }

  /** SQLite takes the tail, without anybody waiting. */
  #follow(): void {
    const { tail, tables, path } = this.#parts;
    if (this.#isClosed || this.#failure) return;
    try {
      if (tail.length) tables.take(() => undefined);
    } catch (error) {
      // The journal has it all. What keeps SQLite from taking it is met, and told, by the next group or the next opener.
      if (!isDabbaError(storeError(error, path))) throw error;
    }
  }
}

function runJob(waiting: Waiting): Outcome {
  try {
    return { waiting, result: waiting.job() };
  } catch (error) {
    if (isDabbaError(error)) return { waiting, error };
    throw error;
  }
}
