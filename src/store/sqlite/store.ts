import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type Clock, DabbaError, type Logger, type Random, messageOf, silentLogger, systemRandom } from '#base';
import { LeaseTimers } from '../lease-timers.ts';
import { formatListPosition, parseListPosition } from '../list-position.ts';
import { type RevisionSpan, checkReadable } from '../revisions.ts';
import type {
  KeyValue,
  Lease,
  ListOptions,
  ListResult,
  Store,
  Transaction,
  TransactionResult,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from '../store.ts';
import { type TransactionView, checkTransaction, decide, deleteEvent, unknownLease } from '../transaction.ts';
import { WatchHub } from '../watch-hub.ts';
import { Compaction } from './compaction.ts';
import { storeError } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import { Journal } from './journal.ts';
import { Log } from './log.ts';
import { recover } from './recovery.ts';
import { prepareSchema } from './schema.ts';
import { Tables } from './tables.ts';
import { Tail } from './tail.ts';
import { CHECKPOINT_PAGES, WriteAheadLog } from './wal.ts';

/** A journal of so many bytes lasts for two thousand small groups, and SQLite is synced once for all of them. */
const JOURNAL_BYTES = 8 * 1024 * 1024;

export interface SqliteStoreOptions {
  /** Holds `store.db` with its log, and `journal`, which belong together; made when absent. One process at a time. */
  readonly directory: string;
  /** Size of the journal, at least; one that is larger stays so. Default: 8 MiB. */
  readonly journalBytes?: number;
  readonly clock: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/**
 * Opens the embedded store. Throws `FailedPrecondition` when another process has it open or a newer dabba wrote it, `DataLoss` when
 * the file is damaged.
 */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const path = join(options.directory, 'store.db');
  const held = new DisposableStack();
  try {
    const db = held.adopt(new DatabaseSync(path), (one) => one.close());
    // Exclusive: no second process, and no locking calls or shared memory in the way of a commit. Normal: see `WriteAheadLog`.
    db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;`);
    prepareSchema(db, path);
    return new SqliteStore({ ...openLog(db, path, options, held), db, path, held }, options);
  } catch (error) {
    held.dispose();
    throw storeError(error, path);
  }
}

/** Where the changes go, in this order: memory, the journal, SQLite. */
interface LogParts {
  readonly tail: Tail;
  readonly journal: Journal | undefined;
  readonly tables: Tables;
  readonly wal: WriteAheadLog;
}

interface Parts extends LogParts {
  readonly db: DatabaseSync;
  readonly path: string;
  readonly held: DisposableStack;
}

/** Brings SQLite up to what was acknowledged, and begins a new journal. */
function openLog(db: DatabaseSync, path: string, options: SqliteStoreOptions, held: DisposableStack): LogParts {
  const tail = new Tail();
  const tables = new Tables(db, tail);
  const journalPath = join(options.directory, 'journal');
  recover(journalPath, tables, tail);
  const wal = held.adopt(new WriteAheadLog(path), (one) => one.close());
  // Only now may the old journal be overwritten.
  wal.sync();
  const journal = Journal.open(journalPath, options.journalBytes ?? JOURNAL_BYTES);
  if (journal) held.adopt(journal, (one) => one.close());
  // The names of new files, before anything is promised that is in them.
  syncDirectory(options.directory);
  return { tail, journal, tables, wal };
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The store over `node:sqlite`: one connection, a journal before it, every write through the group commit, reads straight from the log. */
class SqliteStore implements Store {
  readonly #path: string;
  readonly #held: DisposableStack;
  readonly #random: Random;
  readonly #log: Log;
  readonly #commits: GroupCommit;
  readonly #compaction: Compaction;
  readonly #hub: WatchHub;
  readonly #leases: LeaseTimers;
  readonly #view: TransactionView;
  readonly #grantLease: StatementSync;
  readonly #dropLease: StatementSync;
  /** The last durable revision. */
  #revision: number;
  /** Revisions of the group being committed. */
  #pending: WatchBatch[] = [];
  #isClosed = false;

  constructor(parts: Parts, options: SqliteStoreOptions) {
    const { db } = parts;
    const logger = options.logger ?? silentLogger;
    this.#path = parts.path;
    this.#held = parts.held;
    this.#random = options.random ?? systemRandom;
    this.#log = new Log(db, parts.tail);
    this.#revision = this.#log.lastRevision ?? 1;
    this.#commits = new GroupCommit({
      ...parts,
      committed: () => this.#publish(),
      rolledBack: () => this.#takeBack(),
    });
    this.#compaction = new Compaction(db, this.#log, this.#commits);
    this.#hub = new WatchHub({
      span: () => this.#span(),
      changesFrom: (prefix, from) => this.#read(() => this.#log.changesFrom(prefix, from, this.#revision)),
    });
    this.#leases = new LeaseTimers(options.clock, async (leaseId) => {
      try {
        await this.#endLease(leaseId);
      } catch (error) {
        logger.error('an expired lease could not be ended', { leaseId, error: messageOf(error) });
        throw error;
      }
    });
    this.#view = {
      version: (key) => this.#log.version(key),
      current: (key) => this.#log.latest(key),
      currentUnder: (prefix) => this.#log.list(prefix, { revision: this.#nextRevision() }),
      hasLease: (leaseId) => this.#leases.has(leaseId),
    };
    this.#grantLease = db.prepare('INSERT INTO lease (id, ttl_ms) VALUES (?, ?)');
    this.#dropLease = db.prepare('DELETE FROM lease WHERE id = ?');
    for (const lease of db.prepare('SELECT id, ttl_ms FROM lease').all())
      this.#leases.start(lease['id'] as string, lease['ttl_ms'] as number);
  }

  async get(key: string, options?: { readonly revision?: number }): Promise<KeyValue | undefined> {
    const revision = options?.revision;
    if (revision === undefined) return this.#read(() => this.#log.latest(key));
    checkReadable(revision, this.#span());
    return this.#read(() => this.#log.at(key, revision));
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    const position = options.continue === undefined ? undefined : parseListPosition(options.continue, prefix);
    const revision = position?.revision ?? options.revision ?? this.#revision;
    checkReadable(revision, this.#span());
    const { limit } = options;
    const entries = this.#read(() =>
      this.#log.list(prefix, {
        revision,
        ...(position && { afterKey: position.afterKey }),
        ...(limit !== undefined && { limit: limit + 1 }),
      }),
    );
    if (limit === undefined || entries.length <= limit) return { entries, revision };
    entries.length = limit;
    return { entries, revision, continue: formatListPosition({ revision, afterKey: entries.at(-1)!.key }) };
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    checkTransaction(transaction);
    return this.#commits.run(() => {
      const { succeeded, events } = decide(transaction, this.#view, this.#nextRevision());
      return { succeeded, revision: this.#record(events) };
    });
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    return this.#hub.watch(prefix, options);
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    if (!Number.isSafeInteger(ttlMs) || ttlMs < 1)
      throw new DabbaError('InvalidArgument', `a lease cannot last ${ttlMs} ms`);
    const id = this.#random.hex(16);
    await this.#commits.run(() => this.#grantLease.run(id, ttlMs), { writesTables: true });
    this.#leases.start(id, ttlMs);
    return { id, ttlMs };
  }

  async keepAlive(leaseId: string): Promise<Lease> {
    const ttlMs = this.#leases.restart(leaseId);
    if (ttlMs === undefined) throw unknownLease(leaseId);
    return { id: leaseId, ttlMs };
  }

  async revokeLease(leaseId: string): Promise<void> {
    await this.#endLease(leaseId);
    this.#leases.forget(leaseId);
  }

  async compact(revision: number): Promise<void> {
    checkReadable(revision, this.#span());
    await this.#compaction.run(revision);
  }

  async revision(): Promise<number> {
    return this.#read(() => this.#revision);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#commits.close();
    this.#isClosed = true;
    this.#leases.close();
    this.#hub.close();
    this.#held.dispose();
  }

  #span(): RevisionSpan {
    return { revision: this.#revision, compactRevision: this.#compaction.compactRevision };
  }

  /** The revision that the next change of the group gets. */
  #nextRevision(): number {
    return this.#revision + this.#pending.length + 1;
  }

  /** Writes one revision, if there is anything to write, and returns the revision the store is then at. */
  #record(events: readonly WatchEvent[]): number {
    const revision = this.#nextRevision();
    if (!events.length) return revision - 1;
    const batch = { revision, events };
    this.#log.append(batch);
    this.#pending.push(batch);
    return revision;
  }

  #publish(): void {
    const batches = this.#pending;
    this.#pending = [];
    for (const batch of batches) {
      this.#revision = batch.revision;
      this.#hub.publish(batch);
    }
  }

  /** The group was rolled back: forget its changes, the last one first. */
  #takeBack(): void {
    for (const batch of this.#pending.toReversed()) this.#log.undo(batch);
    this.#pending = [];
  }

  async #endLease(leaseId: string): Promise<void> {
    const end = () => {
      const revision = this.#nextRevision();
      this.#record(this.#log.underLease(leaseId).map((entry) => deleteEvent(entry, revision)));
      this.#dropLease.run(leaseId);
    };
    await this.#commits.run(end, { writesTables: true });
  }

  #read<T>(query: () => T): T {
    if (this.#isClosed) throw new DabbaError('Unavailable', `${this.#path} is closed`);
    try {
      return query();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }
}
