import type { KeyValue } from '../store.ts';

/** A key in the watch cache: the stored bytes, and one frozen object made from them when it is first asked for. */
export class CachedEntry<T> {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  #value: T | undefined;

  constructor(entry: KeyValue) {
    this.key = entry.key;
    this.bytes = entry.value;
    this.createRevision = entry.createRevision;
    this.modRevision = entry.modRevision;
  }

  /** Deeply frozen, and the same object every time. */
  get value(): T {
    // What lies under the prefix is JSON of type `T`: whoever makes the cache says so, as for a collection.
    return (this.#value ??= freeze(JSON.parse(Buffer.from(this.bytes).toString()) as T));
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const member of Object.values(Object.freeze(value))) freeze(member);
  return value;
}
