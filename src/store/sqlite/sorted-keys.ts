import { compareKeys } from '../keys.ts';

/** A chunk is split when it grows beyond this. */
const MAX_CHUNK = 512;

/** Keys in the order of their bytes. Adding and removing costs the search and the shift of one chunk. */
export class SortedKeys {
  /** None is empty. */
  readonly #chunks: string[][] = [];

  /** Adds a key that is not there yet. */
  add(key: string): void {
    const index = Math.min(this.#chunkOf(key), this.#chunks.length - 1);
    const chunk = this.#chunks[index];
    if (!chunk) {
      this.#chunks.push([key]);
      return;
    }
    chunk.splice(firstAtOrAfter(chunk, key), 0, key);
    if (chunk.length > MAX_CHUNK) this.#chunks.splice(index + 1, 0, chunk.splice(MAX_CHUNK / 2));
  }

  /** Removes a key that is there. */
  remove(key: string): void {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index]!;
    chunk.splice(firstAtOrAfter(chunk, key), 1);
    if (!chunk.length) this.#chunks.splice(index, 1);
  }

  /** The keys from `first` on. Nothing may be added or removed meanwhile. */
  *from(first: string): Generator<string, void, undefined> {
    let index = this.#chunkOf(first);
    const chunk = this.#chunks[index];
    if (!chunk) return;
    for (let at = firstAtOrAfter(chunk, first); at < chunk.length; at++) yield chunk[at]!;
    while (++index < this.#chunks.length) yield* this.#chunks[index]!;
  }

  /** The first chunk that does not end before `key`; behind the last if there is none. */
  #chunkOf(key: string): number {
    return partition(this.#chunks.length, (index) => compareKeys(this.#chunks[index]!.at(-1)!, key) < 0);
  }
}

function firstAtOrAfter(chunk: readonly string[], key: string): number {
  return partition(chunk.length, (index) => compareKeys(chunk[index]!, key) < 0);
}

/** The first of `length` indices for which `isBefore` is false, given that it is true up to some index and false from there on. */
function partition(length: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
