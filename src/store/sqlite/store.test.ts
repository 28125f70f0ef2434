import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { type Clock, ManualClock, isDabbaError } from '#base';
import { storeContract } from '../store.contract.ts';
import type { Operation } from '../store.ts';
import { openSqliteStore } from './store.ts';

const root = mkdtempSync(join(tmpdir(), 'dabba-sqlite-'));
after(() => rmSync(root, { recursive: true }));

let made = 0;
const freshDirectory = () => join(root, String(made++));
const open = (directory = freshDirectory(), clock: Clock = new ManualClock()) => openSqliteStore({ directory, clock });
const put = (key: string, value: string | Buffer, leaseId?: string): Operation => ({
  kind: 'put',
  key,
  value: Buffer.from(value),
  ...(leaseId !== undefined && { leaseId }),
});

storeContract('the sqlite store', async ({ clock }) => open(undefined, clock));

test('everything is there again after closing', async () => {
  const directory = freshDirectory();
  const clock = new ManualClock();
  const before = open(directory, clock);
  const lease = await before.grantLease(5000);
  await before.txn({ success: [put('a', '1'), put('leased', '1', lease.id)] });
  await before.txn({ success: [{ kind: 'delete', key: 'a' }] });
  await before.compact(3);
  await before.close();

  const store = open(directory, clock);
  assert.equal(await store.revision(), 3);
  assert.deepEqual(
    (await store.list('')).entries.map(({ key }) => key),
    ['leased'],
  );
  await assert.rejects(store.get('a', { revision: 2 }), { name: 'CompactedError' });
  clock.advance(4000);
  assert.equal((await store.keepAlive(lease.id)).ttlMs, 5000);
  clock.advance(5000);
  for await (const { events } of store.watch('', { fromRevision: 4, signal: new AbortController().signal })) {
    assert.equal(events[0]?.kind, 'delete');
    break;
  }
  await store.close();
});

test('what waits when the store is closed is written', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  const written = store.txn({ success: [put('a', '1')] });
  await store.close();
  await written;
  const again = open(directory);
  assert.equal((await again.get('a'))?.version, 1);
  await again.close();
});

test('a second opener of the same directory is refused', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  assert.throws(
    () => open(directory),
    (error) => isDabbaError(error, 'FailedPrecondition') && /in use by another process/.test(error.message),
  );
  await store.close();
});

test('a foreign, a damaged and a newer file are refused', async () => {
  const damaged = freshDirectory();
  await open(damaged).close();
  writeFileSync(join(damaged, 'store.db'), 'not a database'.repeat(1000));
  assert.throws(
    () => open(damaged),
    (error) => isDabbaError(error, 'DataLoss'),
  );

  for (const [change, message] of [
    ['PRAGMA user_version = 99', /has data format 99/],
    ['PRAGMA application_id = 7', /not a dabba store/],
  ] as const) {
    const directory = freshDirectory();
    await open(directory).close();
    const db = new DatabaseSync(join(directory, 'store.db'));
    db.exec(change);
    db.close();
    assert.throws(
      () => open(directory),
      (error) => isDabbaError(error, 'FailedPrecondition') && message.test(error.message),
    );
  }
});

test('compaction gives up the rows it forgets', async () => {
  const directory = freshDirectory();
  const store = open(directory);
  for (let n = 0; n < 600; n++) await store.txn({ success: [put(`k${n % 3}`, String(n))] });
  await store.txn({ success: [{ kind: 'delete', key: 'k0' }] });
  await store.txn({ success: [put('k1', 'last')] });
  await store.compact(await store.revision());
  await store.close();
  const db = new DatabaseSync(join(directory, 'store.db'));
  assert.deepEqual(
    db
      .prepare('SELECT key FROM log ORDER BY id')
      .all()
      .map(({ key }) => key),
    ['k2', 'k1'],
  );
  db.close();
});
