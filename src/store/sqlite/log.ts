import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { prefixEnd } from '../keys.ts';
import type { KeyValue, WatchBatch, WatchEvent } from '../store.ts';

/** Bits of a row id that hold the place within the revision: a million changes in one transaction. */
const PLACE_BITS = 20n;
const LAST_PLACE = (1n << PLACE_BITS) - 1n;
/** How far one step of reading the past goes: rows returned, and revisions looked at. */
const STEP_ROWS = 512;
const STEP_REVISIONS = 8192;

/** `SELECT` list of a `Row`. The shift is done by SQLite, since an id may not fit a JavaScript number. */
const COLUMNS = `l.id >> ${PLACE_BITS} AS revision, l.key, l.create_revision, l.version, l.lease, l.value`;

interface Row {
  readonly revision: number;
  readonly key: string;
  readonly create_revision: number;
  readonly version: number;
  readonly lease: string | null;
  readonly value: Uint8Array | null;
}

/** The rows of the log, read and written through prepared statements. Knows nothing of transactions, watches or leases' time. */
export class Log {
  readonly #latest: StatementSync;
  readonly #at: StatementSync;
  readonly #listAt: StatementSync;
  readonly #range: StatementSync;
  readonly #underLease: StatementSync;
  readonly #insert: StatementSync;
  readonly #last: StatementSync;

  constructor(db: DatabaseSync) {
    this.#latest = db.prepare(`SELECT ${COLUMNS} FROM log l WHERE key = ? ORDER BY id DESC LIMIT 1`);
    this.#at = db.prepare(`SELECT ${COLUMNS} FROM log l WHERE key = ? AND id <= ? ORDER BY id DESC LIMIT 1`);
    // No ORDER BY outside: the grouping walks the index in key order and CROSS JOIN keeps that order, while a sort would hold every value.
    this.#listAt = db.prepare(`
      SELECT ${COLUMNS}
      FROM (SELECT key, max(id) AS id FROM log WHERE key >= ? AND key < ? AND id <= ? GROUP BY key) AS newest
      CROSS JOIN log AS l ON l.id = newest.id
      WHERE l.create_revision > 0 LIMIT ?`);
    this.#range = db.prepare(
      `SELECT ${COLUMNS} FROM log l WHERE id >= ? AND id <= ? AND +key >= ? AND +key < ? ORDER BY id`,
    );
    this.#underLease = db.prepare(`SELECT DISTINCT key FROM log WHERE lease = ? ORDER BY key`);
    this.#insert = db.prepare(
      'INSERT INTO log (id, key, create_revision, version, lease, value) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#last = db.prepare(`SELECT id >> ${PLACE_BITS} AS revision FROM log ORDER BY id DESC LIMIT 1`);
  }

  /** The revision of the last row; undefined in an empty log. */
  lastRevision(): number | undefined {
    return this.#last.get()?.['revision'] as number | undefined;
  }

  latest(key: string): KeyValue | undefined {
    return liveEntry(this.#latest.get(key));
  }

  /** The key as it was at `revision`. */
  at(key: string, revision: number): KeyValue | undefined {
    return liveEntry(this.#at.get(key, lastId(revision)));
  }

  /** Keys under `prefix` as they were at `revision`, in key order, from behind `afterKey` on. */
  list(prefix: string, options: { revision: number; afterKey?: string; limit?: number }): KeyValue[] {
    const [from, to] = bounds(prefix);
    // The key after K in byte order is K followed by U+0000.
    const first = options.afterKey === undefined ? from : `${options.afterKey}\0`;
    return this.#listAt.all(first, to, lastId(options.revision), options.limit ?? -1).map((row) => entryOf(asRow(row)));
  }

  /** The keys that die with a lease. */
  underLease(leaseId: string): KeyValue[] {
    return this.#underLease
      .all(leaseId)
      .map(({ key }) => this.latest(key as string))
      .filter((entry) => entry !== undefined)
      .filter((entry) => entry.leaseId === leaseId);
  }

  append(event: WatchEvent, revision: number, place: number): void {
    const id = firstId(revision) + BigInt(place);
    if (event.kind === 'delete') {
      this.#insert.run(id, event.key, 0, 0, null, null);
      return;
    }
    const { key, createRevision, version, leaseId, value } = event.entry;
    this.#insert.run(id, key, createRevision, version, leaseId ?? null, value);
  }

  /** One bounded step through the past: whole revisions, and how far it went. */
  changesFrom(prefix: string, from: number, current: number): { batches: WatchBatch[]; through: number } {
    const through = Math.min(current, from + STEP_REVISIONS - 1);
    const batches: { revision: number; events: WatchEvent[] }[] = [];
    let rows = 0;
    for (const raw of this.#range.iterate(firstId(from), lastId(through), ...bounds(prefix))) {
      const row = asRow(raw);
      let batch = batches.at(-1);
      if (batch?.revision !== row.revision) {
        if (rows >= STEP_ROWS) return { batches, through: batch!.revision };
        batch = { revision: row.revision, events: [] };
        batches.push(batch);
      }
      batch.events.push(this.#eventOf(row));
      rows++;
    }
    return { batches, through };
  }

  #eventOf(row: Row): WatchEvent {
    const previous = row.version === 1 ? undefined : this.at(row.key, row.revision - 1);
    const before = previous && { previous };
    if (row.create_revision === 0) return { kind: 'delete', key: row.key, revision: row.revision, ...before };
    return { kind: 'put', entry: entryOf(row), ...before };
  }
}

/** The first row id a revision can have. */
export function firstId(revision: number): bigint {
  return BigInt(revision) << PLACE_BITS;
}

/** The last row id a revision can have. */
export function lastId(revision: number): bigint {
  return firstId(revision) | LAST_PLACE;
}

/** The keys under a prefix as a half-open range. In SQLite every text sorts before every blob, so a blob bounds what has no last key. */
function bounds(prefix: string): [string, string | Uint8Array] {
  return [prefix, prefixEnd(prefix) ?? new Uint8Array(1)];
}

/** The statements above select exactly the columns of `Row`, whose types the schema and our own writes fix. */
function asRow(row: unknown): Row {
  return row as Row;
}

function liveEntry(row: unknown): KeyValue | undefined {
  return row === undefined || asRow(row).create_revision === 0 ? undefined : entryOf(asRow(row));
}

function entryOf(row: Row): KeyValue {
  return {
    key: row.key,
    // An empty value is bound as NULL.
    value: row.value ?? new Uint8Array(),
    createRevision: row.create_revision,
    modRevision: row.revision,
    version: row.version,
    ...(row.lease !== null && { leaseId: row.lease }),
  };
}
