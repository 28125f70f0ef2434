import { type Clock, DabbaError, type Digest } from '#base';
import type { BlobStore } from '#blob';
import type { Platform, TransferOptions } from '../engine.ts';
import type { RegistryResolver } from '../ports.ts';
import { Limiter } from '../limiter.ts';
import { chainIdsOf } from '../snapshot/chain.ts';
import type { OverlaySnapshots } from '../snapshot/snapshots.ts';
import { decodeConfig, machinePlatform, platformName } from './config.ts';
import { fetchBlob } from './fetch.ts';
import type { ImageLayers } from './layers.ts';
import { choosePlatform, type Descriptor, type Manifest, manifestLimitBytes, parseManifest } from './manifest.ts';
import { LayerReport } from './progress.ts';
import {
  familiarReference,
  familiarRepository,
  formatReference,
  type ImageReference,
  manifestNameOf,
  repositoryOf,
} from './reference.ts';
import type { RepositoryClient } from './registry-client.ts';
import { atFirstEndpoint } from './registry-endpoints.ts';
import { RegistryRefusal } from './registry-errors.ts';
import type { RegistryHttp } from './registry-http.ts';
import { type ImageStore, withImage } from './store.ts';

export interface PullParts {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly http: RegistryHttp;
  /** Layers that are being pulled, by chain ID. */
  readonly inFlight: Map<Digest, Promise<void>>;
  readonly layers: ImageLayers;
  readonly resolver: RegistryResolver;
  readonly snapshots: OverlaySnapshots;
  readonly store: ImageStore;
}

const layersAtOnce = 3;
const configLimitBytes = 8 * 1024 ** 2;

