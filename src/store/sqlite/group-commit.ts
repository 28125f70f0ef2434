import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { DabbaError, isDabbaError, messageOf } from '#base';
import { storeError } from './errors.ts';

interface Waiting {
  readonly job: () => unknown;
  /** It writes one row or none, so it needs no transaction around it when it is alone. */
  readonly isOneStatement: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome =
  | { readonly waiting: Waiting; readonly result: unknown }
  | { readonly waiting: Waiting; readonly error: DabbaError };

/** Most jobs that share one commit; the rest wait for the next turn, so that a flood of writers does not stop the event loop. */
const MAX_JOBS = 1024;

/** What happens around a commit. */
export interface CommitHooks {
  /** Makes it durable. A throw means that nobody knows whether it is. */
  sync(): void;
  /** The jobs are durable: publish what they did. */
  committed(): void;
  /** Nothing of them was kept: forget what they did. */
  rolledBack(): void;
}

/**
 * Runs the jobs of one event-loop turn in one SQLite transaction, with one fsync. It commits in the check phase, right behind the I/O of
 * the same turn, when everyone who was woken by that I/O has asked. A job that refuses throws a `DabbaError` before it has written anything
 * and fails alone; whatever else is thrown is SQLite's, and fails the group.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #hooks: CommitHooks;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #queue: Waiting[] = [];
  /** Set when no more is taken, and why. */
  #refusal: DabbaError | undefined;

  constructor(db: DatabaseSync, path: string, hooks: CommitHooks) {
    this.#db = db;
    this.#path = path;
    this.#hooks = hooks;
    this.#begin = db.prepare('BEGIN');
    this.#commit = db.prepare('COMMIT');
  }

  /** Resolves with the job's result when it is durable. */
  run<T>(job: () => T, { isOneStatement = false } = {}): Promise<T> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    // The executor's types tie `resolve` to `T`; the queue holds jobs of any result.
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ job, isOneStatement, resolve: resolve as (result: unknown) => void, reject });
      if (this.#queue.length === 1) setImmediate(() => this.#commitGroup());
    });
  }

  /** Commits what waits, and takes no more. */
  close(): void {
    this.#refusal ??= new DabbaError('Unavailable', `${this.#path} is closed`);
    while (this.#queue.length) this.#commitGroup();
  }

  #commitGroup(): void {
    const group = this.#queue.splice(0, MAX_JOBS);
    if (this.#queue.length) setImmediate(() => this.#commitGroup());
    if (!group.length) return;
    let outcomes: Outcome[];
    const isTransaction = group.length > 1 || !group[0]!.isOneStatement;
    try {
      if (isTransaction) this.#begin.run();
      outcomes = group.map(runJob);
      if (isTransaction) this.#commit.run();
    } catch (error) {
      this.#rollBack();
      for (const { reject } of group) reject(storeError(error, this.#path));
      return;
    }
    if (!this.#sync(group)) return;
    this.#hooks.committed();
    for (const outcome of outcomes)
      if ('error' in outcome) outcome.waiting.reject(outcome.error);
      else outcome.waiting.resolve(outcome.result);
  }

  /** After a failed sync the kernel may have dropped what it could not write: nothing can be promised any more until the store is opened anew. */
  #sync(group: readonly Waiting[]): boolean {
    try {
      this.#hooks.sync();
      return true;
    } catch (error) {
      this.#refusal = new DabbaError('Unavailable', `${this.#path} could not be synced: ${messageOf(error)}`, {
        cause: error,
      });
      this.#hooks.rolledBack();
      for (const { reject } of group) reject(this.#refusal);
      return false;
    }
  }

  #rollBack(): void {
    // SQLite may have rolled back by itself, e.g. on a full disk (sqlite.org/lang_transaction.html, section 3).
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    this.#hooks.rolledBack();
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
