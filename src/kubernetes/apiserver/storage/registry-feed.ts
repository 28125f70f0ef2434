import { type Clock, isDabbaError, type Logger, messageOf } from '#base';
import type { Store, WatchBatch, WatchEvent } from '#store';
import type { GroupVersionKind, KubernetesObject, ResourceType } from '../../object.ts';
import { StatusError } from '../../status.ts';
import { resourcePath } from './keys.ts';
import { ResourceCache } from './resource-cache.ts';
import { StoredCodec } from './stored-object.ts';

export interface RegistryFeedOptions {
  readonly store: Store;
  /** `kubernetes/<tenant>/<clusterId>/registry/`. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends it: caches keep what they have and follow no more. */
  readonly signal: AbortSignal;
}

/** Pause before a store that failed is asked again. */
const RETRY_MS = 500;

interface Started {
  readonly cache: ResourceCache;
  /** Events that came before the first list; undefined once it is in. */
  waiting: WatchEvent[] | undefined;
  readonly ready: Promise<void>;
}

interface Waiter {
  readonly revision: number;
  readonly wake: () => void;
}

/**
 * One watch of the store for all resources of a cluster. A resource is listed when it is first asked for and fed from then on, so that a cluster that nobody uses costs
 * nothing, and a change wakes one reader whatever the number of resources.
 */
export class RegistryFeed {
  readonly #options: RegistryFeedOptions;
  /** By `group/resource/`. */
  readonly #started = new Map<string, Started>();
  #waiters: Waiter[] = [];
  #revision = 0;

  constructor(options: RegistryFeedOptions) {
    this.#options = options;
  }

  /** Begins to follow; resolves when the feed knows where the store is. */
  async start(): Promise<void> {
    this.#revision = await this.#options.store.revision();
    void this.#follow();
  }

  /** The revision all caches are the state of. */
  get revision(): number {
    return this.#revision;
  }

  /** The cache of a resource, started by the first call. */
  async cache<T extends KubernetesObject>(
    type: Pick<ResourceType<T>, 'group' | 'resource'> & GroupVersionKind,
  ): Promise<ResourceCache<T>> {
    const path = resourcePath(type);
    let started = this.#started.get(path);
    if (!started) this.#started.set(path, (started = this.#startCache(path, type)));
    await started.ready;
    // The type parameter of a resource names what lies under its path.
    return started.cache as unknown as ResourceCache<T>;
  }

  /** How many objects each started resource has. */
  sizes(): readonly { readonly resource: string; readonly count: number }[] {
    return [...this.#started].map(([path, { cache }]) => ({ resource: path.slice(0, -1), count: cache.size }));
  }

  /** How many objects there are of a resource that somebody has read; 0 of others. */
  sizeOf(type: Pick<ResourceType, 'group' | 'resource'>): number {
    return this.#started.get(resourcePath(type))?.cache.size ?? 0;
  }

  /** From now on objects of the resource are stored in this version. */
  storeAs(type: Pick<ResourceType, 'group' | 'resource'> & GroupVersionKind): void {
    this.#started.get(resourcePath(type))?.cache.storeAs(type);
  }

  /** False for a cache that was let go of: nothing comes to it any more, and the resource has another if it is served again. */
  feeds(cache: ResourceCache, type: Pick<ResourceType, 'group' | 'resource'>): boolean {
    return this.#started.get(resourcePath(type))?.cache === cache;
  }

  /** Lets go of the cache of a resource that is no longer served. */
  drop(type: Pick<ResourceType, 'group' | 'resource'>): void {
    this.#started.delete(resourcePath(type));
  }

  /** Resolves when every cache has seen `revision`. Throws `Timeout` after `timeoutMs`, upstream's answer to a version of the future. */
  async waitFor(revision: number, timeoutMs = 3000): Promise<void> {
    if (this.#revision >= revision) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { revision, wake: resolve };
    this.#waiters.push(waiter);
    const timer = new AbortController();
    const late = this.#options.clock.sleep(timeoutMs, timer.signal).then(
      () => true,
      () => false,
    );
    const isLate = await Promise.race([promise.then(() => false), late]);
    timer.abort();
    if (!isLate) return;
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    throw new StatusError('Timeout', `Too large resource version: ${revision}, current: ${this.#revision}`, {
      details: {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      },
    });
  }

  /**
   * Lets the cache's changes begin at `revision`, if the store still has what came since and the cache has room for it: so a watch goes on from a revision that this process
   * never saw. Otherwise the cache stays as it is.
   */
  async recall<T extends KubernetesObject>(cache: ResourceCache<T>, revision: number): Promise<void> {
    for (let end = cache.changesBegin; revision < end && cache.room > 0; end = cache.changesBegin) {
      const events = await this.#history(cache, { revision, end });
      if (!events) return;
      if (cache.changesBegin === end) return cache.recall(events, revision);
      // Somebody has recalled a part of the same meanwhile, or new changes have pushed old ones out.
    }
  }

  /** Changes behind `revision` up to `end`; undefined when the store has forgotten them or there are too many. */
  async #history(
    { prefix, room }: Pick<ResourceCache, 'prefix' | 'room'>,
    { revision, end }: { readonly revision: number; readonly end: number },
  ): Promise<readonly WatchEvent[] | undefined> {
    const { store, signal } = this.#options;
    const found: WatchEvent[] = [];
    try {
      const batches = store.watch(prefix, { fromRevision: revision + 1, isProgressWanted: true, signal });
      for await (const batch of batches) {
        if (batch.revision <= end) found.push(...batch.events);
        if (found.length > room) return undefined;
        if (batch.revision >= end) return found;
      }
      return undefined;
    } catch (error) {
      if (isDabbaError(error, 'FailedPrecondition')) return undefined;
      throw error;
    }
  }

