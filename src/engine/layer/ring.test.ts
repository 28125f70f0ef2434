import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createRing, endRing, readRing, writeRing, type Ring } from './ring.ts';

const ringModule = JSON.stringify(new URL('ring.ts', import.meta.url));

/** A thread that writes a number of bytes, in pieces of any size, each byte its own position. */
function startWriter(ring: Ring, sizes: readonly number[]): Worker {
  const program = `
    const { workerData: { ring, sizes } } = require('node:worker_threads');
    import(${ringModule}).then(({ writeRing, endRing }) => {
      let at = 0;
      for (const size of sizes) writeRing(ring, Uint8Array.from({ length: size }, () => at++ % 251));
      endRing(ring);
    });`;
  return new Worker(program, { eval: true, workerData: { ring, sizes } });
}

/** Copied as they come, for each piece is valid until the next. */
function readAll(ring: Ring): Buffer {
  const seen: Buffer[] = [];
  for (const piece of readRing(ring)) seen.push(Buffer.from(piece));
  return Buffer.concat(seen);
}

test('what is written comes out, once, and a ring may be used again', () => {
  const ring = createRing();
  for (let run = 0; run < 5; run++) {
    const pieces = [randomBytes(1), randomBytes(300_000), randomBytes(0), randomBytes(70_000)];
    for (const piece of pieces) writeRing(ring, piece);
    endRing(ring);
    assert.deepEqual(readAll(ring), Buffer.concat(pieces));
  }
});

test('a writer waits for room and a reader for bytes, on whichever thread', async () => {
  const ring = createRing();
  const sizes = [700_000, 1, 255, 3_000_000, 262_144, 99];
  const writer = startWriter(ring, sizes);
  const seen = readAll(ring);
  await once(writer, 'exit');
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.deepEqual(seen, Buffer.from(Uint8Array.from({ length: total }, (_, at) => at % 251)));
});

test('a thread that waits at a ring can be ended', async () => {
  const writer = startWriter(createRing(), [8_000_000]);
  await once(writer, 'online');
  await writer.terminate();
});
