import { isDabbaError, type Digest } from '#base';
import type { BlobInfo, BlobStore, Upload } from '#blob';
import { RegistryError } from './errors.ts';
import type { Versioned } from '#store';
import { idIn, idOf, type LinkEntry } from './records.ts';
import type { RegistryContent, RepositoryName } from './registry.ts';
import { requireRepository, type ContentState } from './repositories.ts';

/** Uploads that nobody finished in a day are forgotten; the blob store sweeps their bytes after the same time. */
const UPLOAD_LIFE_MS = 24 * 60 * 60 * 1000;

/** A link that was made or found so lately need not be written anew for every question. */
const FRESH_MS = 60_000;

type BlobMethods = Pick<
  RegistryContent,
  'hasBlob' | 'keepBlob' | 'readBlob' | 'putBlob' | 'mountBlob' | 'unlinkBlob' | 'startUpload' | 'resumeUpload'
>;

/**
 * Blobs as repositories see them: one copy of the bytes for everybody, and a link for each repository that may use it. A blob without a link
 * here is absent here, however many others have it.
 */
export function blobMethods(state: ContentState, blobs: BlobStore): BlobMethods {
  const { store, records, clock, pins } = state;

  /** Links a durable blob, and ends the upload it came by, in one transaction. */
  async function link(repository: RepositoryName, { digest, sizeBytes }: BlobInfo, uploadId?: string): Promise<void> {
    const { succeeded } = await store.txn({
      compare: [records.repositories.ifPresent(idOf(repository))],
      success: [
        records.links.put(idIn(repository, digest), { sizeBytes, linkedAt: clock.now() }),
        ...(uploadId === undefined ? [] : [records.uploads.remove(idIn(repository, uploadId))]),
      ],
    });
    if (!succeeded) await requireRepository(records, repository);
  }

  async function isReplaced(seen: Versioned<LinkEntry>, value: LinkEntry): Promise<boolean> {
    const { succeeded } = await store.txn({
      compare: [records.links.ifUnchanged(seen)],
      success: [records.links.put(seen.id, value)],
    });
    return succeeded;
  }

  async function linkOf(
    repository: RepositoryName,
    digest: Digest,
  ): Promise<{ readonly sizeBytes: number } | undefined> {
    const found = await records.links.get(idIn(repository, digest));
    return found && { sizeBytes: found.value.sizeBytes };
  }

  function linking(repository: RepositoryName, upload: Upload): Upload {
    return {
      id: upload.id,
      get sizeBytes() {
        return upload.sizeBytes;
      },
      append: (source) => upload.append(source),
      async commit(expected) {
        using _pin = await pins.pin(expected);
        const info = await upload.commit(expected);
        await link(repository, info, upload.id);
        return info;
      },
      async cancel() {
        await upload.cancel();
        await records.uploads.delete(idIn(repository, upload.id));
      },
    };
  }

  async function forgetOldUploads(repository: RepositoryName): Promise<void> {
    for (const { id, value } of await records.uploads.list(`${idOf(repository)}/`))
      if (value.startedAt < clock.now() - UPLOAD_LIFE_MS) await records.uploads.delete(id);
  }

  return {
    hasBlob: linkOf,

    async keepBlob(repository, digest) {
      for (;;) {
        const found = await records.links.get(idIn(repository, digest));
        if (!found) return undefined;
        const { sizeBytes, linkedAt, releasedAt } = found.value;
        const isFresh = releasedAt === undefined && linkedAt > clock.now() - FRESH_MS;
        if (isFresh || (await isReplaced(found, { sizeBytes, linkedAt: clock.now() }))) return { sizeBytes };
      }
    },

    async readBlob(repository, digest, range) {
      if (!(await linkOf(repository, digest))) throw blobUnknown(repository, digest);
      return await blobs.read(digest, range);
    },

    async putBlob(repository, source, options) {
      await requireRepository(records, repository);
      using _pin = await pins.pin(options?.expected);
      const info = await blobs.write(source, options);
      await link(repository, info);
      return info;
    },

    async mountBlob(repository, digest, from) {
      using _pin = await pins.pin(digest);
      const source = await linkOf(from, digest);
      if (!source || !(await blobs.stat(digest))) return false;
      await link(repository, { digest, sizeBytes: source.sizeBytes });
      return true;
    },

    async unlinkBlob(repository, digest) {
      if (!(await linkOf(repository, digest))) throw blobUnknown(repository, digest);
      await records.links.delete(idIn(repository, digest));
    },

    async startUpload(repository) {
      await requireRepository(records, repository);
      await forgetOldUploads(repository);
      const upload = await blobs.startUpload();
      await records.uploads.create(idIn(repository, upload.id), { startedAt: clock.now() });
      return linking(repository, upload);
    },

    async resumeUpload(repository, id) {
      // The id comes from a URL; one with a slash would name a record of another kind.
      const known = !id.includes('/') && (await records.uploads.get(idIn(repository, id)));
      if (!known) throw uploadUnknown(repository, id);
      try {
        return linking(repository, await blobs.resumeUpload(id));
      } catch (error) {
        if (isDabbaError(error, 'NotFound')) throw uploadUnknown(repository, id, error);
        throw error;
      }
    },
  };
}

function blobUnknown(repository: RepositoryName, digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', `blob ${digest} is not in repository ${repository.name}`);
}

function uploadUnknown(repository: RepositoryName, id: string, cause?: unknown): RegistryError {
  const named = id.slice(0, 64);
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', `upload "${named}" is not known to repository ${repository.name}`, {
    cause,
  });
}
