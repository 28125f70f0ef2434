import { type Clock, isDabbaError, type Logger, messageOf, silentLogger } from '#base';
import { compareKeys, prefixEnd } from '../keys.ts';
import type { KeyValue, Store, WatchBatch } from '../store.ts';
import { CachedEntry } from './entry.ts';
import { RevisionWaiters } from './revision-waiters.ts';

export interface WatchCacheOptions {
  readonly store: Store;
  readonly prefix: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Ends the cache: it keeps what it has and follows no more. */
  readonly signal: AbortSignal;
}

/** One key's change, as the cache has applied it. */
export interface CacheChange<T> {
  readonly key: string;
  readonly current: CachedEntry<T> | undefined;
  readonly previous: CachedEntry<T> | undefined;
}

/** Pause before a store that failed is asked again. */
const RETRY_MS = 500;

/**
 * Everything under one prefix in memory, as JSON of type `T`: listed once, then followed by a watch. Reads are synchronous and a little
 * behind the store; who must see his own write waits for its revision. Resolves when the first list is in.
 */
export async function watchCache<T>(options: WatchCacheOptions): Promise<WatchCache<T>> {
  const cache = new WatchCache<T>(options);
  await cache.load();
  void cache.follow();
  return cache;
}

/** See `watchCache`. */
export class WatchCache<T> {
  readonly #options: WatchCacheOptions;
  readonly #entries = new Map<string, CachedEntry<T>>();
  readonly #listeners = new Set<(changes: readonly CacheChange<T>[]) => void>();
  readonly #waiters = new RevisionWaiters();
  /** The keys in order; made when somebody lists, dropped when a key comes or goes. */
  #sorted: string[] | undefined;
  #revision = 0;

  constructor(options: WatchCacheOptions) {
    this.#options = options;
  }

  /** The revision that the cache is the state of. */
  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** By full key. */
  get(key: string): CachedEntry<T> | undefined {
    return this.#entries.get(key);
  }

  /** What lies under `prefix` (a full key's beginning), in key order. */
  list(prefix: string = this.#options.prefix): CachedEntry<T>[] {
    this.#sorted ??= Array.from(this.#entries.keys()).sort(compareKeys);
    const end = prefixEnd(prefix);
    const keys = this.#sorted.slice(
      this.#firstAtOrAfter(prefix),
      end === undefined ? undefined : this.#firstAtOrAfter(end),
    );
    return keys.map((key) => this.#entries.get(key)!);
  }

  /** Resolves when the cache has seen `revision`; rejects with the signal's reason. */
  async waitFor(revision: number, signal: AbortSignal): Promise<void> {
    if (this.#revision < revision) await this.#waiters.wait(revision, signal);
  }

  /** Calls `listener` after every change until the returned function is called. It must not throw. */
  onChange(listener: (changes: readonly CacheChange<T>[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes the cache what the store is now. Called by `watchCache`. */
  async load(): Promise<void> {
    const { entries, revision } = await this.#options.store.list(this.#options.prefix);
    const listed = new Set(entries.map(({ key }) => key));
    const gone = Array.from(this.#entries.keys()).filter((key) => !listed.has(key));
    const changed = entries.filter(({ key, modRevision }) => this.#entries.get(key)?.modRevision !== modRevision);
    this.#apply([...gone.map((key) => this.#remove(key)), ...changed.map((entry) => this.#put(entry))], revision);
  }

  /** Follows the store until the signal. Called by `watchCache`. */
  async follow(): Promise<void> {
    const { store, prefix, clock, signal, logger = silentLogger } = this.#options;
    while (!signal.aborted) {
      try {
        const batches = store.watch(prefix, { fromRevision: this.#revision + 1, isProgressWanted: true, signal });
        for await (const batch of batches) this.#take(batch);
        // The store was closed.
        return;
      } catch (error) {
        // The revision is gone (compacted), or never was here (a store restored from a copy): list again.
        if (isDabbaError(error, 'FailedPrecondition') && (await this.#reload())) continue;
        logger.warn('a watch cache lost its store', { prefix, error: messageOf(error) });
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #reload(): Promise<boolean> {
    try {
      await this.load();
      return true;
    } catch (error) {
      if (isDabbaError(error)) return false;
      throw error;
    }
  }

  #take({ events, revision }: WatchBatch): void {
    const changes = events.map((event) => (event.kind === 'put' ? this.#put(event.entry) : this.#remove(event.key)));
    this.#apply(changes, revision);
  }

  #apply(changes: readonly CacheChange<T>[], revision: number): void {
    this.#revision = revision;
    if (changes.length) for (const listener of this.#listeners) listener(changes);
    this.#waiters.reached(revision);
  }

  #put(entry: KeyValue): CacheChange<T> {
    const previous = this.#entries.get(entry.key);
    const current = new CachedEntry<T>(entry);
    this.#entries.set(entry.key, current);
    if (!previous) this.#sorted = undefined;
    return { key: entry.key, current, previous };
  }

  #remove(key: string): CacheChange<T> {
    const previous = this.#entries.get(key);
    this.#entries.delete(key);
    this.#sorted = undefined;
    return { key, current: undefined, previous };
  }

  #firstAtOrAfter(key: string): number {
    let low = 0;
    let high = this.#sorted!.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#sorted![middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
