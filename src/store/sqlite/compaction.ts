import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { GroupCommit } from './group-commit.ts';
import type { Log } from './log.ts';

/** Rows that one transaction of a sweep removes. */
const STEP_ROWS = 512;

/**
 * Forgets the past. Reads of it are refused before the first row goes; rows that a crash leaves behind are found when the log is read again,
 * and go with the next sweep.
 */
export class Compaction {
  readonly #log: Log;
  readonly #commits: GroupCommit;
  readonly #remember: StatementSync;
  #compactRevision: number;

  constructor(db: DatabaseSync, log: Log, commits: GroupCommit) {
    this.#log = log;
    this.#commits = commits;
    this.#remember = db.prepare(
      `INSERT INTO meta (name, value) VALUES ('compact_revision', ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
    );
    const row = db.prepare(`SELECT value FROM meta WHERE name = 'compact_revision'`).get();
    this.#compactRevision = Number(row?.['value'] ?? 0);
  }

  /** The oldest revision that can be read; 0 before the first compaction. */
  get compactRevision(): number {
    return this.#compactRevision;
  }

  /** Resolves when everything before `revision` is forgotten. */
  async run(revision: number): Promise<void> {
    if (revision > this.#compactRevision) {
      await this.#commits.run(() => this.#remember.run(Math.max(revision, this.#compactRevision)), {
        writesTables: true,
      });
      this.#compactRevision = Math.max(revision, this.#compactRevision);
    }
    const step = () => this.#log.forget(revision, STEP_ROWS);
    while ((await this.#commits.run(step, { writesTables: true })) === STEP_ROWS);
  }
}
