import { DabbaError, type Digest, digestOf } from '#base';
import type { ArchiveFiles } from './archive-files.ts';
import { machinePlatform, platformName } from './config.ts';
import {
  choosePlatform,
  type Descriptor,
  type Index,
  listOf,
  objectOf,
  parseJson,
  parseManifest,
  type PlatformDescriptor,
} from './manifest.ts';
import { formatReference, tryParseReference } from './reference.ts';

/** An image in an archive. */
export interface ArchivedImage {
  readonly config: Buffer;
  /** Lowest first: where its bytes are, and how a registry would name them where the archive says so. */
  readonly layers: readonly { readonly file: string; readonly blob?: Descriptor }[];
  /** Normalised. */
  readonly references: readonly string[];
  /** The manifest it came with. */
  readonly manifest?: { readonly descriptor: Descriptor; readonly bytes: Buffer };
}

/** Finds the images of an archive: by its OCI index, or else by Docker's `manifest.json`. Throws `InvalidArgument` for any other archive. */
export async function readArchiveIndex(files: ArchiveFiles): Promise<readonly ArchivedImage[]> {
  const docker = files.sizeOf('manifest.json') === undefined ? [] : await readDockerManifest(files);
  if (files.sizeOf('index.json') !== undefined) return readOciIndex(files, docker);
  if (docker.length > 0) return docker;
  const isLegacy = files.sizeOf('repositories') !== undefined;
  throw new DabbaError(
    isLegacy ? 'Unimplemented' : 'InvalidArgument',
    isLegacy
      ? 'the archive has the form Docker had before 1.10, without manifest.json: save it again with a newer client'
      : 'the archive holds no images: it has neither index.json nor manifest.json',
  );
}

/** Docker's form (moby, image specification v1.2, "Combined Image JSON + Filesystem Changeset Format"). */
async function readDockerManifest(files: ArchiveFiles): Promise<readonly ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const value of listOf(parseJson(await files.readDocument('manifest.json')), 'manifest.json')) {
    const entry = objectOf(value, 'manifest.json');
    const layers = listOf(entry['Layers'] ?? [], 'Layers').map((layer) => ({ file: textOf(layer, 'Layers') }));
    const references = listOf(entry['RepoTags'] ?? [], 'RepoTags').flatMap((tag) =>
      referenceIn(textOf(tag, 'RepoTags')),
    );
    images.push({ config: await files.readDocument(textOf(entry['Config'], 'Config')), layers, references });
  }
  return images;
}

/** Several names of one image are several descriptors. Names that Docker's `manifest.json` has for it count too. */
async function readOciIndex(files: ArchiveFiles, docker: readonly ArchivedImage[]): Promise<readonly ArchivedImage[]> {
  const bytes = await files.readDocument('index.json');
  const index = parseManifest(bytes, undefined);
  if (index.kind !== 'index') throw new DabbaError('InvalidArgument', 'index.json of the archive is no index');
  const names = listOf(objectOf(parseJson(bytes), 'index.json')['manifests'], 'manifests').map(namesOf);
  const images = new Map<Digest, ArchivedImage>();
  for (const [position, descriptor] of index.manifests.entries()) {
    const image = await readOciImage(files, descriptor);
    if (!image) continue;
    const id = digestOf(image.config);
    const known = images.get(id);
    images.set(id, { ...image, references: [...(known?.references ?? []), ...(names[position] ?? [])] });
  }
  for (const { config, references } of docker) {
    const image = images.get(digestOf(config));
    if (image) images.set(digestOf(config), { ...image, references: [...image.references, ...references] });
  }
  return [...images.values()].map((image) => ({ ...image, references: [...new Set(image.references)] }));
}

/** Undefined for what is no image, such as an attestation. */
async function readOciImage(files: ArchiveFiles, descriptor: PlatformDescriptor): Promise<ArchivedImage | undefined> {
  if (descriptor.platform?.os === 'unknown') return undefined;
  const bytes = await readVerified(files, descriptor.digest);
  const document = parseManifest(bytes, descriptor.mediaType);
  if (document.kind === 'index') return readOciImage(files, chosen(files, document));
  const config = await readVerified(files, document.config.digest);
  const layers = document.layers.map((blob) => ({ file: blobFile(blob.digest), blob }));
  const manifest = {
    descriptor: { mediaType: document.mediaType, digest: descriptor.digest, size: bytes.length },
    bytes,
  };
  return { config, layers, references: [], manifest };
}

/** This machine's platform; or the only one that was saved, whatever it is. */
function chosen(files: ArchiveFiles, index: Index): PlatformDescriptor {
  const here = index.manifests.filter(
    ({ digest, platform }) => platform?.os !== 'unknown' && files.sizeOf(blobFile(digest)) !== undefined,
  );
  const found = choosePlatform({ kind: 'index', manifests: here }, machinePlatform()) ?? (here.length === 1 && here[0]);
  if (!found) throw new DabbaError('NotFound', `the archive holds no image for ${platformName(machinePlatform())}`);
  return found;
}

async function readVerified(files: ArchiveFiles, digest: Digest): Promise<Buffer> {
  const bytes = await files.readDocument(blobFile(digest));
  if (digestOf(bytes) !== digest)
    throw new DabbaError('InvalidArgument', `blob ${digest} of the archive has digest ${digestOf(bytes)}`);
  return bytes;
}

const blobFile = (digest: Digest) => `blobs/${digest.replace(':', '/')}`;

/** A whole name, by containerd's annotation or OCI's. OCI's may be a tag alone, which names nothing without a repository. */
function namesOf(descriptor: unknown): readonly string[] {
  const annotations = objectOf(objectOf(descriptor, 'index.json')['annotations'] ?? {}, 'annotations');
  const whole = annotations['io.containerd.image.name'];
  if (typeof whole === 'string') return referenceIn(whole);
  const named = annotations['org.opencontainers.image.ref.name'];
  return typeof named === 'string' && /[:/]/.test(named) ? referenceIn(named) : [];
}

function referenceIn(text: string): readonly string[] {
  const reference = tryParseReference(text);
  if (!reference) throw new DabbaError('InvalidArgument', `the archive names an image "${text}"`);
  return reference.digest === undefined ? [formatReference(reference)] : [];
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new DabbaError('InvalidArgument', `manifest.json: "${what}" is not text`);
}
