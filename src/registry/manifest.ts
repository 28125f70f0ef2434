import { isDigest, type Digest } from '#base';
import { RegistryError } from './errors.ts';

/** Largest manifest accepted (OCI distribution specification, "Pushing Manifests": at least 4 MiB; ECR: 4,194,304 bytes). */
export const MANIFEST_LIMIT_BYTES = 4 << 20;

const forms: { readonly [mediaType: string]: 'image' | 'index' } = {
  'application/vnd.oci.image.manifest.v1+json': 'image',
  'application/vnd.docker.distribution.manifest.v2+json': 'image',
  'application/vnd.oci.image.index.v1+json': 'index',
  'application/vnd.docker.distribution.manifest.list.v2+json': 'index',
};

/** Layers that stay where they came from (OCI image specification, "Non-Distributable Layers"; Docker's foreign layers). */
const undistributed = /nondistributable|foreign/;

/** What the registry must know of a manifest. */
export interface ParsedManifest {
  readonly mediaType: string;
  readonly form: 'image' | 'index';
  readonly artifactType?: string;
  readonly annotations?: { readonly [name: string]: string };
  readonly subject?: Digest;
  /** Blobs that must be in the repository. */
  readonly blobs: readonly Digest[];
  /** Manifests that must be in the repository. */
  readonly manifests: readonly Digest[];
  /** Sizes of config and layers, as the manifest gives them. */
  readonly contentSizeBytes: number;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly isElsewhere: boolean;
}

/** Reads a manifest or index. `claimed` is the sender's media type. Throws `MANIFEST_INVALID` or `SIZE_INVALID`. */
export function parseManifest(bytes: Uint8Array, claimed: string | undefined): ParsedManifest {
  if (bytes.length > MANIFEST_LIMIT_BYTES)
    throw new RegistryError('SIZE_INVALID', `the manifest has more than ${MANIFEST_LIMIT_BYTES} bytes`);
  const document = objectOf(parseJson(bytes), 'the manifest');
  if (document['schemaVersion'] !== 2) throw invalid('"schemaVersion" must be 2');
  const mediaType = mediaTypeOf(document, claimed);
  const form = forms[mediaType]!;
  const subject = document['subject'] === undefined ? undefined : descriptorOf(document['subject'], 'subject').digest;
  const annotations = annotationsOf(document['annotations']);
  const common = { mediaType, form, ...(subject && { subject }), ...(annotations && { annotations }) };
  const artifactType = optionalText(document['artifactType'], 'artifactType');
  if (form === 'index') {
    const manifests = descriptorsOf(document['manifests'], 'manifests').map(({ digest }) => digest);
    return {
      ...common,
      ...(artifactType && { artifactType }),
      blobs: [],
      manifests: unique(manifests),
      contentSizeBytes: 0,
    };
  }
  const config = descriptorOf(document['config'], 'config');
  const content = [config, ...descriptorsOf(document['layers'] ?? [], 'layers')];
  return {
    ...common,
    artifactType: artifactType ?? config.mediaType,
    blobs: unique(content.filter(({ isElsewhere }) => !isElsewhere).map(({ digest }) => digest)),
    manifests: [],
    contentSizeBytes: content.reduce((sum, { size }) => sum + size, 0),
  };
}

function mediaTypeOf(document: Fields, claimed: string | undefined): string {
  const own = optionalText(document['mediaType'], 'mediaType');
  const sent = claimed?.split(';')[0]!.trim();
  if (own && sent && own !== sent) throw invalid(`"mediaType" is ${own}, but it was sent as ${sent}`);
  const mediaType = own ?? sent;
  if (!mediaType || !(mediaType in forms)) throw invalid(`media type "${mediaType ?? ''}" is not that of a manifest`);
  return mediaType;
}

type Fields = { readonly [name: string]: unknown };

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) throw invalid('it is not JSON', error);
    throw error;
  }
}

function objectOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is not an object`);
  return value as Fields; // any JSON object has string keys
}

function descriptorsOf(value: unknown, what: string): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(`"${what}" is not a list`);
  return value.map((entry, index) => descriptorOf(entry, `${what}[${index}]`));
}

function descriptorOf(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size, urls } = objectOf(value, `"${what}"`);
  if (typeof mediaType !== 'string') throw invalid(`"${what}" has no media type`);
  if (typeof digest !== 'string' || !isDigest(digest))
    throw invalid(`"${what}" has no sha256 or sha512 digest, but ${JSON.stringify(digest)}`);
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw invalid(`"${what}" has no size`);
  const isElsewhere = undistributed.test(mediaType) || (Array.isArray(urls) && urls.length > 0);
  return { mediaType, digest, size: size as number, isElsewhere };
}

function annotationsOf(value: unknown): { readonly [name: string]: string } | undefined {
  if (value === undefined || value === null) return undefined;
  const annotations = objectOf(value, '"annotations"');
  if (Object.values(annotations).some((text) => typeof text !== 'string'))
    throw invalid('an annotation is not a string');
  return annotations as { readonly [name: string]: string };
}

function optionalText(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(`"${what}" is not a string`);
  return value;
}

const unique = (digests: readonly Digest[]): Digest[] => [...new Set(digests)];

function invalid(why: string, cause?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `the manifest is invalid: ${why}`, { cause });
}