  #startCache(path: string, type: GroupVersionKind): Started {
    const prefix = this.#options.prefix + path;
    const cache = new ResourceCache(prefix, new StoredCodec(type));
    const started: Started = { cache, waiting: [], ready: Promise.resolve() };
    const load = async () => {
      const { entries, revision } = await this.#options.store.list(prefix);
      cache.load(entries, revision);
      for (const event of started.waiting!) if (revisionOf(event) > revision) cache.apply(event);
      started.waiting = undefined;
      // The list may be ahead of the feed; then the first reader waits until the feed is there too, so that versions never go back.
      await this.waitFor(revision);
    };
    const ready = load().catch((error: unknown) => {
      this.#started.delete(path);
      throw error;
    });
    return Object.assign(started, { ready });
  }

  async #follow(): Promise<void> {
    const { store, prefix, clock, logger, signal } = this.#options;
    while (!signal.aborted) {
      try {
        const batches = store.watch(prefix, { fromRevision: this.#revision + 1, isProgressWanted: true, signal });
        for await (const batch of batches) this.#take(batch);
        // The store was closed.
        return;
      } catch (error) {
        // The revision is gone (compacted): list again.
        if (isDabbaError(error, 'FailedPrecondition') && (await this.#reload())) continue;
        logger.warn('the registry of a cluster lost its store', { prefix, error: messageOf(error) });
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #reload(): Promise<boolean> {
    try {
      const revision = await this.#options.store.revision();
      for (const { cache } of this.#started.values()) {
        const listed = await this.#options.store.list(cache.prefix, { revision });
        cache.load(listed.entries, revision);
      }
      this.#reached(revision);
      return true;
    } catch (error) {
      if (isDabbaError(error)) return false;
      throw error;
    }
  }

  #take({ events, revision }: WatchBatch): void {
    const skip = this.#options.prefix.length;
    for (const event of events) {
      const key = event.kind === 'put' ? event.entry.key : event.key;
      const end = key.indexOf('/', key.indexOf('/', skip) + 1);
      const started = this.#started.get(key.slice(skip, end + 1));
      if (!started) continue;
      if (started.waiting) started.waiting.push(event);
      else started.cache.apply(event);
    }
    this.#reached(revision);
  }

  #reached(revision: number): void {
    this.#revision = revision;
    if (!this.#waiters.length) return;
    const due = this.#waiters.filter((waiter) => waiter.revision <= revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const { wake } of due) wake();
  }
}

function revisionOf(event: WatchEvent): number {
  return event.kind === 'put' ? event.entry.modRevision : event.revision;
}
