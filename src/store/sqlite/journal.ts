import { closeSync, fstatSync, writeSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { systemCode } from '#base';
import { openDurable, preallocate, type DurableFile } from './journal-file.ts';
import { LAP_BYTES, MAX_RECORD_BYTES, blocksBytes, encodeRecord } from './journal-record.ts';
import type { Row } from './tail.ts';

/**
 * The log in front of SQLite, as etcd has one in front of its tree: a group of changes is one record, and one write of few blocks in place, so
 * the disk is waited for once and the file system writes nothing of its own. It holds what was committed since SQLite was last synced, and
 * nothing else reads it but `recover`.
 *
 * The file is written from its beginning, lap after lap. A record counts only behind the others of its lap, in order, and whole: each tells its
 * lap by a random number that no earlier bytes in the file can hold, values of a client's choosing included.
 */
export class Journal {
  readonly #file: DurableFile;
  readonly #sizeBytes: number;
  readonly #lap = new Uint8Array(LAP_BYTES);
  #index = 0;
  #position = 0;

  /** What the file holds is given up: SQLite has all of it, on the disk. Undefined if the disk has no room for a journal. */
  static open(path: string, sizeBytes: number): Journal | undefined {
    return preallocate(path, sizeBytes) ? new Journal(openDurable(path, MAX_RECORD_BYTES)) : undefined;
  }

  constructor(file: DurableFile) {
    this.#file = file;
    this.#sizeBytes = fstatSync(file.fd).size;
    this.restart();
  }

  /** Begins the next lap. Before that, everything in the journal must be in SQLite and on the disk: the next record overwrites the first. */
  restart(): void {
    // Not the store's `Random`: a test may fix that one, and no two laps of a file may be called the same.
    randomFillSync(this.#lap);
    this.#index = 0;
    this.#position = 0;
  }

  /**
   * Returns when the rows are on the disk, or false if there is no room for them and nothing was kept. When it throws, nobody knows whether they
   * are there.
   */
  write(rows: readonly Row[]): boolean {
    const { fd, buffer } = this.#file;
    const length = encodeRecord(buffer, rows, { lap: this.#lap, index: this.#index });
    if (length === undefined) return false;
    const sizeBytes = blocksBytes(length);
    if (this.#position + sizeBytes > this.#sizeBytes) return false;
    try {
      for (let done = 0; done < sizeBytes;)
        done += writeSync(fd, buffer, done, sizeBytes - done, this.#position + done);
    } catch (error) {
      // A file system that never overwrites in place. What it kept is a part of the record, which does not count.
      if (systemCode(error) === 'ENOSPC') return false;
      throw error;
    }
    this.#position += sizeBytes;
    this.#index++;
    return true;
  }

  close(): void {
    closeSync(this.#file.fd);
  }
}
