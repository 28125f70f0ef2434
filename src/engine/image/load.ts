import { rm } from 'node:fs/promises';
import { type Clock, DabbaError, type Digest, digestOf } from '#base';
import type { BlobStore } from '#blob';
import type { LoadedImage, LoadOptions } from '../engine.ts';
import type { Archives } from '../layer/archives.ts';
import { chainIdsOf } from '../snapshot/chain.ts';
import type { OverlaySnapshots } from '../snapshot/snapshots.ts';
import { ArchiveFiles } from './archive-files.ts';
import { type ArchivedImage, readArchiveIndex } from './archive-index.ts';
import { decodeConfig } from './config.ts';
import type { ImageLayers } from './layers.ts';
import type { Descriptor } from './manifest.ts';
import { LayerReport } from './progress.ts';
import { type ImageStore, withImage } from './store.ts';

export interface LoadParts {
  readonly archives: Archives;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly layers: ImageLayers;
  readonly snapshots: OverlaySnapshots;
  readonly store: ImageStore;
}

/**
 * Takes in every image of an archive, in its order. The archive is unpacked first, for its index may stand at its end. What was taken in before
 * a failure stays.
 */
export async function loadImages(
  parts: LoadParts,
  archive: AsyncIterable<Uint8Array>,
  options: LoadOptions,
): Promise<readonly LoadedImage[]> {
  const { archives, snapshots } = parts;
  const root = await snapshots.makeTemporary();
  try {
    await archives.unpack({ source: archive, root, form: 'archive', signal: options.signal });
    const files = new ArchiveFiles(root);
    const loaded: LoadedImage[] = [];
    for (const image of await readArchiveIndex(files)) loaded.push(await loadImage(parts, files, image, options));
    return loaded;
  } finally {
    // At once: the trash would keep the space of a whole archive for minutes.
    await rm(root, { recursive: true, force: true });
  }
}

async function loadImage(
  parts: LoadParts,
  files: ArchiveFiles,
  image: ArchivedImage,
  options: LoadOptions,
): Promise<LoadedImage> {
  const { blobs, layers, snapshots, store } = parts;
  const { diffIds } = decodeConfig(image.config);
  if (diffIds.length !== image.layers.length)
    throw new DabbaError(
      'InvalidArgument',
      `image ${digestOf(image.config)} of the archive has ${image.layers.length} layers, but its config names ${diffIds.length}`,
    );
  const isKept = image.manifest && image.layers.every(({ blob }) => blob && isCompressed(blob));
  const chain = chainIdsOf(diffIds);
  for (const [index, { file, blob }] of image.layers.entries()) {
    const diffId = diffIds[index]!;
    if (isKept && blob) await keepBlob(parts, files, { file, blob, diffId }, options.signal);
    if (snapshots.layers.find(chain[index]!)) continue;
    const sizeBytes = files.sizeOf(file) ?? 0;
    const report = new LayerReport({ digest: diffId, size: sizeBytes }, parts.clock, options.onProgress);
    using opened = files.open(file);
    let current = 0;
    const onTaken = (bytes: number) => report.transferred((current += bytes));
    await layers.unpackTar(opened, { diffId, parent: chain[index - 1], sizeBytes, onTaken, signal: options.signal });
    report.state('done');
  }
  const { digest: id } = await blobs.write(one(image.config), { signal: options.signal });
  if (isKept) await blobs.write(one(image.manifest.bytes), { expected: image.manifest.descriptor.digest });
  const { references } = image;
  await store.update((index) =>
    withImage(index, id, {
      references,
      taggedAt: parts.clock.now(),
      ...(isKept && { manifest: image.manifest.descriptor }),
    }),
  );
  return { id, references };
}

/** Compressed blobs are kept, so that a push sends the very same; a plain tar is made again when it is wanted. */
async function keepBlob(
  { blobs, layers }: LoadParts,
  files: ArchiveFiles,
  layer: { readonly file: string; readonly blob: Descriptor; readonly diffId: Digest },
  signal: AbortSignal,
): Promise<void> {
  const { file, blob, diffId } = layer;
  if (!(await blobs.stat(blob.digest))) await blobs.write(files.read(file), { expected: blob.digest, signal });
  await layers.keepBlob(diffId, blob);
}

function isCompressed({ mediaType }: Descriptor): boolean {
  return /[.+](?:gzip|zstd)$/.test(mediaType);
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield bytes;
}
