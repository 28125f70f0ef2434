import { closeSync, fdatasyncSync, openSync } from 'node:fs';

/** Pages in SQLite's write-ahead log at which it is copied back and begun anew. */
export const CHECKPOINT_PAGES = 2000;

/**
 * SQLite's write-ahead log as a file. SQLite commits without waiting for the disk (`synchronous = NORMAL`: it orders the log and the database
 * around a checkpoint, and no more); the wait is ours, where a commit is promised or the journal gives up its copy.
 */
export class WriteAheadLog {
  readonly #fd: number;

  /** `path` is that of the database, which is open in WAL mode. */
  constructor(path: string) {
    this.#fd = openSync(`${path}-wal`, 'r+');
  }

  /** Returns when everything that SQLite committed is on the disk. */
  sync(): void {
    fdatasyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
