import { DabbaError } from '#base';
import type { Compare, KeyValue, Operation, Store, WatchBatch, WatchOptions } from './store.ts';

/** A record with the revision it was read at; writing it back compares on that. */
export interface Versioned<T> {
  /** The key below the collection's prefix. */
  readonly id: string;
  readonly value: T;
  readonly modRevision: number;
}

/** How often `update` reads again after losing a race before it gives up. */
const UPDATE_ATTEMPTS = 32;

/**
 * JSON records of one type under one prefix: the typed face of the store that every room uses. What it returns is frozen by
 * convention: never mutate a record, write a new one.
 *
 * Single-record writes are methods; a transaction over several records joins the `Operation`s and `Compare`s of several collections.
 */
export class Collection<T> {
  readonly prefix: string;
  readonly #store: Store;

  /** `prefix` ends in `/`, for example `ecs/clusters/`. */
  constructor(store: Store, prefix: string) {
    if (!prefix.endsWith('/')) throw new Error(`a collection's prefix ends in "/", not "${prefix}"`);
    this.#store = store;
    this.prefix = prefix;
  }

  key(id: string): string {
    return this.prefix + id;
  }

  /** The record, or undefined. */
  async get(id: string): Promise<Versioned<T> | undefined> {
    const entry = await this.#store.get(this.key(id));
    return entry && this.read(entry);
  }

  /** Every record whose id starts with `idPrefix`, in id order. */
  async list(idPrefix = ''): Promise<Versioned<T>[]> {
    const { entries } = await this.#store.list(this.prefix + idPrefix);
    return entries.map((entry) => this.read(entry));
  }

  /** Writes a record that must not exist yet. Throws `AlreadyExists`. */
  async create(id: string, value: T): Promise<Versioned<T>> {
    const { succeeded, revision } = await this.#store.txn({
      compare: [this.ifAbsent(id)],
      success: [this.put(id, value)],
    });
    if (!succeeded) throw new DabbaError('AlreadyExists', `${this.key(id)} exists already`);
    return { id, value, modRevision: revision };
  }

  /** Writes back a record that nobody changed since it was read. Throws `Conflict` otherwise. */
  async replace(seen: Versioned<T>, value: T): Promise<Versioned<T>> {
    const { succeeded, revision } = await this.#store.txn({
      compare: [this.ifUnchanged(seen)],
      success: [this.put(seen.id, value)],
    });
    if (!succeeded) throw new DabbaError('Conflict', `${this.key(seen.id)} was changed meanwhile`);
    return { id: seen.id, value, modRevision: revision };
  }

  /**
   * Reads, lets `change` make the new value, writes it back, and starts again when somebody else was faster. `change` may run several
   * times; returning undefined, or the value it was given, leaves the record alone. Throws `NotFound` when there is no such record.
   */
  async update(id: string, change: (value: T) => T | undefined): Promise<Versioned<T>> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const seen = await this.get(id);
      if (!seen) throw new DabbaError('NotFound', `${this.key(id)} does not exist`);
      const next = change(seen.value);
      if (next === undefined || next === seen.value) return seen;
      const { succeeded, revision } = await this.#store.txn({
        compare: [this.ifUnchanged(seen)],
        success: [this.put(id, next)],
      });
      if (succeeded) return { id, value: next, modRevision: revision };
    }
    throw new DabbaError('Conflict', `${this.key(id)} changes faster than it can be updated`);
  }

  /** Deletes the record; deleting an absent one succeeds. */
  async delete(id: string): Promise<void> {
    await this.#store.txn({ success: [this.remove(id)] });
  }

  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    return this.#store.watch(this.prefix, options);
  }

  /** Parts of a transaction. */
  put(id: string, value: T): Operation {
    return { kind: 'put', key: this.key(id), value: Buffer.from(JSON.stringify(value)) };
  }

  remove(id: string): Operation {
    return { kind: 'delete', key: this.key(id) };
  }

  ifAbsent(id: string): Compare {
    return { key: this.key(id), field: 'version', is: '=', value: 0 };
  }

  ifPresent(id: string): Compare {
    return { key: this.key(id), field: 'version', is: '>', value: 0 };
  }

  ifUnchanged(seen: Versioned<T>): Compare {
    return { key: this.key(seen.id), field: 'modRevision', is: '=', value: seen.modRevision };
  }

  /** Reads an entry of this collection, as a watch or a list of the store gave it. */
  read(entry: KeyValue): Versioned<T> {
    // The value was written by `put` of the same collection; there is no other writer below this prefix.
    const value = JSON.parse(
      Buffer.from(entry.value.buffer, entry.value.byteOffset, entry.value.length).toString('utf8'),
    ) as T;
    return { id: entry.key.slice(this.prefix.length), value, modRevision: entry.modRevision };
  }
}
