import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Clock, digestOf, silentLogger, systemClock, systemRandom } from '#base';
import { openDiskBlobStore } from '#blob';
import { runReconcilers } from '#reconcile';
import { createRegistryContent, garbageReconciler, type RegistryContent, type RepositoryName } from '#registry';
import { openSqliteStore } from '#store';
import { eventually } from '../harness/machine.ts';

const MIB = 1 << 20;
const repository = (name: string): RepositoryName => ({ registry: '000000000000/us-east-1', name });

/** Bytes on the disk as `du` counts them. */
const du = (directory: string) =>
  Number(execFileSync('du', ['-s', '-B1', directory], { encoding: 'utf8' }).split('\t')[0]);

/** An image of one layer of so many bytes, on the disk. */
async function push(content: RegistryContent, to: RepositoryName, sizeBytes: number) {
  await content.createRepository(to);
  const put = async (bytes: Buffer) =>
    await content.putBlob(
      to,
      (async function* () {
        yield bytes;
      })(),
    );
  const [config, layer] = [await put(Buffer.from('{}')), await put(randomBytes(sizeBytes))];
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const describe = ({ digest, sizeBytes: size }: typeof config) => ({
    mediaType: 'application/octet-stream',
    digest,
    size,
  });
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, config: describe(config), layers: [describe(layer)] }),
  );
  return (await content.putManifest(to, { bytes, tag: 'latest' })).digest;
}

test('the disk gets back what a deleted repository and a deleted image held, a running daemon included', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-garbage-'));
  const blobsDirectory = join(directory, 'blobs');
  const ending = new AbortController();
  // A clock that can be put forward: links are kept for an hour after a push.
  let ahead = 0;
  const clock: Clock = { now: () => Date.now() + ahead, sleep: (ms, signal) => systemClock.sleep(ms, signal) };
  const common = { clock, random: systemRandom, logger: silentLogger };
  const store = openSqliteStore({ ...common, directory: join(directory, 'store') });
  const blobs = await openDiskBlobStore({ directory: blobsDirectory, clock });
  const content = createRegistryContent({ store, blobs, clock });
  const running = runReconcilers({
    ...common,
    store,
    reconcilers: [garbageReconciler(content, silentLogger)],
    signal: ending.signal,
  });
  try {
    const empty = du(blobsDirectory);
    const [app, gone] = [repository('app'), repository('team/gone')];
    const image = await push(content, app, 8 * MIB);
    await push(content, gone, 4 * MIB);
    assert.ok(du(blobsDirectory) - empty >= 12 * MIB);
    await content.deleteRepository(gone, { force: true });
    await eventually('the space of the repository', 5_000, async () => du(blobsDirectory) - empty < 9 * MIB);
    assert.ok(await blobs.stat(image));
    ahead = 2 * 60 * 60_000;
    await content.deleteManifest(app, image);
    await eventually('the space of the image', 5_000, async () => du(blobsDirectory) - empty < MIB / 4);
    assert.equal(await blobs.stat(digestOf(Buffer.from('{}'))), undefined);
  } finally {
    ending.abort();
    await running;
    await store.close();
    rmSync(directory, { recursive: true });
  }
});
