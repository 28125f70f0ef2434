import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { DabbaError, type Digest } from '#base';
import type { BlobStore } from '#blob';
import type { Archives, ArchiveSource, UnpackRequest } from '../layer/archives.ts';
import { openPack } from '../layer/open-pack.ts';
import { chainIdOf } from '../snapshot/chain.ts';
import type { OverlaySnapshots } from '../snapshot/snapshots.ts';
import type { CommitUpper, Layer } from './internals.ts';
import { type Descriptor, mediaType } from './manifest.ts';
import type { ImageStore } from './store.ts';

export interface LayerParts {
  readonly archives: Archives;
  readonly blobs: BlobStore;
  readonly snapshots: OverlaySnapshots;
  readonly store: ImageStore;
}

/** A layer blob that is here, and what it becomes. */
export interface UnpackBlob {
  readonly blob: Descriptor;
  readonly diffId: Digest;
  readonly parent: Digest | undefined;
  /** Resolves when the layers beneath are there; the files are unpacked meanwhile. */
  readonly parentReady: Promise<unknown>;
  readonly signal: AbortSignal;
}

/** The plain tar of a layer that has no blob. */
export interface LayerTar {
  readonly diffId: Digest;
  readonly sizeBytes: number;
  read(): AsyncIterable<Buffer>;
}

/** Turns blobs and uppers into layers, and layers into blobs. */
export class ImageLayers {
  readonly #parts: LayerParts;

  constructor(parts: LayerParts) {
    this.#parts = parts;
  }

