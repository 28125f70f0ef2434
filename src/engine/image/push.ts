import { type Clock, DabbaError, type Digest, digestOf, isDabbaError } from '#base';
import type { BlobStore } from '#blob';
import type { TransferOptions } from '../engine.ts';
import type { RegistryResolver } from '../ports.ts';
import { Limiter } from '../limiter.ts';
import { chainIdsOf } from '../snapshot/chain.ts';
import type { DescribedImage } from './config.ts';
import type { ImageLayers } from './layers.ts';
import { type Descriptor, type Manifest, manifestLimitBytes, mediaType, parseManifest } from './manifest.ts';
import { LayerReport } from './progress.ts';
import { familiarReference, type ImageReference, manifestNameOf, repositoryOf } from './reference.ts';
import type { RepositoryClient } from './registry-client.ts';
import { atFirstEndpoint } from './registry-endpoints.ts';
import { RegistryUnreachable } from './registry-errors.ts';
import type { RegistryHttp } from './registry-http.ts';
import { type ImageStore, withImage } from './store.ts';

export interface PushParts {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly http: RegistryHttp;
  readonly layers: ImageLayers;
  readonly resolver: RegistryResolver;
  readonly store: ImageStore;
}

const uploadsAtOnce = 3;
const mostAttempts = 4;
const firstPauseMs = 300;

/** Uploads what the registry lacks of an image, then its manifest under the reference's tag. */
export async function pushImage(
  parts: PushParts,
  image: DescribedImage,
  reference: ImageReference,
  options: TransferOptions,
): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
  const { http, resolver, store } = parts;
  if (reference.digest !== undefined)
    throw new DabbaError('InvalidArgument', `cannot push a digest reference: ${familiarReference(reference)}`);
  const { bytes, manifest } = await manifestOf(parts, image, options.signal);
  const sources = sourcesOn(store.index.images[image.id]?.repoDigests ?? [], reference);
  const reach = { http, resolver, credentials: options.credentials, access: 'pull,push', sources } as const;
  await atFirstEndpoint(reference, reach, async (client) => {
    await pushLayers(parts, { client, layers: manifest.layers, sources }, options);
    await pushBlob(parts, { client, blob: manifest.config, sources: [] }, options.signal);
    await client.putManifest(manifestNameOf(reference), bytes, manifest.mediaType, options.signal);
  });
  const digest = digestOf(bytes);
  await store.update((index) => {
    if (!Object.hasOwn(index.images, image.id)) return index; // removed meanwhile
    return withImage(index, image.id, { references: [], repoDigests: [`${repositoryOf(reference)}@${digest}`] });
  });
  return { digest, sizeBytes: bytes.length };
}

/** The manifest the image came with while its blobs are here, so that its digest stays; else one of our own. */
async function manifestOf(
  { blobs, layers, store }: PushParts,
  image: DescribedImage,
  signal: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly manifest: Manifest }> {
  const kept = store.index.images[image.id]?.manifest;
  if (kept && (await blobs.stat(kept.digest))) {
    const bytes = await blobs.readBytes(kept.digest, manifestLimitBytes);
    const manifest = parseManifest(bytes, kept.mediaType);
    if (manifest.kind === 'manifest' && (await areHere(blobs, manifest.layers))) return { bytes, manifest };
  }
  const layerBlobs: Descriptor[] = [];
  for (const chainId of chainIdsOf(image.diffIds)) layerBlobs.push(await layers.blobOf(chainId, signal));
  const config = await blobs.stat(image.id);
  if (!config) throw new DabbaError('DataLoss', `config of image ${image.id} is missing`);
  const manifest = compose({ mediaType: mediaType.dockerConfig, digest: image.id, size: config.sizeBytes }, layerBlobs);
  return { bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, ...withoutKind(manifest) })), manifest };
}

export async function areHere(blobs: BlobStore, all: readonly Descriptor[]): Promise<boolean> {
  for (const { digest } of all) if (!(await blobs.stat(digest))) return false;
  return true;
}

