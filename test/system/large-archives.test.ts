import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '#base';
import type { UnpackRequest } from '../../src/engine/layer/archives.ts';
import { openArchives } from '../../src/engine/layer/worker-archives.ts';

/** What is large and to be verified is decoded and hashed on one thread and written by another: each may fail, and the other ends with it. */

const work = mkdtempSync(join(tmpdir(), 'dabba-large-'));
const archives = openArchives(1);
const content = randomBytes(3_000_000);
writeFileSync(join(work, 'file'), content);
const plain = execFileSync('tar', ['-C', work, '--numeric-owner', '-cf', '-', 'file'], { maxBuffer: 2 ** 24 });
const gzip = gzipSync(plain);
const expected = { expectedDigest: digestOf(gzip), expectedDiffId: digestOf(plain) };

after(async () => {
  await archives[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

function unpack(bytes: Uint8Array, more: Partial<UnpackRequest>) {
  const root = mkdtempSync(join(work, 'root-'));
  const result = archives.unpack({
    source: piecesOf(bytes),
    root,
    form: 'layer',
    sizeBytes: 2 ** 30,
    signal: AbortSignal.timeout(30_000),
    ...more,
  });
  return { root, result };
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

async function succeeds(bytes: Uint8Array, more: Partial<UnpackRequest>): Promise<void> {
  const { root, result } = unpack(bytes, more);
  assert.deepEqual(await result, { contentBytes: content.length, entries: 1 });
  assert.ok(readFileSync(join(root, 'file')).equals(content));
}

test('gzip, zstd and plain archives come out, one after another on the same threads', async () => {
  await succeeds(gzip, expected);
  const zstd = zstdCompressSync(plain);
  await succeeds(zstd, { expectedDigest: digestOf(zstd), expectedDiffId: digestOf(plain) });
  await succeeds(plain, { expectedDigest: digestOf(plain), expectedDiffId: digestOf(plain) });
  await succeeds(gzip, {});
});

const other = digestOf('other');
const damaged = Buffer.from(gzip).fill(7, 1_000_000, 1_000_100);
const garbage = Buffer.alloc(5_000_000, 'x');
const zipped = gzipSync(garbage);
const cut = plain.subarray(0, 1_000_000);
const asItIs = (bytes: Buffer) => ({ expectedDigest: digestOf(bytes) });
const faults = {
  'another digest': [gzip, { ...expected, expectedDigest: other }, /archive has digest sha256:\w+, not /],
  'another diff ID': [gzip, { ...expected, expectedDiffId: other }, /plain archive has digest sha256:\w+, not /],
  'damaged compression': [damaged, asItIs(damaged), /compressed data is damaged/],
  'no tar': [garbage, asItIs(garbage), /invalid tar archive/],
  'no tar, compressed': [zipped, asItIs(zipped), /invalid tar archive/],
  'cut short': [cut, asItIs(cut), /ends in the middle of a member/],
} as const;

for (const [name, [bytes, digests, message]] of Object.entries(faults))
  test(`refused: ${name}`, async () => {
    await assert.rejects(unpack(bytes, digests).result, { kind: 'InvalidArgument', message });
    await succeeds(gzip, expected);
  });

test('a source that fails, or is given up while nothing comes, ends both threads', async () => {
  const broken = (async function* () {
    yield gzip.subarray(0, 1_000_000);
    throw new Error('connection lost');
  })();
  await assert.rejects(unpack(gzip, { source: broken }).result, /connection lost/);

  const abort = new AbortController();
  const stalled = (async function* () {
    yield gzip.subarray(0, 1_000_000);
    abort.abort();
    await new Promise(() => undefined);
  })();
  await assert.rejects(unpack(gzip, { source: stalled, signal: abort.signal }).result, { kind: 'Cancelled' });
  await succeeds(gzip, expected);
});
