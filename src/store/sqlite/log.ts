import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { KeyValue, WatchBatch, WatchEvent } from '../store.ts';
import { KeyIndex, type Version } from './key-index.ts';
import { RecentValues } from './recent-values.ts';

/** Bits of a row id that hold the place within the revision: a million changes in one transaction. */
const PLACE_BITS = 20n;
const LAST_PLACE = (1n << PLACE_BITS) - 1n;
/** How far one step of reading the past goes: events returned, and revisions looked at. */
const STEP_EVENTS = 512;
const STEP_REVISIONS = 8192;

/** The ids are taken apart by SQLite, since they may not fit a JavaScript number. */
const COLUMNS = `id >> ${PLACE_BITS} AS revision, id & ${LAST_PLACE} AS place, key, create_revision, version, lease`;

interface Row {
  readonly revision: number;
  readonly place: number;
  readonly key: string;
  readonly create_revision: number;
  readonly version: number;
  readonly lease: string | null;
}

/** The changes of the store: their rows on disk, and the index over them in memory. Knows nothing of transactions, watches or time. */
export class Log {
  readonly #index = new KeyIndex();
  readonly #recent = new RecentValues();
  readonly #value: StatementSync;
  readonly #range: StatementSync;
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;
  /** The revision of the last row; undefined in an empty log. */
  readonly lastRevision: number | undefined;

  /** Reads every row's key; the values stay on disk. */
  constructor(db: DatabaseSync) {
    this.#value = db.prepare('SELECT value FROM log WHERE id = ?');
    this.#range = db.prepare(`SELECT ${COLUMNS} FROM log WHERE id >= ? AND id <= ? ORDER BY id`);
    this.#insert = db.prepare(
      'INSERT INTO log (id, key, create_revision, version, lease, value) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#remove = db.prepare('DELETE FROM log WHERE id = ?');
    for (const raw of db.prepare(`SELECT ${COLUMNS} FROM log ORDER BY id`).iterate()) {
      const row = asRow(raw);
      this.#index.append(row.key, versionOf(row));
      this.lastRevision = row.revision;
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

  /** Writes a revision. When a row cannot be written it throws and the index is as it was. */
  append(events: readonly WatchEvent[], revision: number): void {
    for (const [place, event] of events.entries()) this.#write(event, idOf({ modRevision: revision, place }));
    for (const [place, event] of events.entries()) this.#remember(event, revision, place);
  }

  /** Takes back the last change, which was this key's and whose row was rolled back. */
  undo(key: string): void {
    this.#index.undo(key);
  }

  /** Forgets up to `limit` changes that were overwritten or deleted before `revision`; returns how many. */
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
    for (const raw of this.#range.iterate(BigInt(from) << PLACE_BITS, (BigInt(through) << PLACE_BITS) | LAST_PLACE)) {
      const row = asRow(raw);
      if (!row.key.startsWith(prefix)) continue;
      let batch = batches.at(-1);
      if (batch?.revision !== row.revision) {
        if (events >= STEP_EVENTS) return { batches, through: batch!.revision };
        batch = { revision: row.revision, events: [] };
        batches.push(batch);
      }
      batch.events.push(this.#eventOf(row));
      events++;
    }
    return { batches, through };
  }

  #write(event: WatchEvent, id: bigint): void {
    if (event.kind === 'delete') {
      this.#insert.run(id, event.key, 0, 0, null, null);
      return;
    }
    const { key, createRevision, version, leaseId, value } = event.entry;
    this.#insert.run(id, key, createRevision, version, leaseId ?? null, value);
  }

  #remember(event: WatchEvent, modRevision: number, place: number): void {
    if (event.kind === 'delete') {
      this.#recent.delete(event.key);
      this.#index.append(event.key, { modRevision, place, createRevision: 0, version: 0, leaseId: undefined });
      return;
    }
    const { key, createRevision, version, leaseId, value } = event.entry;
    this.#recent.set(key, modRevision, value);
    this.#index.append(key, { modRevision, place, createRevision, version, leaseId });
  }

  #eventOf(row: Row): WatchEvent {
    const previous = row.version === 1 ? undefined : this.at(row.key, row.revision - 1);
    const before = previous && { previous };
    if (row.create_revision === 0) return { kind: 'delete', key: row.key, revision: row.revision, ...before };
    return { kind: 'put', entry: this.#entry(row.key, versionOf(row))!, ...before };
  }

  #entry(key: string, version: Version | undefined): KeyValue | undefined {
    if (!version) return undefined;
    const entry = {
      key,
      value: this.#recent.get(key, version.modRevision) ?? this.#stored(key, version),
      createRevision: version.createRevision,
      modRevision: version.modRevision,
      version: version.version,
    };
    return version.leaseId === undefined ? entry : { ...entry, leaseId: version.leaseId };
  }

  #stored(key: string, version: Version): Uint8Array {
    const row = this.#value.get(idOf(version));
    if (!row) throw new Error(`the row of ${key} at revision ${version.modRevision} is missing`);
    // An empty value may come back as NULL.
    return (row['value'] as Uint8Array | null) ?? new Uint8Array();
  }
}

function idOf({ modRevision, place }: { readonly modRevision: number; readonly place: number }): bigint {
  return (BigInt(modRevision) << PLACE_BITS) | BigInt(place);
}

/** The statements above select exactly the columns of `Row`, whose types the schema and our own writes fix. */
function asRow(row: unknown): Row {
  return row as Row;
}

function versionOf(row: Row): Version {
  const { revision, place, create_revision: createRevision, version, lease } = row;
  return { modRevision: revision, place, createRevision, version, leaseId: lease ?? undefined };
}
