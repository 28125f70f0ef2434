import { DabbaError, type Digest, digestOf, hexOf } from '#base';
import type { BlobStore } from '#blob';
import { noAttributes, noDevice, paddingOf } from '../layer/tar-header.ts';
import { encodeHeader, endOfArchive } from '../layer/tar-writer.ts';
import { chainIdsOf } from '../snapshot/chain.ts';
import type { DescribedImage } from './config.ts';
import type { ImageLayers, LayerTar } from './layers.ts';
import { type Descriptor, manifestLimitBytes, mediaType, parseManifest } from './manifest.ts';
import { areHere, ociLayerTypes } from './push.ts';
import { familiarReference, familiarRepository, parseReference } from './reference.ts';
import type { ImageStore } from './store.ts';

export interface SaveParts {
  readonly blobs: BlobStore;
  readonly layers: ImageLayers;
  readonly store: ImageStore;
}

/** An image and the names it is saved under, normalised. */
export interface SavedImage {
  readonly image: DescribedImage;
  readonly references: readonly string[];
}

/** An image as the archive has it. */
interface PlannedImage extends SavedImage {
  readonly manifest: Descriptor;
  readonly manifestBytes: Buffer;
  readonly layers: readonly (Descriptor | LayerTar)[];
}

/**
 * Writes images as a tar that is both an OCI layout (image-spec, "Image Layout") and what `docker save` made before: `manifest.json` and
 * `repositories` name the same blobs. Layers go as the blobs they came as; those made here go as plain tars.
 */
export async function saveImages(
  parts: SaveParts,
  images: readonly SavedImage[],
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer>> {
  const planned: PlannedImage[] = [];
  for (const image of images) planned.push(await plan(parts, image, signal));
  return write(parts, planned, signal);
}

/** With the manifest the image came with while all its blobs are here, so that its digest stays; else one of our own. */
async function plan(parts: SaveParts, saved: SavedImage, signal: AbortSignal): Promise<PlannedImage> {
  const { blobs, layers, store } = parts;
  const { image } = saved;
  const kept = store.index.images[image.id]?.manifest;
  if (kept && (await blobs.stat(kept.digest))) {
    const manifestBytes = await blobs.readBytes(kept.digest, manifestLimitBytes);
    const manifest = parseManifest(manifestBytes, kept.mediaType);
    if (manifest.kind === 'manifest' && (await areHere(blobs, manifest.layers)))
      return { ...saved, manifest: kept, manifestBytes, layers: manifest.layers };
  }
  const sources: (Descriptor | LayerTar)[] = [];
  for (const chainId of chainIdsOf(image.diffIds)) sources.push(await layers.blobOrTarOf(chainId, signal));
  const config = await blobs.stat(image.id);
  if (!config) throw new DabbaError('DataLoss', `config of image ${image.id} is missing`);
  const manifestBytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.ociManifest,
      config: { mediaType: mediaType.ociConfig, digest: image.id, size: config.sizeBytes },
      layers: sources.map(ociDescriptor),
    }),
  );
  const manifest = { mediaType: mediaType.ociManifest, digest: digestOf(manifestBytes), size: manifestBytes.length };
  return { ...saved, manifest, manifestBytes, layers: sources };
}

function ociDescriptor(layer: Descriptor | LayerTar): Descriptor {
  if ('read' in layer) return { mediaType: mediaType.ociPlainLayer, digest: layer.diffId, size: layer.sizeBytes };
  return { ...layer, mediaType: ociLayerTypes[layer.mediaType] ?? layer.mediaType };
}

async function* write(
  { blobs }: SaveParts,
  images: readonly PlannedImage[],
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const written = new Set<Digest>();
  for (const name of ['blobs/', 'blobs/sha256/']) yield header(name, 'directory', 0);
  for (const { image, manifest, manifestBytes, layers } of images) {
    for (const layer of layers) {
      const { digest, size } = ociDescriptor(layer);
      if (written.has(digest)) continue;
      written.add(digest);
      yield* streamed(pathOf(digest), size, 'read' in layer ? layer.read() : await blobs.read(digest));
      signal.throwIfAborted();
    }
    const documents: readonly (readonly [Digest, Buffer])[] = [
      [image.id, await blobs.readBytes(image.id, configLimitBytes)],
      [manifest.digest, manifestBytes],
    ];
    for (const [digest, bytes] of documents) {
      if (written.has(digest)) continue;
      written.add(digest);
      yield* file(pathOf(digest), bytes);
    }
  }
  yield* document('index.json', indexOf(images));
  yield* document('manifest.json', images.map(dockerEntry));
  yield* document('oci-layout', { imageLayoutVersion: '1.0.0' });
  const repositories = repositoriesOf(images);
  if (Object.keys(repositories).length > 0) yield* document('repositories', repositories);
  yield endOfArchive;
}

const configLimitBytes = 8 * 1024 ** 2;

/** A descriptor for each name, with the annotations by which containerd and OCI tools know it. */
function indexOf(images: readonly PlannedImage[]): object {
  const named = images.flatMap(({ image, manifest, references }) => {
    const descriptor = { ...manifest, platform: { architecture: image.architecture, os: image.os } };
    if (references.length === 0) return [descriptor];
    return references.map((reference) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': reference,
        'org.opencontainers.image.ref.name': parseReference(reference).tag ?? '',
      },
    }));
  });
  return { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests: named };
}

function dockerEntry({ image, references, layers }: PlannedImage): object {
  return {
    Config: pathOf(image.id),
    RepoTags: references.length === 0 ? null : references.map((each) => familiarReference(parseReference(each))),
    Layers: layers.map((layer) => pathOf(ociDescriptor(layer).digest)),
  };
}

function repositoriesOf(images: readonly PlannedImage[]): { readonly [repository: string]: object } {
  const repositories: { [repository: string]: { [tag: string]: string } } = {};
  for (const { image, references } of images)
    for (const reference of references.map((each) => parseReference(each)))
      (repositories[familiarRepository(reference)] ??= {})[reference.tag ?? 'latest'] = hexOf(image.id);
  return repositories;
}

const pathOf = (digest: Digest) => `blobs/${digest.replace(':', '/')}`;

function document(name: string, value: object): Iterable<Buffer> {
  return file(name, Buffer.from(JSON.stringify(value)));
}

function* file(name: string, bytes: Buffer): Generator<Buffer, void> {
  yield header(name, 'file', bytes.length);
  yield bytes;
  yield Buffer.alloc(paddingOf(bytes.length));
}

async function* streamed(
  name: string,
  sizeBytes: number,
  content: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void> {
  yield header(name, 'file', sizeBytes);
  let sent = 0;
  for await (const chunk of content) {
    sent += chunk.length;
    yield chunk;
  }
  if (sent !== sizeBytes) throw new DabbaError('DataLoss', `${name} has ${sent} bytes, not ${sizeBytes}`);
  yield Buffer.alloc(paddingOf(sizeBytes));
}

/** Equal images give equal archives: times are the epoch. */
function header(name: string, type: 'file' | 'directory', sizeBytes: number): Buffer {
  return encodeHeader({
    name,
    type,
    mode: type === 'file' ? 0o644 : 0o755,
    uid: 0,
    gid: 0,
    sizeBytes,
    modifiedAtNs: 0n,
    linkName: '',
    device: noDevice,
    attributes: noAttributes,
  });
}