/** Docker's schema 2 as long as it has a word for each layer, as Docker pushes; OCI's otherwise. */
function compose(config: Descriptor, layers: readonly Descriptor[]): Manifest {
  const isPlainGzip = layers.every(
    (layer) => layer.mediaType.endsWith('tar.gzip') || layer.mediaType.endsWith('tar+gzip'),
  );
  if (isPlainGzip)
    return {
      kind: 'manifest',
      mediaType: mediaType.dockerManifest,
      config,
      layers: layers.map((layer) => ({ ...layer, mediaType: mediaType.dockerLayer })),
    };
  return {
    kind: 'manifest',
    mediaType: mediaType.ociManifest,
    config: { ...config, mediaType: mediaType.ociConfig },
    layers: layers.map((layer) => ({ ...layer, mediaType: ociLayerTypes[layer.mediaType] ?? layer.mediaType })),
  };
}

/** OCI's names for Docker's layer types. */
export const ociLayerTypes: { readonly [docker: string]: string } = {
  [mediaType.dockerLayer]: 'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.docker.image.rootfs.diff.tar': 'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'application/vnd.oci.image.layer.v1.tar+zstd',
};

function withoutKind({ mediaType, config, layers }: Manifest): Omit<Manifest, 'kind'> {
  return { mediaType, config, layers };
}

async function pushLayers(
  parts: PushParts,
  image: {
    readonly client: RepositoryClient;
    readonly layers: readonly Descriptor[];
    readonly sources: readonly string[];
  },
  options: TransferOptions,
): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const limiter = new Limiter(uploadsAtOnce);
  // The same layer may be there twice.
  const layers = new Map(image.layers.map((blob) => [blob.digest, blob]));
  const all = [...layers.values()].map(async (blob) => {
    const report = new LayerReport(blob, parts.clock, options.onProgress);
    report.state('waiting');
    try {
      await limiter.run(() => pushBlob(parts, { ...image, blob, report }, signal), signal);
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  });
  const failed = (await Promise.allSettled(all)).some(({ status }) => status === 'rejected');
  options.signal.throwIfAborted();
  if (failed) throw failure.signal.reason;
}

async function pushBlob(
  { blobs, clock }: PushParts,
  push: {
    readonly client: RepositoryClient;
    readonly blob: Descriptor;
    readonly sources: readonly string[];
    readonly report?: LayerReport;
  },
  signal: AbortSignal,
): Promise<void> {
  const { client, blob, sources, report } = push;
  if ((await client.statBlob(blob.digest, signal)) !== undefined) {
    report?.state('exists');
    return;
  }
  for (const source of sources)
    if (await client.mountBlob(blob.digest, source, signal)) {
      report?.state('exists');
      return;
    }
  const open = async () => {
    const bytes = await blobs.read(blob.digest);
    let sent = 0;
    bytes.on('data', (chunk: Buffer) => report?.transferred((sent += chunk.length)));
    bytes.pause(); // until it is piped; listening alone would start it
    return bytes;
  };
  for (let attempt = 1; ; attempt++)
    try {
      await client.uploadBlob({ digest: blob.digest, sizeBytes: blob.size, open }, signal);
      break;
    } catch (error) {
      signal.throwIfAborted();
      // The first failure to connect makes room for the next endpoint.
      const isPassing = isDabbaError(error, 'Unavailable') && !(error instanceof RegistryUnreachable && attempt === 1);
      if (attempt === mostAttempts || !isPassing) throw error;
      await clock.sleep(firstPauseMs * 2 ** (attempt - 1), signal);
    }
  report?.state('done');
}

/** Repositories on the same host that the image was pulled from or pushed to, and so hold its layers. */
function sourcesOn(repoDigests: readonly string[], { host, repository }: ImageReference): readonly string[] {
  return repoDigests
    .map((each) => each.slice(0, each.indexOf('@')))
    .filter((each) => each.startsWith(`${host}/`))
    .map((each) => each.slice(host.length + 1))
    .filter((each, index, all) => each !== repository && all.indexOf(each) === index)
    .slice(0, 3);
}
