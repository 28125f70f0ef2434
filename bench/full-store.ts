import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, silentLogger, systemClock, systemRandom, type Digest } from '#base';
import { openDiskBlobStore } from '#blob';
import { encodeConfig } from '../src/engine/image/config.ts';
import { ImageStore, type ImageRecord } from '../src/engine/image/store.ts';
import { Limiter } from '../src/engine/limiter.ts';
import { openSnapshots } from '../src/engine/snapshot/snapshots.ts';

const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };

/**
 * Adds images of one layer with one file to the store of an engine that does not run. All is written by the engine's own code as a pull writes it,
 * but the index of images once instead of once an image; a diff ID is the digest of the file, for no tar of it is ever asked for.
 */
export async function fillStore(directory: string, count: number): Promise<void> {
  await using snapshots = await openSnapshots({ directory, ...parts });
  const blobs = await openDiskBlobStore({ directory: join(directory, 'blobs'), ...parts });
  const store = new ImageStore(join(directory, 'images', 'images.json'));
  await store.start();
  const atOnce = new Limiter(16);

  async function addImage(index: number): Promise<Digest> {
    const staging = await snapshots.makeTemporary();
    await mkdir(join(staging, 'diff'));
    const content = `image ${index}`;
    await writeFile(join(staging, 'diff', 'file'), content);
    const { diffId } = await snapshots.layers.commit(staging, {
      diffId: digestOf(content),
      sizeBytes: content.length,
    });
    const request = { config: { Cmd: ['true'] }, diffIds: [diffId], history: [], references: [] };
    return (await blobs.write(only(encodeConfig(request, parts.clock.now())))).digest;
  }

  const ids = await Promise.all(Array.from({ length: count }, (_, index) => atOnce.run(() => addImage(index))));
  const record: ImageRecord = { repoDigests: [], taggedAt: parts.clock.now() };
  await store.update((known) => ({
    ...known,
    images: { ...known.images, ...Object.fromEntries(ids.map((id) => [id, record])) },
    references: {
      ...known.references,
      ...Object.fromEntries(ids.map((id, index) => [`registry.test/team/image-${index}:latest`, id])),
    },
  }));
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield bytes;
}
