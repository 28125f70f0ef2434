import { algorithmOf, digestOf, type Digest } from '#base';
import type { BlobStore } from '#blob';
import type { Transaction, Versioned } from '#store';
import { RegistryError } from './errors.ts';
import { parseManifest, type ParsedManifest } from './manifest.ts';
import { parseTag } from './names.ts';
import { idIn, idOf, tagSegment, type ManifestEntry, type TagEntry } from './records.ts';
import type { NewManifest, ReferrerDescriptor, RepositoryName } from './registry.ts';
import { requireRepository, type ContentState } from './repositories.ts';
import { retryOnConflict } from './retry.ts';

/**
 * Stores a manifest: checks it, makes its bytes durable, then writes manifest, tags and referrer in one transaction that holds only while
 * everything it names is still there and no tag has moved. Answers its digest.
 */
export async function putManifest(
  state: ContentState,
  blobs: BlobStore,
  repository: RepositoryName,
  manifest: NewManifest,
): Promise<Digest> {
  const digest = verifiedDigest(manifest);
  const parsed = parseManifest(manifest.bytes, manifest.mediaType);
  const tags = tagsOf(manifest);
  using _pin = await state.pins.pin(digest);
  let isDurable = false;
  await retryOnConflict(`manifest ${digest}`, async () => {
    const seen = await readForPut(state, { repository, digest, parsed, tags });
    for (const { tag, current } of seen.tags)
      if (current && current.value.digest !== digest) await manifest.checkTagChange?.(tag);
    if (!isDurable) await blobs.write(oneChunk(manifest.bytes), { expected: digest });
    isDurable = true;
    const { succeeded } = await state.store.txn(putTransaction(state, { repository, digest, parsed, manifest, seen }));
    return succeeded;
  });
  return digest;
}

function tagsOf({ tag, tags = [] }: NewManifest): string[] {
  return [...new Set(tag === undefined ? tags : [tag, ...tags])].map(parseTag);
}

function verifiedDigest({ bytes, digest }: NewManifest): Digest {
  const actual = digestOf(bytes, digest && algorithmOf(digest));
  if (digest && digest !== actual)
    throw new RegistryError('DIGEST_INVALID', `the manifest has digest ${actual}, not ${digest}`);
  return actual;
}

interface PutTarget {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly parsed: ParsedManifest;
}

/** What a put must know before it writes: that everything named is there, and where its tags point now. */
interface SeenForPut {
  readonly createdAt: number;
  readonly existing: ManifestEntry | undefined;
  readonly children: readonly ManifestEntry[];
  readonly tags: readonly { readonly tag: string; readonly current: Versioned<TagEntry> | undefined }[];
}

async function readForPut(
  { records }: ContentState,
  { repository, digest, parsed, tags }: PutTarget & { readonly tags: readonly string[] },
): Promise<SeenForPut> {
  const { value } = await requireRepository(records, repository);
  const links = await Promise.all(parsed.blobs.map(async (blob) => await records.links.get(idIn(repository, blob))));
  const children = await Promise.all(
    parsed.manifests.map(async (child) => await records.manifests.get(idIn(repository, child))),
  );
  const blobs = parsed.blobs.filter((_, index) => !links[index]);
  const manifests = parsed.manifests.filter((_, index) => !children[index]);
  if (blobs.length || manifests.length)
    throw new RegistryError(
      'MANIFEST_BLOB_UNKNOWN',
      `manifest ${digest} names ${[...blobs, ...manifests].join(', ')}, not in repository ${repository.name}`,
      { missing: { blobs, manifests } },
    );
  const current = await Promise.all(
    tags.map(async (tag) => ({ tag, current: await records.tags.get(idIn(repository, tagSegment(tag))) })),
  );
  const existing = await records.manifests.get(idIn(repository, digest));
  return {
    createdAt: value.createdAt,
    existing: existing?.value,
    children: children.map((child) => child!.value),
    tags: current,
  };
}

/** Manifest, tags, reverse tags and referrer in one transaction that holds only while everything named is still there. */
function putTransaction(
  { records, clock }: ContentState,
  {
    repository,
    digest,
    parsed,
    manifest,
    seen,
  }: PutTarget & { readonly manifest: NewManifest; readonly seen: SeenForPut },
): Transaction {
  const id = idIn(repository, digest);
  const moved = seen.tags.filter(({ current }) => current?.value.digest !== digest);
  const now = clock.now();
  return {
    compare: [
      records.repositories.ifPresent(idOf(repository)),
      ...parsed.blobs.map((blob) => records.links.ifPresent(idIn(repository, blob))),
      ...parsed.manifests.map((child) => records.manifests.ifPresent(idIn(repository, child))),
      ...seen.tags.map(({ tag, current }) =>
        current ? records.tags.ifUnchanged(current) : records.tags.ifAbsent(idIn(repository, tagSegment(tag))),
      ),
    ],
    success: [
      records.repositories.put(idOf(repository), { createdAt: seen.createdAt, pushedAt: now }),
      records.manifests.put(id, entryOf(parsed, manifest.bytes.length, seen, now)),
      ...moved.flatMap(({ tag, current }) => [
        records.tags.put(idIn(repository, tagSegment(tag)), { digest, taggedAt: now }),
        records.manifestTags.put(idIn(repository, digest, tagSegment(tag)), true),
        ...(current ? [records.manifestTags.remove(idIn(repository, current.value.digest, tagSegment(tag)))] : []),
      ]),
      ...(parsed.subject
        ? [
            records.referrers.put(
              idIn(repository, parsed.subject, digest),
              referrerOf(digest, parsed, manifest.bytes.length),
            ),
          ]
        : []),
    ],
  };
}

function entryOf(parsed: ParsedManifest, sizeBytes: number, seen: SeenForPut, now: number): ManifestEntry {
  return {
    mediaType: parsed.mediaType,
    sizeBytes,
    // Of an index, the largest of its images, as ECR counts (API reference, ImageDetail, imageSizeInBytes).
    contentSizeBytes:
      parsed.form === 'index'
        ? Math.max(0, ...seen.children.map((child) => child.contentSizeBytes))
        : parsed.contentSizeBytes,
    ...(parsed.artifactType && { artifactType: parsed.artifactType }),
    ...(parsed.subject && { subject: parsed.subject }),
    manifests: parsed.manifests,
    blobs: parsed.blobs,
    pushedAt: seen.existing?.pushedAt ?? now,
  };
}

function referrerOf(digest: Digest, parsed: ParsedManifest, size: number): ReferrerDescriptor {
  return {
    mediaType: parsed.mediaType,
    size,
    digest,
    ...(parsed.artifactType && { artifactType: parsed.artifactType }),
    ...(parsed.annotations && { annotations: parsed.annotations }),
  };
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
