import { DabbaError, type Digest, isDigest } from '#base';
import type { Platform } from '../image-archive.ts';

/** Media types of OCI and of Docker's schema 2, which say the same. */
export const mediaType = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ociPlainLayer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** What we ask a registry for. */
export const acceptedManifests: string = [
  mediaType.ociManifest,
  mediaType.ociIndex,
  mediaType.dockerManifest,
  mediaType.dockerIndex,
].join(', ');

/** A registry need not take larger ones (distribution specification, "Pushing Manifests"). */
export const manifestLimitBytes: number = 4 * 1024 ** 2;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface PlatformDescriptor extends Descriptor {
  readonly platform?: Platform;
}

export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface Index {
  readonly kind: 'index';
  readonly manifests: readonly PlatformDescriptor[];
}

const mostLayers = 500;

/**
 * Reads a manifest or index. `contentType` is what the registry called it, used where the document does not say. Throws
 * `InvalidArgument` for what is malformed, `Unimplemented` for Docker's schema 1.
 */
export function parseManifest(bytes: Buffer, contentType: string | undefined): Manifest | Index {
  const document = objectOf(parseJson(bytes), 'manifest');
  if (document['schemaVersion'] === 1)
    throw new DabbaError(
      'Unimplemented',
      'image manifest version 2, schema 1 is not supported: push the image again with a newer client',
    );
  const type =
    typeof document['mediaType'] === 'string' ? document['mediaType'] : (contentType?.split(';')[0]?.trim() ?? '');
  if ('manifests' in document)
    return { kind: 'index', manifests: listOf(document['manifests'], 'manifests').map(platformDescriptor) };
  const layers = listOf(document['layers'], 'layers').map((layer) => descriptor(layer, 'layer'));
  if (layers.length > mostLayers)
    throw new DabbaError('InvalidArgument', `manifest has ${layers.length} layers, more than ${mostLayers}`);
  return {
    kind: 'manifest',
    mediaType: type === '' ? mediaType.ociManifest : type,
    config: descriptor(document['config'], 'config'),
    layers,
  };
}

/**
 * Picks the manifest for a platform: of several variants the one asked for, or else the plain or first one. Undefined if there is none, or
 * none of the variant asked for; arm64 without a variant is its `v8`.
 */
export function choosePlatform(index: Index, wanted: Platform): PlatformDescriptor | undefined {
  const fitting = index.manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const variantOf = ({ platform }: PlatformDescriptor) =>
    platform?.variant ?? (platform?.architecture === 'arm64' ? 'v8' : undefined);
  if (wanted.variant !== undefined) return fitting.find((each) => variantOf(each) === wanted.variant);
  return fitting.find(({ platform }) => platform?.variant === undefined) ?? fitting[0];
}

export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new DabbaError('InvalidArgument', 'manifest or config is not JSON', { cause: error });
  }
}

export function objectOf(value: unknown, what: string): { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DabbaError('InvalidArgument', `${what} is not a JSON object`);
  return value as { readonly [name: string]: unknown }; // just checked
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new DabbaError('InvalidArgument', `"${what}" is not a list`);
  return value;
}

function descriptor(value: unknown, what: string): Descriptor {
  const { mediaType: type, digest, size } = objectOf(value, what);
  if (typeof type !== 'string' || typeof digest !== 'string' || !isDigest(digest))
    throw new DabbaError('InvalidArgument', `${what} descriptor lacks a media type or a digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw new DabbaError('InvalidArgument', `${what} descriptor ${digest} has size ${String(size)}`);
  return { mediaType: type, digest, size };
}

function platformDescriptor(value: unknown): PlatformDescriptor {
  const base = descriptor(value, 'manifest');
  const { platform } = objectOf(value, 'manifest');
  if (platform === undefined) return base;
  const { architecture, os, variant } = objectOf(platform, 'platform');
  if (typeof architecture !== 'string' || typeof os !== 'string')
    throw new DabbaError('InvalidArgument', `platform of manifest ${base.digest} lacks architecture or os`);
  return { ...base, platform: { architecture, os, ...(typeof variant === 'string' && { variant }) } };
}
