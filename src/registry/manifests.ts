import { algorithmOf, DabbaError, digestOf, isDigest, type Digest } from '#base';
import type { BlobStore } from '#blob';
import type { Versioned } from '#store';
import { ByteCache } from './byte-cache.ts';
import { RegistryError } from './errors.ts';
import { MANIFEST_LIMIT_BYTES, parseManifest, type ParsedManifest } from './manifest.ts';
import { parseTag } from './names.ts';
import { idIn, idOf, tagOfId, tagSegment, type ManifestEntry, type TagEntry } from './records.ts';
import type { ManifestRecord, NewManifest, ReferrerDescriptor, RegistryContent, RepositoryName } from './registry.ts';
import { requireRepository, type ContentState } from './repositories.ts';
import { retryOnConflict } from './retry.ts';

const CACHE_BYTES = 16 << 20;
const PULL_EXACTNESS_MS = 60 * 60 * 1000;

type ManifestMethods = Pick<
  RegistryContent,
  | 'listManifests'
  | 'findManifest'
  | 'manifestBytes'
  | 'putManifest'
  | 'deleteManifest'
  | 'deleteTag'
  | 'listTags'
  | 'listReferrers'
  | 'recordPull'
>;

/** Manifests and tags. A manifest's bytes are a blob; everything else about it is in the store and changes in one transaction. */
export function manifestMethods(state: ContentState, blobs: BlobStore): ManifestMethods {
  const { store, records, clock } = state;
  const cache = new ByteCache(CACHE_BYTES);

  async function digestFor(repository: RepositoryName, reference: string): Promise<Digest | undefined> {
    if (isDigest(reference)) return reference;
    return (await records.tags.get(idIn(repository, tagSegment(reference))))?.value.digest;
  }

  async function tagsOf(repository: RepositoryName, digest: Digest): Promise<string[]> {
    return (await records.manifestTags.list(`${idIn(repository, digest)}/`)).map(({ id }) => tagOfId(id));
  }

  async function findManifest(repository: RepositoryName, reference: string): Promise<ManifestRecord | undefined> {
    const digest = await digestFor(repository, reference);
    const entry = digest && (await records.manifests.get(idIn(repository, digest)));
    if (!digest || !entry) return undefined;
    const pull = await records.pulls.get(idIn(repository, digest));
    return recordOf(digest, entry.value, await tagsOf(repository, digest), pull?.value.pulledAt);
  }

  async function requireManifest(repository: RepositoryName, digest: Digest): Promise<Versioned<ManifestEntry>> {
    const found = await records.manifests.get(idIn(repository, digest));
    if (!found) throw manifestUnknown(repository, digest);
    return found;
  }

  return {
    findManifest,

    async listManifests(repository) {
      const prefix = `${idOf(repository)}/`;
      const manifests = await records.manifests.list(prefix);
      const tags = Map.groupBy(await records.manifestTags.list(prefix), ({ id }) => digestSegment(id, prefix));
      const pulls = new Map(
        (await records.pulls.list(prefix)).map(({ id, value }) => [digestSegment(id, prefix), value]),
      );
      return manifests.map(({ id, value }) => {
        const digest = digestSegment(id, prefix);
        return recordOf(
          digest,
          value,
          (tags.get(digest) ?? []).map((tag) => tagOfId(tag.id)),
          pulls.get(digest)?.pulledAt,
        );
      });
    },

    async manifestBytes(repository, digest) {
      await requireManifest(repository, digest);
      const cached = cache.get(digest);
      if (cached) return cached;
      const bytes = await blobs.readBytes(digest, MANIFEST_LIMIT_BYTES);
      cache.put(digest, bytes);
      return bytes;
    },

    async putManifest(repository, manifest) {
      const digest = verifiedDigest(manifest);
      const parsed = parseManifest(manifest.bytes, manifest.mediaType);
      const tags = [...new Set([...(manifest.tag === undefined ? [] : [manifest.tag]), ...(manifest.tags ?? [])])].map(
        parseTag,
      );
      let isDurable = false;
      await retryOnConflict(`manifest ${digest}`, async () => {
        const seen = await readForPut(state, { repository, digest, parsed, tags });
        for (const { tag, current } of seen.tags)
          if (current && current.value.digest !== digest) await manifest.checkTagChange?.(tag);
        if (!isDurable) await blobs.write(oneChunk(manifest.bytes), { expected: digest });
        isDurable = true;
        const { succeeded } = await store.txn(putTransaction(state, { repository, digest, parsed, manifest, seen }));
        return succeeded;
      });
      return (await findManifest(repository, digest)) ?? raise(manifestUnknown(repository, digest));
    },

    async deleteManifest(repository, digest) {
      await retryOnConflict(`manifest ${digest}`, async () => {
        const entry = await requireManifest(repository, digest);
        const { subject } = entry.value;
        const tags = await tagsOf(repository, digest);
        const seen = await Promise.all(tags.map((tag) => records.tags.get(idIn(repository, tagSegment(tag)))));
        const { succeeded } = await store.txn({
          // A tag put on it meanwhile has rewritten the manifest's record; one that moved away has changed itself.
          compare: [
            records.manifests.ifUnchanged(entry),
            ...seen.flatMap((tag) => (tag ? [records.tags.ifUnchanged(tag)] : [])),
          ],
          success: [
            records.manifests.remove(entry.id),
            records.pulls.remove(entry.id),
            ...(subject ? [records.referrers.remove(idIn(repository, subject, digest))] : []),
            ...tags.flatMap((tag) => [
              records.tags.remove(idIn(repository, tagSegment(tag))),
              records.manifestTags.remove(idIn(repository, digest, tagSegment(tag))),
            ]),
          ],
        });
        return succeeded;
      });
    },

    async deleteTag(repository, tag) {
      await retryOnConflict(`tag ${tag}`, async () => {
        const seen = await records.tags.get(idIn(repository, tagSegment(tag)));
        if (!seen) throw manifestUnknown(repository, tag);
        const { succeeded } = await store.txn({
          compare: [records.tags.ifUnchanged(seen)],
          success: [
            records.tags.remove(seen.id),
            records.manifestTags.remove(idIn(repository, seen.value.digest, tagSegment(tag))),
          ],
        });
        return succeeded;
      });
    },

    async listTags(repository) {
      return (await records.tags.list(`${idOf(repository)}/`)).map(({ id }) => tagOfId(id));
    },

    async listReferrers(repository, subject) {
      return (await records.referrers.list(`${idIn(repository, subject)}/`)).map(({ value }) => value);
    },

    async recordPull(repository, digest) {
      const id = idIn(repository, digest);
      const last = (await records.pulls.get(id))?.value.pulledAt;
      if (last !== undefined && clock.now() - last < PULL_EXACTNESS_MS) return;
      await store.txn({
        compare: [records.manifests.ifPresent(id)],
        success: [records.pulls.put(id, { pulledAt: clock.now() })],
      });
    },
  };
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
) {
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

function recordOf(
  digest: Digest,
  entry: ManifestEntry,
  tags: readonly string[],
  lastPulledAt: number | undefined,
): ManifestRecord {
  return { ...entry, digest, tags, ...(lastPulledAt !== undefined && { lastPulledAt }) };
}

function verifiedDigest({ bytes, digest }: NewManifest): Digest {
  const actual = digestOf(bytes, digest && algorithmOf(digest));
  if (digest && digest !== actual)
    throw new RegistryError('DIGEST_INVALID', `the manifest has digest ${actual}, not ${digest}`);
  return actual;
}

function digestSegment(id: string, prefix: string): Digest {
  // Below a repository's prefix, `putTransaction` writes digests only.
  return id.slice(prefix.length).split('/')[0] as Digest;
}

function manifestUnknown(repository: RepositoryName, reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', `manifest "${reference}" is not in repository ${repository.name}`);
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

function raise(error: DabbaError): never {
  throw error;
}
