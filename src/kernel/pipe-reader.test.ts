import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { PipeReader } from './pipe-reader.ts';
import { pipe } from './spawn.ts';

test('what is written is read piece by piece, to the end', async () => {
  const [ours, theirs] = pipe();
  using reader = new PipeReader(ours);
  const first = reader.read();
  writeSync(theirs, 'one');
  assert.equal((await first)?.toString(), 'one');
  writeSync(theirs, 'two');
  closeSync(theirs);
  assert.equal((await reader.read())?.toString(), 'two');
  assert.equal(await reader.read(), undefined);
});

test('once told that enough was written, what is in the pipe is the rest, though its other end is open', async () => {
  const [ours, theirs] = pipe();
  using reader = new PipeReader(ours);
  writeSync(theirs, 'rest');
  reader.finish();
  assert.equal((await reader.read())?.toString(), 'rest');
  assert.equal(await reader.read(), undefined);
  closeSync(theirs);
});

test('a reader that waits is let go by finish and by disposal', async () => {
  for (const end of [(reader: PipeReader) => reader.finish(), (reader: PipeReader) => reader[Symbol.dispose]()]) {
    const [ours, theirs] = pipe();
    using reader = new PipeReader(ours);
    const waiting = reader.read();
    end(reader);
    assert.equal(await waiting, undefined);
    closeSync(theirs);
  }
});
