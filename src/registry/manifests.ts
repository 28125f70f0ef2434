import { isDigest, type DabbaError, type Digest } from '#base';
import type { BlobStore } from '#blob';
import type { Versioned } from '#store';
import { ByteCache } from './byte-cache.ts';
import { RegistryError } from './errors.ts';
import { MANIFEST_LIMIT_BYTES } from './manifest.ts';
import { putManifest } from './put-manifest.ts';
import { digestOfId, idIn, idOf, tagOfId, tagSegment, type ManifestEntry } from './records.ts';
import type { ManifestRecord, RegistryContent, RepositoryName } from './registry.ts';
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

  /** The indexes that name a manifest. */
  async function parentsOf(repository: RepositoryName, digest: Digest): Promise<readonly Digest[]> {
    const all = await records.manifests.list(`${idOf(repository)}/`);
    return all.filter(({ value }) => value.manifests.includes(digest)).map(({ id }) => digestOfId(id));
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
      const digest = await putManifest(state, blobs, repository, manifest);
      return (await findManifest(repository, digest)) ?? raise(manifestUnknown(repository, digest));
    },

    async deleteManifest(repository, digest) {
      await retryOnConflict(`manifest ${digest}`, async () => {
        const seenRepository = await requireRepository(records, repository);
        const entry = await requireManifest(repository, digest);
        const parents = await parentsOf(repository, digest);
        if (parents.length) throw manifestNamed(digest, parents);
        const { subject } = entry.value;
        const tags = await tagsOf(repository, digest);
        const seen = await Promise.all(tags.map((tag) => records.tags.get(idIn(repository, tagSegment(tag)))));
        const blobs = [...new Set(entry.value.blobs)];
        const links = await Promise.all(blobs.map((blob) => records.links.get(idIn(repository, blob))));
        const released = links.flatMap((link) => (link ? [link] : []));
        const { succeeded } = await store.txn({
          // An index or a tag put meanwhile has changed the repository's own record; a tag that moved away has changed itself.
          compare: [
            records.repositories.ifUnchanged(seenRepository),
            records.manifests.ifUnchanged(entry),
            ...seen.flatMap((tag) => (tag ? [records.tags.ifUnchanged(tag)] : [])),
            ...released.map((link) => records.links.ifUnchanged(link)),
          ],
          success: [
            records.manifests.remove(entry.id),
            ...released.map(({ id, value }) => records.links.put(id, { ...value, releasedAt: clock.now() })),
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

function recordOf(
  digest: Digest,
  entry: ManifestEntry,
  tags: readonly string[],
  lastPulledAt: number | undefined,
): ManifestRecord {
  return { ...entry, digest, tags, ...(lastPulledAt !== undefined && { lastPulledAt }) };
}

function digestSegment(id: string, prefix: string): Digest {
  // Below a repository's prefix, `putTransaction` writes digests only.
  return id.slice(prefix.length).split('/')[0] as Digest;
}

function manifestUnknown(repository: RepositoryName, reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', `manifest "${reference}" is not in repository ${repository.name}`);
}

function manifestNamed(digest: Digest, parents: readonly Digest[]): RegistryError {
  return new RegistryError('UNSUPPORTED', `manifest ${digest} stays: ${parents.join(', ')} names it`, { parents });
}

function raise(error: DabbaError): never {
  throw error;
}
