import assert from 'node:assert/strict';
import { mkdtempDisposable, readdir, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hexOf, ManualClock, systemClock } from '#base';
import { blobContract } from '../blob.contract.ts';
import { openDiskBlobStore } from './store.ts';

blobContract('disk', async () => {
  const directory = await mkdtempDisposable(join(tmpdir(), 'dabba-blob-'));
  const open = () => openDiskBlobStore({ directory: directory.path, clock: systemClock });
  return { store: await open(), reopen: open, [Symbol.asyncDispose]: () => directory.remove() };
});

test('disk: a blob lies under its digest, read-only, and no upload remains', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'dabba-blob-'));
  const store = await openDiskBlobStore({ directory: directory.path, clock: systemClock });
  const { digest } = await store.write(new Blob(['x']).stream());
  const hex = hexOf(digest);
  const file = await stat(join(directory.path, 'blobs/sha256', hex.slice(0, 2), hex));
  assert.equal(file.mode & 0o777, 0o444);
  assert.deepEqual(await readdir(join(directory.path, 'uploads')), []);
});

test('disk: opening sweeps uploads that are older than a day, and no others', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'dabba-blob-'));
  const clock = new ManualClock(Date.now());
  const store = await openDiskBlobStore({ directory: directory.path, clock });
  const [old, young] = [await store.startUpload(), await store.startUpload()];
  const dayAgo = (clock.now() - 25 * 3600_000) / 1000;
  await utimes(join(directory.path, 'uploads', old.id), dayAgo, dayAgo);
  await openDiskBlobStore({ directory: directory.path, clock });
  assert.deepEqual(await readdir(join(directory.path, 'uploads')), [young.id]);
});
