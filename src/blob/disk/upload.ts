import { createReadStream } from 'node:fs';
import { chmod, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { algorithmOf, Digester, type Digest } from '#base';
import type { BlobInfo } from '../blob.ts';
import { digestMismatch, uploadBusy, uploadNotFound } from '../errors.ts';
import type { OpenUpload } from '../write.ts';
import { diskError, makeDurableDirectory, syncDirectory, type Layout } from './layout.ts';

/** Bytes gathered before they are written; twice this is the most one upload keeps in memory. */
const WRITE_BYTES = 1 << 20;

/**
 * An upload as a file. Its sha256 is computed while bytes arrive; when that is not possible (after a restart, a failed write, or for
 * another algorithm) the file is read once more at the commit.
 */
export class DiskUpload implements OpenUpload {
  readonly id: string;
  readonly #file: string;
  readonly #layout: Layout;
  readonly #onEnd: (id: string) => void;
  #sizeBytes: number;
  #digester: Digester | undefined;
  #isBusy = false;
  #hasEnded = false;

  constructor(id: string, file: string, layout: Layout, sizeBytes: number, onEnd: (id: string) => void) {
    this.id = id;
    this.#file = file;
    this.#layout = layout;
    this.#sizeBytes = sizeBytes;
    this.#onEnd = onEnd;
    this.#digester = sizeBytes === 0 ? new Digester() : undefined;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** True while an append or a commit is under way; such an upload must not be forgotten. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  async append(source: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#exclusively(async () => {
      await using handle = await open(this.#file, 'r+');
      const before = this.#sizeBytes;
      try {
        await this.#copy(source, handle);
      } catch (error) {
        const told = diskError(error, `upload ${this.id}`);
        if (told !== error) await this.#truncate(handle, before);
        throw told;
      }
    });
  }

  async commit(expected?: Digest): Promise<BlobInfo> {
    return await this.#exclusively(async () => {
      const digest = await this.#digest(expected);
      if (expected && digest !== expected) throw digestMismatch(expected, digest);
      try {
        await this.#publish(digest);
      } catch (error) {
        throw diskError(error, `blob ${digest}`);
      }
      this.#end();
      return { digest, sizeBytes: this.#sizeBytes };
    });
  }

  async cancel(): Promise<void> {
    if (this.#hasEnded) return;
    this.#end();
    await rm(this.#file, { force: true });
  }

  /** Hashes and writes `WRITE_BYTES` at a time, reading on while the previous batch is being written. */
  async #copy(source: AsyncIterable<Uint8Array>, handle: FileHandle): Promise<void> {
    let batch: Uint8Array[] = [];
    let batchBytes = 0;
    let writing = Promise.resolve();
    const flush = async (): Promise<void> => {
      await writing;
      const [full, length] = [batch, batchBytes];
      [batch, batchBytes] = [[], 0];
      writing = this.#write(full, length, handle);
      // A failure shows at the next `await writing`; until then it must not count as unhandled.
      writing.catch(() => undefined);
    };
    try {
      for await (const chunk of source) {
        if (!chunk.length) continue;
        batch.push(chunk);
        batchBytes += chunk.length;
        if (batchBytes >= WRITE_BYTES) await flush();
      }
    } finally {
      // What arrived before the source failed is kept: the sender may go on from there.
      if (batchBytes) await flush();
      await writing;
    }
  }

  async #write(batch: Uint8Array[], length: number, handle: FileHandle): Promise<void> {
    try {
      for (const chunk of batch) this.#digester?.update(chunk);
      const { bytesWritten } = await handle.writev(batch, this.#sizeBytes);
      if (bytesWritten < length)
        await this.#writeRest(Buffer.concat(batch).subarray(bytesWritten), bytesWritten, handle);
      this.#sizeBytes += length;
    } catch (error) {
      // The running hash is ahead of the file now.
      this.#digester = undefined;
      throw error;
    }
  }

  /** A short write usually means that the disk has just become full; the next one says so. */
  async #writeRest(rest: Uint8Array, offset: number, handle: FileHandle): Promise<void> {
    for (let done = 0; done < rest.length;) {
      const { bytesWritten } = await handle.write(rest, done, rest.length - done, this.#sizeBytes + offset + done);
      done += bytesWritten;
    }
  }

  async #truncate(handle: FileHandle, sizeBytes: number): Promise<void> {
    await handle.truncate(sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#digester = sizeBytes === 0 ? new Digester() : undefined;
  }

  async #digest(expected: Digest | undefined): Promise<Digest> {
    const algorithm = expected ? algorithmOf(expected) : 'sha256';
    const running = this.#digester;
    if (running && algorithm === 'sha256') {
      // A digester gives its digest once; after a mismatch the file is read.
      this.#digester = undefined;
      return running.digest();
    }
    const digester = new Digester(algorithm);
    const bytes = createReadStream(this.#file, { end: Math.max(0, this.#sizeBytes - 1), highWaterMark: WRITE_BYTES });
    for await (const chunk of bytes) digester.update(chunk as Buffer);
    return digester.digest();
  }

  /** Bytes first, then the name, then the directory that holds the name. */
  async #publish(digest: Digest): Promise<void> {
    const target = this.#layout.blob(digest);
    await makeDurableDirectory(dirname(target));
    if (await stat(target).catch(() => undefined)) {
      await rm(this.#file, { force: true });
    } else {
      await using handle = await open(this.#file, 'r+');
      // A crash, or a failed append, may have left bytes behind the last acknowledged one.
      await handle.truncate(this.#sizeBytes);
      await handle.sync();
      await chmod(this.#file, 0o444);
      await rename(this.#file, target);
    }
    // Also when the blob was there: whoever put it there may not have come this far yet.
    await syncDirectory(dirname(target));
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.#hasEnded) throw uploadNotFound(this.id);
    if (this.#isBusy) throw uploadBusy(this.id);
    this.#isBusy = true;
    try {
      return await work();
    } finally {
      this.#isBusy = false;
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#onEnd(this.id);
  }
}