  /** Unpacks a blob, verifying its digest and its diff ID, and commits it upon its parent. */
  async unpack({ blob, diffId, parent, parentReady, signal }: UnpackBlob): Promise<Layer> {
    await using file = await this.#parts.blobs.openFile(blob.digest);
    const source = file ?? (await this.#parts.blobs.read(blob.digest));
    const expected = { expectedDigest: blob.digest, expectedDiffId: diffId };
    return await this.#unpack({ source, expected, parent, sizeBytes: blob.size, signal }, async () => {
      await parentReady;
      await this.#remember(diffId, blob);
    });
  }

  /** Unpacks a tar, plain or compressed, verifying its diff ID, and commits it upon its parent. */
  unpackTar(
    source: ArchiveSource,
    layer: Pick<UnpackBlob, 'diffId' | 'parent' | 'signal'> &
      Pick<UnpackRequest, 'onTaken'> & { readonly sizeBytes: number },
  ): Promise<Layer> {
    const { diffId, ...rest } = layer;
    return this.#unpack({ source, expected: { expectedDiffId: diffId }, ...rest }, async () => undefined);
  }

  async #unpack(
    request: Pick<UnpackBlob, 'parent' | 'signal'> &
      Pick<UnpackRequest, 'source' | 'onTaken'> & {
        readonly sizeBytes: number;
        readonly expected: { readonly expectedDiffId: Digest; readonly expectedDigest?: Digest };
      },
    beforeCommit: () => Promise<void>,
  ): Promise<Layer> {
    const { archives, snapshots } = this.#parts;
    const { expected, parent, ...archive } = request;
    const staging = await snapshots.makeTemporary();
    try {
      const root = join(staging, 'diff');
      await mkdir(root, { mode: 0o755 });
      const { contentBytes } = await archives.unpack({ ...archive, ...expected, root, form: 'layer' });
      await beforeCommit();
      const diffId = expected.expectedDiffId;
      return await snapshots.layers.commit(staging, { diffId, sizeBytes: contentBytes, ...(parent && { parent }) });
    } catch (error) {
      await snapshots.discard(staging);
      throw error;
    }
  }

  /** Unpacks the tar of a whole root file system into a layer of its own. */
  async importTree(source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Layer> {
    const { archives, snapshots } = this.#parts;
    const root = await snapshots.makeTemporary();
    try {
      await archives.unpack({ source, root, form: 'layer', signal });
      return await this.commit({ parent: undefined, upper: root, signal });
    } finally {
      await snapshots.discard(root);
    }
  }

  async commit({ parent, upper, isCopied, except, timestamp, signal }: CommitUpper): Promise<Layer> {
    const { archives, snapshots } = this.#parts;
    if (parent !== undefined && !snapshots.layers.find(parent))
      throw new DabbaError('NotFound', `layer ${parent} is not here to put another upon`);
    const staging = await snapshots.makeTemporary();
    const root = join(staging, 'diff');
    const times = timestamp === undefined ? {} : { timestamp };
    try {
      if (isCopied) await mkdir(root, { mode: 0o755 });
      const { diffId, contentBytes } = await archives.pack({
        root: upper,
        content: 'upper',
        ...times,
        ...(except && { except }),
        ...(isCopied && {
          write: async (source) => void (await archives.unpack({ source, root, form: 'layer', signal })),
        }),
        signal,
      });
      if (!isCopied) await rename(upper, root);
      const layer = { diffId, sizeBytes: contentBytes, ...times, ...(parent && { parent }) };
      return await snapshots.layers.commit(staging, layer);
    } catch (error) {
      await snapshots.discard(staging);
      throw error;
    }
  }

  /**
   * The blob of a layer as it goes to registries: the one it came as, or else a gzip made now, once, from its files. Throws
   * `DataLoss` if the files are not what they were.
   */
  async blobOf(chainId: Digest, signal: AbortSignal): Promise<Descriptor> {
    const { archives, blobs, snapshots, store } = this.#parts;
    const layer = snapshots.layers.find(chainId);
    if (!layer) throw new DabbaError('NotFound', `layer ${chainId} is not here`);
    const known = store.index.layers[layer.diffId];
    if (known && (await blobs.stat(known.digest))) return known;
    let written: { readonly digest: Digest; readonly sizeBytes: number } | undefined;
    const { diffId } = await archives.pack({
      root: snapshots.layers.diffOf(chainId),
      content: 'upper',
      ...(layer.timestamp !== undefined && { timestamp: layer.timestamp }),
      compression: 'gzip',
      write: async (archive) => {
        written = await blobs.write(archive, { signal });
      },
      signal,
    });
    if (!written) throw new Error('pack did not write');
    if (diffId !== layer.diffId) {
      await blobs.remove(written.digest);
      throw new DabbaError('DataLoss', `files of layer ${layer.diffId} have changed: their digest is ${diffId} now`);
    }
    const blob = { mediaType: mediaType.dockerLayer, digest: written.digest, size: written.sizeBytes };
    await this.#remember(diffId, blob);
    return blob;
  }

  /** The blob of a layer if there is one; else its tar, made from its files, whose digest is the diff ID. */
  async blobOrTarOf(chainId: Digest, signal: AbortSignal): Promise<Descriptor | LayerTar> {
    const { archives, blobs, snapshots, store } = this.#parts;
    const layer = snapshots.layers.find(chainId);
    if (!layer) throw new DabbaError('NotFound', `layer ${chainId} is not here`);
    const known = store.index.layers[layer.diffId];
    if (known && (await blobs.stat(known.digest))) return known;
    const request = {
      root: snapshots.layers.diffOf(chainId),
      content: 'upper',
      ...(layer.timestamp !== undefined && { timestamp: layer.timestamp }),
      signal,
    } as const;
    const { diffId, tarBytes } = await archives.pack(request);
    if (diffId !== layer.diffId)
      throw new DabbaError('DataLoss', `files of layer ${layer.diffId} have changed: their digest is ${diffId} now`);
    return { diffId, sizeBytes: tarBytes, read: () => openPack(archives, request) };
  }

  /** Keeps what registries have as the blob of a layer. */
  async keepBlob(diffId: Digest, blob: Descriptor): Promise<void> {
    await this.#remember(diffId, blob);
  }

  #remember(diffId: Digest, blob: Descriptor): Promise<void> {
    return this.#parts.store.update((index) =>
      index.layers[diffId]?.digest === blob.digest ? index : { ...index, layers: { ...index.layers, [diffId]: blob } },
    );
  }

  /** The layer of `diffId` upon `parent`, if it is here. */
  find(parent: Digest | undefined, diffId: Digest): Layer | undefined {
    return this.#parts.snapshots.layers.find(chainIdOf(parent, diffId));
  }
}
