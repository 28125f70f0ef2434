import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { KeyValue, WatchBatch, WatchEvent } from '../store.ts';
import { keyOf } from '../transaction.ts';
import { KeyIndex, type Version } from './key-index.ts';
import { RecentValues } from './recent-values.ts';
import { LAST_PLACE, PLACE_BITS, idOf } from './row-id.ts';
import type { Row, Tail } from './tail.ts';

/** How far one step of reading the past goes: events returned, and revisions looked at. */
const STEP_EVENTS = 512;
const STEP_REVISIONS = 8192;

/** The ids are taken apart by SQLite, since they may not fit a JavaScript number. */
const COLUMNS = `id >> ${PLACE_BITS} AS revision, id & ${LAST_PLACE} AS place, key, create_revision, version, lease`;

interface StoredRow {
  readonly revision: number;
  readonly place: number;
  readonly key: string;
  readonly create_revision: number;
  readonly version: number;
  readonly lease: string | null;
}

/** A row but for its value. */
type Change = Pick<Row, 'key' | 'version'>;

/**
 * The changes of the store: their rows in SQLite, the last of them in the tail, and the index over both in memory. Knows nothing of
 * transactions, watches or time.
 */
export class Log {
  readonly #index = new KeyIndex();
  readonly #recent = new RecentValues();
  readonly #tail: Tail;
  readonly #value: StatementSync;
  readonly #range: StatementSync;
  readonly #remove: StatementSync;
  /** The revision of the last row; undefined in an empty log. */
  readonly lastRevision: number | undefined;

  /** Reads every row's key; the values stay on disk. The tail is empty. */
  constructor(db: DatabaseSync, tail: Tail) {
    this.#tail = tail;
    this.#value = db.prepare('SELECT value FROM log WHERE id = ?');
    this.#range = db.prepare(`SELECT ${COLUMNS} FROM log WHERE id >= ? AND id <= ? ORDER BY id`);
    this.#remove = db.prepare('DELETE FROM log WHERE id = ?');
    for (const raw of db.prepare(`SELECT ${COLUMNS} FROM log ORDER BY id`).iterate()) {
      const { key, version } = changeOf(raw);
      this.#index.append(key, version);
      this.lastRevision = version.modRevision;
    }
  }

  /** What the key is, but for its value. */
  version(key: string): Version | undefined {
    return this.#index.latest(key);
  }

  latest(key: string): KeyValue | undefined {
    return this.#entry(key, this.#index.latest(key));
  }

  /** The key as it was at `revision`. */
  at(key: string, revision: number): KeyValue | undefined {
    return this.#entry(key, this.#index.at(key, revision));
  }

  /** Keys under `prefix` as they were at `revision`, in key order, from behind `afterKey` on. */
  list(prefix: string, options: { revision: number; afterKey?: string; limit?: number }): KeyValue[] {
    // The key after K in byte order is K followed by U+0000.
    const first = options.afterKey === undefined ? prefix : `${options.afterKey}\0`;
    return this.#index
      .under(prefix, first, options.revision)
      .take(options.limit ?? Infinity)
      .map(([key, version]) => this.#entry(key, version)!)
      .toArray();
  }

  /** The keys that die with a lease. */
  underLease(leaseId: string): KeyValue[] {
    return this.#index
      .under('', '', Infinity)
      .filter(([, version]) => version.leaseId === leaseId)
      .map(([key, version]) => this.#entry(key, version)!)
      .toArray();
  }

  /** Writes the next revision: it is in the tail and in the index from here on. */
  append({ revision, events }: WatchBatch): void {
    const rows = events.map((event, place) => rowOf(event, revision, place));
    this.#tail.append(revision, rows);
    for (const { key, version, value } of rows) {
      this.#index.append(key, version);
      if (value) this.#recent.set(key, revision, value);
      else this.#recent.delete(key);
    }
  }

  /** Takes back the last revision, which the tail has given up. */
  undo({ events }: WatchBatch): void {
    for (const event of events.toReversed()) this.#index.undo(keyOf(event));
  }

  /** Forgets up to `limit` changes that were overwritten or deleted before `revision`, all in SQLite; returns how many. */
  forget(revision: number, limit: number): number {
    const gone = this.#index.forget(revision, limit);
    for (const version of gone) this.#remove.run(idOf(version));
    return gone.length;
  }

  /** One bounded step through the past: whole revisions, and how far it went. */
  changesFrom(prefix: string, from: number, current: number): { batches: WatchBatch[]; through: number } {
    const through = Math.min(current, from + STEP_REVISIONS - 1);
    const batches: { revision: number; events: WatchEvent[] }[] = [];
    let events = 0;
    for (const change of this.#changes(from, through)) {
      if (!change.key.startsWith(prefix)) continue;
      const revision = change.version.modRevision;
      let batch = batches.at(-1);
      if (batch?.revision !== revision) {
        if (events >= STEP_EVENTS) return { batches, through: batch!.revision };
        batch = { revision, events: [] };
        batches.push(batch);
      }
      batch.events.push(this.#eventOf(change));
      events++;
    }
    return { batches, through };
  }

  *#changes(from: number, through: number): Generator<Change, void, undefined> {
    const first = idOf({ modRevision: from, place: 0 });
    for (const row of this.#range.iterate(first, idOf({ modRevision: through, place: LAST_PLACE })))
      yield changeOf(row);
    for (const row of this.#tail.rows())
      if (row.version.modRevision >= from && row.version.modRevision <= through) yield row;
  }

  #eventOf({ key, version }: Change): WatchEvent {
    const previous = version.version === 1 ? undefined : this.at(key, version.modRevision - 1);
    const before = previous && { previous };
    if (version.createRevision === 0) return { kind: 'delete', key, revision: version.modRevision, ...before };
    return { kind: 'put', entry: this.#entry(key, version)!, ...before };
  }

  #entry(key: string, version: Version | undefined): KeyValue | undefined {
    if (!version) return undefined;
    const entry = {
      key,
      value: this.#valueOf(key, version),
      createRevision: version.createRevision,
      modRevision: version.modRevision,
      version: version.version,
    };
    return version.leaseId === undefined ? entry : { ...entry, leaseId: version.leaseId };
  }

  #valueOf(key: string, version: Version): Uint8Array {
    return this.#recent.get(key, version.modRevision) ?? this.#tail.find(version)?.value ?? this.#stored(key, version);
  }

  #stored(key: string, version: Version): Uint8Array {
    const row = this.#value.get(idOf(version));
    if (!row) throw new Error(`the row of ${key} at revision ${version.modRevision} is missing`);
    // An empty value may come back as NULL.
    return (row['value'] as Uint8Array | null) ?? new Uint8Array();
  }
}

function rowOf(event: WatchEvent, modRevision: number, place: number): Row {
  if (event.kind === 'delete') {
    const version = { modRevision, place, createRevision: 0, version: 0, leaseId: undefined };
    return { key: event.key, version, value: undefined };
  }
  const { key, createRevision, version, leaseId, value } = event.entry;
  return { key, version: { modRevision, place, createRevision, version, leaseId }, value };
}

/** `raw` is a row of `COLUMNS`, which are those of `StoredRow`; the schema and our own writes fix their types. */
function changeOf(raw: unknown): Change {
  const { revision, place, key, create_revision: createRevision, version, lease } = raw as StoredRow;
  return { key, version: { modRevision: revision, place, createRevision, version, leaseId: lease ?? undefined } };
}
