import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtempDisposable, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf, isDabbaError, systemClock } from '#base';
import { openDiskBlobStore } from '#blob';

const MIB = 1 << 20;

/** A file system of 4 MiB, unmounted in the end. */
async function smallDisk() {
  const directory = await mkdtempDisposable(join(tmpdir(), 'dabba-small-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'dabba-test', directory.path]);
  return {
    path: directory.path,
    async [Symbol.asyncDispose]() {
      execFileSync('umount', [directory.path]);
      await directory.remove();
      assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(directory.path), 'no mount is left');
    },
  };
}

async function* zeros(count: number): AsyncIterable<Uint8Array> {
  for (let done = 0; done < count; done++) yield Buffer.alloc(MIB);
}

const isFull = (error: unknown) => isDabbaError(error, 'ResourceExhausted') && /no space left/.test(error.message);

test('blob: a full disk is ResourceExhausted, leaves nothing, and what fits goes on', async () => {
  await using disk = await smallDisk();
  const store = await openDiskBlobStore({ directory: disk.path, clock: systemClock });
  await assert.rejects(store.write(zeros(8)), isFull);
  assert.deepEqual(await readdir(join(disk.path, 'uploads')), []);
  assert.deepEqual(await Array.fromAsync(store.list()), []);
  const { digest } = await store.write(zeros(2));
  assert.deepEqual(await store.stat(digest), { sizeBytes: 2 * MIB });
});

test('blob: an upload that filled the disk is what it was before, and can be finished', async () => {
  await using disk = await smallDisk();
  const store = await openDiskBlobStore({ directory: disk.path, clock: systemClock });
  const upload = await store.startUpload();
  await upload.append(zeros(1));
  await assert.rejects(upload.append(zeros(8)), isFull);
  assert.equal(upload.sizeBytes, MIB);
  await upload.append(zeros(1));
  await upload.commit(digestOf(Buffer.alloc(2 * MIB)));
});
