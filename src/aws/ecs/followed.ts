import type { Clock, Logger } from '#base';
import { watchCache, type CacheChange, type Store, type WatchCache } from '#store';

export interface EcsCacheOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends what follows the store. */
  readonly signal: AbortSignal;
}

/** What is derived from the records under a prefix. */
export interface Derived<T> {
  readonly prefix: string;
  /** Forgets everything. */
  clear(): void;
  /** Learns of a record that came, changed or went. Must not throw. */
  note(change: CacheChange<T>): void;
}

/**
 * Keeps what is derived from records up to date. Each call of what it gives resolves when that is of the store as it was then, or later. The records are read when it is
 * first called.
 */
export function followed<T>(options: EcsCacheOptions, derived: Derived<T>): () => Promise<void> {
  const { store, signal } = options;
  let opened: Promise<WatchCache<T>> | undefined;

  async function open(): Promise<WatchCache<T>> {
    const cache = await watchCache<T>({ ...options, prefix: derived.prefix });
    derived.clear();
    for (const current of cache.list()) derived.note({ key: current.key, current, previous: undefined });
    cache.onChange((changes) => {
      for (const change of changes) derived.note(change);
    });
    return cache;
  }

  return async () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    const cache = await opened;
    await cache.waitFor(await store.revision(), signal);
  };
}
