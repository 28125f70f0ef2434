import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isDabbaError } from '#base';
import { GroupCommit } from './group-commit.ts';
import { preallocate } from './journal-file.ts';
import { BLOCK_BYTES } from './journal-record.ts';
import { Journal } from './journal.ts';
import { prepareSchema } from './schema.ts';
import { Tables } from './tables.ts';
import { Tail } from './tail.ts';
import { WriteAheadLog } from './wal.ts';

test('after a write to the journal that failed nothing more is taken, and nothing of it is kept', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-group-commit-'));
  const path = join(directory, 'store.db');
  using held = new DisposableStack();
  held.defer(() => rmSync(directory, { recursive: true }));
  const db = held.adopt(new DatabaseSync(path), (one) => one.close());
  db.exec('PRAGMA journal_mode = WAL');
  prepareSchema(db, path);
  const wal = held.adopt(new WriteAheadLog(path), (one) => one.close());
  preallocate(join(directory, 'journal'), 4 * BLOCK_BYTES);
  const fd = held.adopt(openSync(join(directory, 'journal'), 'r'), (one) => closeSync(one));
  // It is open for reading alone, so that every write fails.
  const journal = new Journal({ fd, buffer: Buffer.alloc(BLOCK_BYTES) });
  const tail = new Tail();
  const tables = new Tables(db, tail);
  const heard: string[] = [];
  const commits = new GroupCommit({
    path,
    tail,
    tables,
    wal,
    journal,
    committed: () => heard.push('committed'),
    rolledBack: () => heard.push('rolled back'),
  });
  const version = { modRevision: 2, place: 0, createRevision: 2, version: 1, leaseId: undefined };
  const write = () => commits.run(() => tail.append(2, [{ key: 'a', version, value: Buffer.from('1') }]));
  const isUnavailable = (error: unknown) =>
    isDabbaError(error, 'Unavailable') && /could not be synced/.test(error.message);
  await assert.rejects(write(), isUnavailable);
  await assert.rejects(write(), isUnavailable);
  assert.deepEqual(heard, ['rolled back']);
  assert.equal(tail.length, 0);
  commits.close();
  assert.equal(tables.revision, 1);
});