interface Found {
  readonly client: RepositoryClient;
  /** Digest the reference led to: of the index, where there is one. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly bytes: Buffer;
  readonly manifestDigest: Digest;
}

/** Fetches an image and records it; every byte is verified against the digest that named it. Returns its ID. */
export async function pullImage(
  parts: PullParts,
  reference: ImageReference,
  options: TransferOptions & { readonly platform?: Platform },
): Promise<Digest> {
  const { http, resolver, blobs, store } = parts;
  const { credentials, signal, platform } = options;
  const found = await atFirstEndpoint(reference, { http, resolver, credentials, access: 'pull' }, (client) =>
    findManifest(client, reference, platform ?? machinePlatform(), signal),
  ).catch((error: unknown) => {
    throw inDockersWords(error, reference);
  });
  const { manifest, client } = found;
  if (manifest.config.size > configLimitBytes)
    throw new DabbaError(
      'InvalidArgument',
      `config of ${formatReference(reference)} has ${manifest.config.size} bytes`,
    );
  await fetchBlob({ client, blobs, blob: manifest.config, clock: parts.clock, signal });
  const image = decodeConfig(await blobs.readBytes(manifest.config.digest, configLimitBytes));
  if (platform && (image.os !== platform.os || image.architecture !== platform.architecture))
    throw new DabbaError(
      'NotFound',
      `image with reference ${familiarReference(reference)} was found but its platform (${image.os}/${image.architecture}) does not match the specified platform (${platformName(platform)})`,
    );
  if (image.diffIds.length !== manifest.layers.length)
    throw new DabbaError(
      'InvalidArgument',
      `${formatReference(reference)} has ${manifest.layers.length} layers, but its config names ${image.diffIds.length}`,
    );
  await pullLayers(parts, { client, layers: manifest.layers, diffIds: image.diffIds }, options);
  const kept = { mediaType: manifest.mediaType, digest: found.manifestDigest, size: found.bytes.length };
  await blobs.write(one(found.bytes), { expected: kept.digest, signal });
  await store.update((index) =>
    withImage(index, manifest.config.digest, {
      references: reference.digest === undefined ? [formatReference(reference)] : [],
      repoDigests: [`${repositoryOf(reference)}@${found.digest}`],
      manifest: kept,
      taggedAt: parts.clock.now(),
    }),
  );
  return manifest.config.digest;
}

async function findManifest(
  client: RepositoryClient,
  reference: ImageReference,
  platform: Platform,
  signal: AbortSignal,
): Promise<Found> {
  const { bytes, digest, contentType } = await client.manifest(manifestNameOf(reference), signal);
  const first = parseManifest(bytes, contentType);
  if (first.kind === 'manifest') return { client, digest, manifest: first, bytes, manifestDigest: digest };
  const chosen = choosePlatform(first, platform);
  if (!chosen)
    throw new DabbaError(
      'NotFound',
      `no matching manifest for ${platformName(platform)} in the manifest list entries of ${familiarReference(reference)}`,
    );
  if (chosen.size > manifestLimitBytes)
    throw new DabbaError('InvalidArgument', `manifest ${chosen.digest} has ${chosen.size} bytes`);
  const child = await client.manifest(chosen.digest, signal);
  const manifest = parseManifest(child.bytes, child.contentType);
  if (manifest.kind !== 'manifest')
    throw new DabbaError('InvalidArgument', `manifest ${chosen.digest} is another index`);
  return { client, digest, manifest, bytes: child.bytes, manifestDigest: child.digest };
}

/** Layers are fetched side by side and unpacked as they come; each is committed once those beneath it are. */
async function pullLayers(
  parts: PullParts,
  image: {
    readonly client: RepositoryClient;
    readonly layers: readonly Descriptor[];
    readonly diffIds: readonly Digest[];
  },
  options: TransferOptions,
): Promise<void> {
  // One failure ends the others.
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const limiter = new Limiter(layersAtOnce);
  const chain = chainIdsOf(image.diffIds);
  let parentReady: Promise<unknown> = Promise.resolve();
  const all = image.layers.map((blob, index) => {
    const beneath = parentReady;
    const report = new LayerReport(blob, parts.clock, options.onProgress);
    const layer = { ...image, blob, index, chain, beneath, report, signal };
    const one = limiter.run(() => pullLayerOnce(parts, layer), signal);
    parentReady = one;
    return one.catch((error: unknown) => {
      failure.abort(error);
      throw error;
    });
  });
  parentReady.catch(() => undefined); // told by `all`
  const failed = (await Promise.allSettled(all)).filter((outcome) => outcome.status === 'rejected');
  options.signal.throwIfAborted();
  // The first to fail is the reason; the rest were ended by it.
  if (failed.length > 0) throw failure.signal.reason;
}

interface PulledLayer {
  readonly client: RepositoryClient;
  readonly blob: Descriptor;
  readonly index: number;
  readonly diffIds: readonly Digest[];
  readonly chain: readonly Digest[];
  /** Resolves when the layers beneath are here. */
  readonly beneath: Promise<unknown>;
  readonly report: LayerReport;
  readonly signal: AbortSignal;
}

/** Many pulls of one image fetch each layer once. Should the pull that does it fail, another takes over. */
async function pullLayerOnce(parts: PullParts, layer: PulledLayer): Promise<void> {
  const { chain, index, report, signal } = layer;
  const chainId = chain[index]!;
  while (!parts.snapshots.layers.find(chainId)) {
    signal.throwIfAborted();
    const others = parts.inFlight.get(chainId);
    if (!others) {
      const ours = pullLayer(parts, layer).finally(() => parts.inFlight.delete(chainId));
      parts.inFlight.set(chainId, ours);
      return ours;
    }
    report.state('waiting');
    await settledOrAborted(others, signal);
  }
  report.state('exists');
}

async function settledOrAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise;
}

async function pullLayer(parts: PullParts, layer: PulledLayer): Promise<void> {
  const { client, blob, index, diffIds, chain, beneath, report, signal } = layer;
  const { layers, blobs, clock } = parts;
  report.state('waiting');
  await fetchBlob({ client, blobs, blob, clock, report, signal });
  report.state('unpacking');
  await layers.unpack({ blob, diffId: diffIds[index]!, parent: chain[index - 1], parentReady: beneath, signal });
  report.state('done');
}

/** Docker's wording of what a registry refused. */
export function inDockersWords(error: unknown, reference: ImageReference): unknown {
  if (!(error instanceof RegistryRefusal)) return error;
  const name = familiarRepository(reference);
  const reword = (kind: DabbaError['kind'], prefix: string) =>
    new DabbaError(kind, `${prefix}: ${error.message}`, { cause: error });
  if (error.code === 'MANIFEST_UNKNOWN' || (error.kind === 'NotFound' && error.code === ''))
    return reword('NotFound', `manifest for ${familiarReference(reference)} not found`);
  if (error.code === 'NAME_UNKNOWN') return reword('NotFound', `repository ${name} not found`);
  if (error.kind === 'PermissionDenied' || error.kind === 'Unauthenticated')
    return reword(
      error.kind,
      `pull access denied for ${name}, repository does not exist or may require 'docker login'`,
    );
  return error;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield bytes;
}
