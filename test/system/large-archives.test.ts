import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '#base';
import type { UnpackRequest } from '../../src/engine/layer/archives.ts';
import { openArchives } from '../../src/engine/layer/worker-archives.ts';

/** What is large and to be verified is decoded and hashed on one thread and written by another, or read by both: each may fail, and the other ends with it. */

const work = mkdtempSync(join(tmpdir(), 'dabba-large-'));
const archives = openArchives(1);
const content = randomBytes(3_000_000);
const plain = tarOf(content);
const gzip = gzipSync(plain);
const expected = { expectedDigest: digestOf(gzip), expectedDiffId: digestOf(plain) };

function tarOf(bytes: Buffer): Buffer {
  writeFileSync(join(work, 'file'), bytes);
  return execFileSync('tar', ['-C', work, '--numeric-owner', '-cf', '-', 'file'], { maxBuffer: 2 ** 26 });
}

after(async () => {
  await archives[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

type Form = 'stream' | 'file';

function unpack(bytes: Uint8Array, more: Partial<UnpackRequest>, source: UnpackRequest['source'] = piecesOf(bytes)) {
  const root = mkdtempSync(join(work, 'root-'));
  const result = archives.unpack({
    source,
    root,
    form: 'layer',
    sizeBytes: 2 ** 30,
    signal: AbortSignal.timeout(120_000),
    ...more,
  });
  return { root, result };
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

/** Unpacks them as they come in the form given. */
async function unpackFrom(form: Form, bytes: Uint8Array, more: Partial<UnpackRequest>): Promise<string> {
  const path = join(work, 'archive');
  writeFileSync(path, bytes);
  await using file = await open(path);
  const { root, result } = unpack(bytes, more, form === 'file' ? file : piecesOf(bytes));
  assert.deepEqual(await result, { contentBytes: content.length, entries: 1 });
  return root;
}

async function succeeds(bytes: Uint8Array, more: Partial<UnpackRequest>, form: Form = 'stream'): Promise<void> {
  const root = await unpackFrom(form, bytes, more);
  assert.ok(readFileSync(join(root, 'file')).equals(content));
}

for (const form of ['stream', 'file'] as const)
  test(`gzip, zstd and plain archives come out of a ${form}, one after another on the same threads`, async () => {
    await succeeds(gzip, expected, form);
    const zstd = zstdCompressSync(plain);
    await succeeds(zstd, { expectedDigest: digestOf(zstd), expectedDiffId: digestOf(plain) }, form);
    await succeeds(plain, { expectedDigest: digestOf(plain), expectedDiffId: digestOf(plain) }, form);
    await succeeds(plain, { expectedDigest: digestOf(plain), expectedDiffId: digestOf(plain, 'sha512') }, form);
    await succeeds(plain, { expectedDiffId: digestOf(plain), sizeBytes: 1 }, form);
    await succeeds(gzip, {}, form);
  });

test('who looks on is told of all that was taken, but for what is less than a portion', async () => {
  const large = tarOf(randomBytes(40_000_000));
  const path = join(work, 'large.tar');
  writeFileSync(path, large);
  await using file = await open(path);
  for (const [source, portion] of [
    [file, 16 * 1024 ** 2],
    [piecesOf(large), 2 * 1024 ** 2],
  ] as const) {
    let taken = 0;
    await unpack(large, { onTaken: (bytes) => (taken += bytes), expectedDiffId: digestOf(large) }, source).result;
    assert.ok(taken > large.length - portion && taken <= large.length, `${taken} of ${large.length}`);
  }
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
  'another digest of a plain one': [plain, { expectedDigest: other }, /archive has digest sha256:\w+, not /],
  'no tar': [garbage, asItIs(garbage), /invalid tar archive/],
  'no tar, compressed': [zipped, asItIs(zipped), /invalid tar archive/],
  'cut short': [cut, asItIs(cut), /ends in the middle of a member/],
} as const;

for (const form of ['stream', 'file'] as const)
  for (const [name, [bytes, digests, message]] of Object.entries(faults))
    test(`refused, out of a ${form}: ${name}`, async () => {
      await assert.rejects(unpackFrom(form, bytes, digests), { kind: 'InvalidArgument', message });
      await succeeds(gzip, expected);
    });

test('a source that fails, or is given up while nothing comes, ends both threads', async () => {
  const broken = (async function* () {
    yield gzip.subarray(0, 1_000_000);
    throw new Error('connection lost');
  })();
  await assert.rejects(unpack(gzip, {}, broken).result, /connection lost/);

  const abort = new AbortController();
  const stalled = (async function* () {
    yield gzip.subarray(0, 1_000_000);
    abort.abort();
    await new Promise(() => undefined);
  })();
  await assert.rejects(unpack(gzip, { signal: abort.signal }, stalled).result, { kind: 'Cancelled' });
  await succeeds(gzip, expected);
});
