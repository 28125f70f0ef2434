import type { Clock, Logger } from '#base';
import { watchCache, type CacheChange, type CachedEntry, type Store, type Versioned, type WatchCache } from '#store';
import { idIn, type ClusterScope } from './names.ts';
import type { TaskRecord } from './records.ts';
import { TASKS_PREFIX } from './state.ts';

export interface EcsCacheOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends what follows the store. */
  readonly signal: AbortSignal;
}

/**
 * Tasks by their group, in memory: services and placement ask for one group of many at every change of a task. What is read is the store as it is then, or later. The
 * cache is made when it is first asked.
 */
export class TaskGroups {
  readonly #options: EcsCacheOptions;
  readonly #groups = new Map<string, Map<string, CachedEntry<TaskRecord>>>();
  #opened: Promise<WatchCache<TaskRecord>> | undefined;

  constructor(options: EcsCacheOptions) {
    this.#options = options;
  }

  /** Every task of a group that is on record, the stopped ones too, by id. */
  async of(scope: ClusterScope, group: string): Promise<Versioned<TaskRecord>[]> {
    const { store, signal } = this.#options;
    const cache = await this.#cache();
    await cache.waitFor(await store.revision(), signal);
    return [...(this.#groups.get(groupKey(scope, group))?.values() ?? [])]
      .map(({ key, value, modRevision }) => ({ id: key.slice(TASKS_PREFIX.length), value, modRevision }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #cache(): Promise<WatchCache<TaskRecord>> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #open(): Promise<WatchCache<TaskRecord>> {
    const cache = await watchCache<TaskRecord>({ ...this.#options, prefix: TASKS_PREFIX });
    this.#groups.clear();
    for (const current of cache.list()) this.#note({ key: current.key, current, previous: undefined });
    cache.onChange((changes) => {
      for (const change of changes) this.#note(change);
    });
    return cache;
  }

  #note({ key, current, previous }: CacheChange<TaskRecord>): void {
    if (current) {
      const name = groupKey(current.value, current.value.group);
      const group = this.#groups.get(name);
      if (group) group.set(key, current);
      else this.#groups.set(name, new Map([[key, current]]));
    } else if (previous) {
      // The group of a task never changes.
      const name = groupKey(previous.value, previous.value.group);
      const group = this.#groups.get(name);
      group?.delete(key);
      if (!group?.size) this.#groups.delete(name);
    }
  }
}

function groupKey(scope: ClusterScope, group: string): string {
  return idIn(scope, group);
}
