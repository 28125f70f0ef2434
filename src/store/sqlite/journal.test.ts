import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isDabbaError } from '#base';
import { Journal } from './journal.ts';
import { BLOCK_BYTES, MAX_RECORD_BYTES } from './journal-record.ts';
import { readJournal } from './recovery.ts';
import type { Row } from './tail.ts';

const root = mkdtempSync(join(tmpdir(), 'dabba-journal-'));
after(() => rmSync(root, { recursive: true }));

let made = 0;
const freshPath = () => join(root, String(made++));

function row(modRevision: number, text: string, leaseId?: string): Row {
  const version = { modRevision, place: 0, createRevision: 2, version: modRevision - 1, leaseId };
  return { key: `a/é/${modRevision}`, version, value: Buffer.from(text) };
}

/** A journal of `blocks` blocks. */
function open(path: string, blocks: number): Journal & Disposable {
  const journal = Journal.open(path, blocks * BLOCK_BYTES)!;
  return Object.assign(journal, { [Symbol.dispose]: () => journal.close() });
}

const revisions = (path: string) => [...readJournal(path)].flat().map(({ version }) => version.modRevision);

function overwrite(path: string, position: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
}

test('records are read as they were written', () => {
  const path = freshPath();
  using journal = open(path, 8);
  const deleted = {
    key: '😀',
    version: { modRevision: 2 ** 42, place: 2 ** 20 - 1, createRevision: 0, version: 0, leaseId: undefined },
    value: undefined,
  };
  const groups = [[row(2, 'one'), row(3, '', 'lease')], [row(4, 'x'.repeat(3 * BLOCK_BYTES))], [deleted]];
  for (const rows of groups) assert.equal(journal.write(rows), true);
  assert.deepEqual([...readJournal(path)], groups);
});

test('a journal without records, and none at all, read as nothing', () => {
  const path = freshPath();
  assert.deepEqual([...readJournal(path)], []);
  using _journal = open(path, 8);
  assert.deepEqual([...readJournal(path)], []);
});

test('a record of which a block is missing ends the journal', () => {
  const path = freshPath();
  using journal = open(path, 8);
  journal.write([row(2, 'kept')]);
  journal.write([row(3, 'y'.repeat(2 * BLOCK_BYTES))]);
  for (const block of [1, 2, 3]) {
    const before = readFileSync(path);
    overwrite(path, block * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES));
    assert.deepEqual(revisions(path), [2], `without block ${block}`);
    writeFileSync(path, before);
  }
  assert.deepEqual(revisions(path), [2, 3]);
});

test('a record of which one bit is different ends the journal', () => {
  const path = freshPath();
  using journal = open(path, 4);
  journal.write([row(2, 'kept')]);
  journal.write([row(3, 'damaged')]);
  const byte = readFileSync(path).subarray(BLOCK_BYTES + 70, BLOCK_BYTES + 71);
  overwrite(path, BLOCK_BYTES + 70, Buffer.of(byte[0]! ^ 1));
  assert.deepEqual(revisions(path), [2]);
});

test('a damaged record with others behind it was not the last, so something is lost', () => {
  const path = freshPath();
  using journal = open(path, 8);
  for (const revision of [2, 3, 4]) journal.write([row(revision, 'y'.repeat(BLOCK_BYTES))]);
  for (const block of [2, 3]) {
    const before = readFileSync(path);
    overwrite(path, block * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES));
    assert.throws(
      () => revisions(path),
      (error) => isDabbaError(error, 'DataLoss') && error.message.includes('damaged at byte 8192'),
    );
    writeFileSync(path, before);
  }
});

test('records of a former lap do not count, whichever they are', () => {
  const path = freshPath();
  using journal = open(path, 4);
  for (const revision of [2, 3, 4, 5]) assert.equal(journal.write([row(revision, 'old')]), true);
  assert.equal(journal.write([row(6, 'no room')]), false);
  assert.deepEqual(revisions(path), [2, 3, 4, 5]);
  journal.restart();
  assert.deepEqual(revisions(path), [2, 3, 4, 5], 'until the first of the next is written');
  for (const [index, revision] of [6, 7].entries()) {
    journal.write([row(revision, 'new')]);
    assert.deepEqual(revisions(path), [6, 7].slice(0, index + 1));
  }
});

test('an opened journal begins anew, and keeps its size if that is larger', () => {
  const path = freshPath();
  {
    using journal = open(path, 4);
    for (const revision of [2, 3, 4, 5]) journal.write([row(revision, 'old')]);
  }
  using journal = open(path, 2);
  for (const revision of [6, 7, 8]) assert.equal(journal.write([row(revision, 'new')]), true);
  assert.deepEqual(revisions(path), [6, 7, 8]);
});

test('a value that looks like a record is none', () => {
  const path = freshPath();
  using journal = open(path, 4);
  // Revision 5 was written behind 4 by the same hand; its bytes lie where a record of the next lap would.
  journal.write([row(4, 'x')]);
  journal.write([row(5, 'forged')]);
  const forged = readFileSync(path).subarray(BLOCK_BYTES, 2 * BLOCK_BYTES);
  journal.restart();
  journal.write([row(6, 'y')]);
  overwrite(path, BLOCK_BYTES, forged);
  assert.deepEqual(revisions(path), [6]);
});

test('what is too large for a record is refused', () => {
  using journal = open(freshPath(), (2 * MAX_RECORD_BYTES) / BLOCK_BYTES);
  assert.equal(journal.write([row(2, 'x'.repeat(MAX_RECORD_BYTES))]), false);
  assert.equal(journal.write([row(2, 'x'.repeat(MAX_RECORD_BYTES - 1000))]), true);
});
