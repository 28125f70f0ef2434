import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { systemCode } from '#base';

/** Pages in SQLite's write-ahead log at which it is copied back and begun anew. */
export const CHECKPOINT_PAGES = 2000;
/** What a log of so many pages takes, with room for the commit that goes beyond. */
const SIZE_BYTES = (CHECKPOINT_PAGES + 250) * (4096 + 24);
const ZEROS = Buffer.alloc(256 * 1024);

/**
 * SQLite's write-ahead log as a file. SQLite appends to it and would `fsync` it with each commit, which makes the file system write down its
 * new length and time of change as well. So we do that part: the file has its full length from the beginning, is overwritten in place, and
 * `fdatasync` waits for the data alone. The promise is that of `synchronous = FULL`: a
 * commit is on the disk before anyone hears of it. SQLite itself still orders the log and the database around a checkpoint (`NORMAL`).
 *
 * Zeros behind the last frame mean nothing to SQLite: a frame counts only with the salt and checksum of its log (sqlite.org/fileformat2.html,
 * section 4).
 */
export class WriteAheadLog {
  readonly #fd: number;

  /** `path` is that of the database, which is open in WAL mode. */
  constructor(path: string) {
    this.#fd = openSync(`${path}-wal`, 'r+');
    const { size } = fstatSync(this.#fd);
    try {
      for (let at = size; at < SIZE_BYTES;)
        at += writeSync(this.#fd, ZEROS, 0, Math.min(ZEROS.length, SIZE_BYTES - at), at);
      fdatasyncSync(this.#fd);
    } catch (error) {
      // No room to spare: then it grows as it is needed.
      if (systemCode(error) !== 'ENOSPC') throw error;
      ftruncateSync(this.#fd, size);
    }
  }

  /** Returns when everything that was committed is on the disk. */
  sync(): void {
    fdatasyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
