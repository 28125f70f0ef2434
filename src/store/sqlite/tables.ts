import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { PLACE_BITS, idOf } from './row-id.ts';
import type { Row, Tail } from './tail.ts';

/**
 * SQLite behind the journal: takes the tail of the log, many revisions in a transaction. What it was given is in the file system's hands only
 * until `WriteAheadLog.sync`: a machine that loses power may forget the last of it, in order and by whole transactions (`synchronous = NORMAL`).
 */
export class Tables {
  readonly #db: DatabaseSync;
  readonly #tail: Tail;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #insert: StatementSync;
  readonly #last: StatementSync;

  constructor(db: DatabaseSync, tail: Tail) {
    this.#db = db;
    this.#tail = tail;
    this.#begin = db.prepare('BEGIN');
    this.#commit = db.prepare('COMMIT');
    this.#insert = db.prepare(
      'INSERT INTO log (id, key, create_revision, version, lease, value) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#last = db.prepare(`SELECT max(id) >> ${PLACE_BITS} AS revision FROM log`);
  }

  /** The last revision that is in the tables; 1 for an empty log. */
  get revision(): number {
    return (this.#last.get()?.['revision'] as number | null) ?? 1;
  }

  /** Takes the tail, and what `jobs` write and add to the tail, as one. When it throws, SQLite is as it was and the tail is whole. */
  take<T>(jobs: () => T): T {
    this.#begin.run();
    try {
      const { length } = this.#tail;
      for (const row of this.#tail.rows()) this.#write(row);
      const result = jobs();
      for (const row of this.#tail.rows(length)) this.#write(row);
      this.#commit.run();
      this.#tail.clear();
      return result;
    } catch (error) {
      // SQLite may have rolled back by itself, e.g. on a full disk (sqlite.org/lang_transaction.html, section 3).
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #write({ key, version, value }: Row): void {
    const { createRevision, leaseId } = version;
    this.#insert.run(idOf(version), key, createRevision, version.version, leaseId ?? null, value ?? null);
  }
}
