import assert from 'node:assert/strict';
import { closeSync, cpSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { ManualClock, isDabbaError } from '#base';
import type { Store } from '../store.ts';
import { openSqliteStore } from './store.ts';

const root = mkdtempSync(join(tmpdir(), 'dabba-recovery-'));
after(() => rmSync(root, { recursive: true }));

let made = 0;
const freshDirectory = () => join(root, String(made++));
const JOURNAL_BYTES = 64 * 1024;
const open = (directory: string) =>
  openSqliteStore({ directory, clock: new ManualClock(), journalBytes: JOURNAL_BYTES });
const put = (store: Store, n: number, sizeBytes = 10) =>
  store.txn({ success: [{ kind: 'put', key: `k/${n}`, value: Buffer.alloc(sizeBytes, n) }] });

const TABLES = ['store.db', 'store.db-wal'];
function copy(from: string, to: string, files: readonly string[]): void {
  for (const file of files) cpSync(join(from, file), join(to, file));
}

/** The keys `k/0` to `k/<count - 1>`, each written by one revision in this order, are all there is, also in the past. */
async function check(directory: string, count: number): Promise<void> {
  const store = open(directory);
  try {
    assert.equal(await store.revision(), 1 + count);
    for (let n = 0; n < count; n++) {
      const entry = await store.get(`k/${n}`);
      assert.deepEqual([entry?.modRevision, entry?.version, entry?.value[0]], [2 + n, 1, n % 256]);
    }
    assert.equal((await store.list('', { revision: 1 + (count >> 1) })).entries.length, count >> 1);
  } finally {
    await store.close();
  }
}

test('what only the journal has when the power fails is there again, lap after lap', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  // SQLite is synced when it takes the tail because the journal is full; what it holds between is what a disk keeps of it at least.
  const synced = freshDirectory();
  copy(directory, synced, TABLES);
  let laps = 0;
  let count = 0;
  let before = await sizeOfTables(directory);
  for (; laps < 4; count++) {
    await put(store, count);
    const size = await sizeOfTables(directory);
    if (size !== before) {
      laps++;
      before = size;
      copy(directory, synced, TABLES);
    }
    const found = freshDirectory();
    copy(synced, found, TABLES);
    copy(directory, found, ['journal']);
    await check(found, count + 1);
  }
  await store.close();
});

/** Revisions in SQLite, seen by another reader of a copy. */
async function sizeOfTables(directory: string): Promise<number> {
  const other = freshDirectory();
  copy(directory, other, TABLES);
  const db = new DatabaseSync(join(other, 'store.db'));
  const { rows } = db.prepare('SELECT count(*) AS rows FROM log').get() as { rows: number };
  db.close();
  return rows;
}

test('what SQLite took and the disk did not get is taken again', async () => {
  const directory = freshDirectory();
  const store = openSqliteStore({ directory, clock: new ManualClock() });
  const found = freshDirectory();
  copy(directory, found, TABLES);
  // More than the tail holds, less than a lap of the journal.
  for (let n = 0; n < 1500; n++) await put(store, n);
  assert.ok((await sizeOfTables(directory)) > 0, 'SQLite followed');
  copy(directory, found, ['journal']);
  await store.close();
  await check(found, 1500);
});

test('recovery that was cut off begins again', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  for (let n = 0; n < 10; n++) await put(store, n);
  const found = freshDirectory();
  copy(directory, found, [...TABLES, 'journal']);
  await store.close();
  const journal = freshDirectory();
  copy(found, journal, ['journal']);
  await check(found, 10);
  // The tables have it all, and the journal is again as it was.
  copy(journal, found, ['journal']);
  await check(found, 10);
});

test('changes that the journal does not take are between those that it does', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  await put(store, 0);
  await put(store, 1, 1_500_000);
  await put(store, 2);
  await store.grantLease(1000);
  await put(store, 3);
  const found = freshDirectory();
  copy(directory, found, [...TABLES, 'journal']);
  await store.close();
  await check(found, 4);
});

test('a journal that does not go on where the database ends is refused', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  const old = freshDirectory();
  copy(directory, old, TABLES);
  for (let n = 0; n < 20; n++) await put(store, n);
  copy(directory, old, ['journal']);
  await store.close();
  assert.throws(
    () => open(old),
    (error) => isDabbaError(error, 'DataLoss') && /revision 1[0-9].* ends with 1$/.test(error.message),
  );
});

test('a journal whose beginning is damaged is refused, not taken for an empty one', async () => {
  for (const damage of [Buffer.alloc(4096), Buffer.from([1])]) {
    const directory = freshDirectory();
    const store = open(directory);
    const found = freshDirectory();
    copy(directory, found, TABLES);
    for (let n = 0; n < 5; n++) await put(store, n);
    copy(directory, found, ['journal']);
    await store.close();
    const file = openSync(join(found, 'journal'), 'r+');
    writeSync(file, damage, 0, damage.length, 0);
    closeSync(file);
    assert.throws(
      () => open(found),
      (error) => isDabbaError(error, 'DataLoss') && /is damaged at/.test(error.message),
    );
    // Whoever can do without goes on.
    rmSync(join(found, 'journal'));
    await check(found, 0);
  }
});

test('a store of the format before the journal is opened and goes on', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  await put(store, 0);
  await store.close();
  rmSync(join(directory, 'journal'));
  const db = new DatabaseSync(join(directory, 'store.db'));
  db.exec('PRAGMA user_version = 1');
  db.close();
  const again = open(directory);
  await put(again, 1);
  await again.close();
  await check(directory, 2);
});
