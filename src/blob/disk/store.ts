import { mkdir, open, opendir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { systemCode, systemRandom, type Clock, type Digest, type Random } from '#base';
import type { BlobInfo, BlobStore, OpenBlob } from '../blob.ts';
import { blobNotFound, blobTooLarge, uploadNotFound } from '../errors.ts';
import { writeByUpload } from '../write.ts';
import { diskError, digestOfName, Layout, makeDurableDirectory } from './layout.ts';
import { DiskUpload } from './upload.ts';

/** Bytes read ahead for a reader; what bounds memory when a slow client pulls a large blob. */
const READ_BYTES = 1 << 20;
const UPLOAD_LIFE_MS = 24 * 60 * 60 * 1000;
/** Uploads whose running hash is kept. A forgotten one only costs reading its file again at the commit. */
const REMEMBERED_UPLOADS = 1024;

export interface DiskBlobStoreOptions {
  /** Made when absent. Nobody else writes below it; several processes may share it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random?: Random;
}

/** Opens the blobs below a directory and sweeps uploads that nobody has touched for a day. Never walks the blobs. */
export async function openDiskBlobStore({
  directory,
  clock,
  random = systemRandom,
}: DiskBlobStoreOptions): Promise<BlobStore> {
  const layout = new Layout(directory);
  await makeDurableDirectory(layout.blobs);
  await mkdir(layout.uploads, { recursive: true });
  await sweepUploads(layout, clock.now() - UPLOAD_LIFE_MS);
  return new DiskBlobStore(layout, random);
}

async function sweepUploads(layout: Layout, before: number): Promise<void> {
  for await (const entry of await opendir(layout.uploads)) {
    const file = join(layout.uploads, entry.name);
    const found = await unlessAbsent(stat(file));
    if (found && found.mtimeMs < before) await rm(file, { force: true });
  }
}

class DiskBlobStore implements BlobStore {
  readonly #layout: Layout;
  readonly #random: Random;
  readonly #uploads = new Map<string, DiskUpload>();

  constructor(layout: Layout, random: Random) {
    this.#layout = layout;
    this.#random = random;
  }

  async stat(digest: Digest): Promise<{ readonly sizeBytes: number } | undefined> {
    const found = await unlessAbsent(stat(this.#layout.blob(digest)));
    return found && { sizeBytes: found.size };
  }

  async read(digest: Digest, range?: { readonly start: number; readonly length?: number }): Promise<Readable> {
    const handle = await unlessAbsent(open(this.#layout.blob(digest)));
    if (!handle) throw blobNotFound(digest);
    if (range?.length === 0) {
      await handle.close();
      return Readable.from([]);
    }
    const start = range?.start ?? 0;
    return handle.createReadStream({
      start,
      ...(range?.length === undefined ? {} : { end: start + range.length - 1 }),
      highWaterMark: READ_BYTES,
    });
  }

  async openFile(digest: Digest): Promise<OpenBlob | undefined> {
    return await unlessAbsent(open(this.#layout.blob(digest)));
  }

  async readBytes(digest: Digest, limitBytes = 4 << 20): Promise<Buffer> {
    await using handle = await unlessAbsent(open(this.#layout.blob(digest)));
    if (!handle) throw blobNotFound(digest);
    const { size } = await handle.stat();
    if (size > limitBytes) throw blobTooLarge(digest, size, limitBytes);
    return await handle.readFile();
  }

  async write(source: AsyncIterable<Uint8Array>, options?: Parameters<BlobStore['write']>[1]): Promise<BlobInfo> {
    return await writeByUpload(await this.startUpload(), source, options);
  }

  async startUpload(): Promise<DiskUpload> {
    const id = this.#random.uuid();
    try {
      const handle = await open(this.#layout.upload(id)!, 'wx', 0o600);
      await handle.close();
    } catch (error) {
      throw diskError(error, `upload ${id}`);
    }
    return this.#remember(id, 0);
  }

  async resumeUpload(id: string): Promise<DiskUpload> {
    const known = this.#uploads.get(id);
    if (known) return known;
    const file = this.#layout.upload(id);
    const found = file === undefined ? undefined : await unlessAbsent(stat(file));
    if (!found) throw uploadNotFound(id);
    // Asked again: two requests may have waited for the same file.
    return this.#uploads.get(id) ?? this.#remember(id, found.size);
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#layout.blob(digest), { force: true });
  }

  async *list(): AsyncIterable<BlobInfo> {
    for await (const algorithm of await opendir(this.#layout.blobs))
      for await (const shard of await opendir(join(this.#layout.blobs, algorithm.name)))
        for await (const file of await opendir(join(this.#layout.blobs, algorithm.name, shard.name))) {
          const digest = digestOfName(algorithm.name, file.name);
          const found = digest && (await this.stat(digest));
          if (found) yield { digest, sizeBytes: found.sizeBytes };
        }
  }

  #remember(id: string, sizeBytes: number): DiskUpload {
    const upload = new DiskUpload(id, this.#layout.upload(id)!, this.#layout, sizeBytes, (id) => {
      this.#uploads.delete(id);
    });
    this.#uploads.set(id, upload);
    for (const [oldest, candidate] of this.#uploads) {
      if (this.#uploads.size <= REMEMBERED_UPLOADS) break;
      if (!candidate.isBusy) this.#uploads.delete(oldest);
    }
    return upload;
  }
}

async function unlessAbsent<T>(pending: Promise<T>): Promise<T | undefined> {
  try {
    return await pending;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
