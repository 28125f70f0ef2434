import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { GroupCommit } from './group-commit.ts';
import { firstId, lastId } from './log.ts';

/** Rows of the log that one transaction of the sweep looks at. */
const STEP_ROWS = 256;

/**
 * Forgets the past. A row can go when a later row of its key lies at or before the compact revision, or when it deletes its key before
 * that. Only the rows between the last sweep and this one have to be looked at: each removes what it overwrote.
 *
 * Reads are refused before the first row goes, and the sweep remembers how far earlier ones came, so a crash between leaves garbage that
 * the next sweep collects, and never a hole.
 */
export class Compaction {
  readonly #commits: GroupCommit;
  readonly #setMeta: StatementSync;
  readonly #step: StatementSync;
  readonly #removeOlder: StatementSync;
  readonly #remove: StatementSync;
  #compactRevision: number;
  #sweptRevision: number;
  #running: Promise<void> = Promise.resolve();

  constructor(db: DatabaseSync, commits: GroupCommit) {
    this.#commits = commits;
    this.#setMeta = db.prepare(
      'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    );
    this.#step = db.prepare(
      'SELECT CAST(id AS TEXT) AS id, key, create_revision = 0 AS is_deletion FROM log WHERE id > ? AND id <= ? ORDER BY id LIMIT ?',
    );
    this.#removeOlder = db.prepare('DELETE FROM log WHERE key = ? AND id < ?');
    this.#remove = db.prepare('DELETE FROM log WHERE id = ?');
    const meta = new Map(
      db
        .prepare('SELECT name, value FROM meta')
        .all()
        .map((row) => [row['name'], row['value'] as number]),
    );
    this.#compactRevision = meta.get('compact_revision') ?? 0;
    this.#sweptRevision = meta.get('swept_revision') ?? 0;
  }

  /** The oldest revision that can be read; 0 before the first compaction. */
  get compactRevision(): number {
    return this.#compactRevision;
  }

  /** Resolves when everything before `revision` is forgotten. One sweep at a time. */
  run(revision: number): Promise<void> {
    const sweep = this.#running.then(() => this.#sweep(revision));
    // The caller hears of a failure; the next sweep does not depend on it.
    this.#running = sweep.catch(() => undefined);
    return sweep;
  }

  async #sweep(revision: number): Promise<void> {
    if (revision <= this.#sweptRevision) return;
    await this.#commits.run(() => this.#setMeta.run('compact_revision', revision));
    this.#compactRevision = Math.max(this.#compactRevision, revision);
    let from: bigint | undefined = firstId(this.#sweptRevision) - 1n;
    while (from !== undefined) {
      const after: bigint = from;
      from = await this.#commits.run(() => this.#sweepStep(after, revision));
    }
    await this.#commits.run(() => this.#setMeta.run('swept_revision', revision));
    this.#sweptRevision = revision;
  }

  /** Looks at the rows behind `after`; returns the last one it saw, or undefined at the end. */
  #sweepStep(after: bigint, revision: number): bigint | undefined {
    const rows = this.#step.all(after, lastId(revision), STEP_ROWS);
    for (const row of rows) {
      // The id comes as text, since it may not fit a number.
      const id = BigInt(row['id'] as string);
      this.#removeOlder.run(row['key'] as string, id);
      if (row['is_deletion'] === 1 && id < firstId(revision)) this.#remove.run(id);
    }
    return rows.length === STEP_ROWS ? BigInt(rows.at(-1)!['id'] as string) : undefined;
  }
}
