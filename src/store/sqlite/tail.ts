import type { Version } from './key-index.ts';

/** One change of one key, as a row of the log holds it. */
export interface Row {
  readonly key: string;
  readonly version: Version;
  /** Undefined: the key was deleted. */
  readonly value: Uint8Array | undefined;
}

/** How much waits before it goes to SQLite: enough to share a transaction, little enough not to hold up the event loop. */
const MANY_ROWS = 512;
const MANY_BYTES = 1024 * 1024;

/** The end of the log, that SQLite does not have yet: the rows of each revision, in order and without holes. */
export class Tail {
  readonly #revisions: (readonly Row[])[] = [];
  #first = 0;
  #rows = 0;
  #sizeBytes = 0;

  /** How many revisions wait. */
  get length(): number {
    return this.#revisions.length;
  }

  /** It is time that SQLite takes them. */
  get isLong(): boolean {
    return this.#rows >= MANY_ROWS || this.#sizeBytes >= MANY_BYTES;
  }

  /** Takes in the next revision. */
  append(revision: number, rows: readonly Row[]): void {
    if (!this.#revisions.length) this.#first = revision;
    this.#revisions.push(rows);
    this.#count(rows, 1);
  }

  /** The row of a version; undefined if SQLite has it. */
  find({ modRevision, place }: Version): Row | undefined {
    return this.#revisions[modRevision - this.#first]?.[place];
  }

  /** The rows of the revisions that wait, but for the first `skip`. */
  rows(skip = 0): Row[] {
    return this.#revisions.slice(skip).flat();
  }

  /** Keeps the first `length` revisions: the others were not committed. */
  cut(length: number): void {
    for (const rows of this.#revisions.splice(length)) this.#count(rows, -1);
  }

  /** SQLite has all of it. */
  clear(): void {
    this.#revisions.length = 0;
    this.#rows = 0;
    this.#sizeBytes = 0;
  }

  #count(rows: readonly Row[], sign: 1 | -1): void {
    this.#rows += sign * rows.length;
    for (const { key, value } of rows) this.#sizeBytes += sign * (key.length + (value?.length ?? 0));
  }
}
