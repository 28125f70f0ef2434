import { type Clock, type Logger, messageOf, type Random } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { KubernetesObject, ResourceType } from '../object.ts';
import { isStatusError } from '../status.ts';

const [firstPauseMs, longestPauseMs] = [200, 10_000] as const;

export interface WatchedObjectsOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Pods that use an object which changed. */
  readonly onChange: (podUids: readonly string[]) => void;
}

interface Entry {
  readonly users: Set<string>;
  readonly ending: AbortController;
  object: KubernetesObject | undefined;
  /** Settles with the first answer. */
  first: PromiseWithResolvers<void>;
}

/**
 * ConfigMaps and Secrets that pods of this node name, each watched by itself: a node may read no others (Node authorisation). An object is watched from its first `get` until
 * the last pod that asked for it is released.
 */
export class WatchedObjects {
  readonly #options: WatchedObjectsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: WatchedObjectsOptions) {
    this.#options = options;
  }

  /** The object as it is now, or undefined when there is none. Throws `StatusError` when the server does not say. */
  async get<T extends KubernetesObject>(
    type: ResourceType<T>,
    name: { readonly namespace: string; readonly name: string },
    podUid: string,
  ): Promise<T | undefined> {
    const key = `${type.resource}/${name.namespace}/${name.name}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { users: new Set(), ending: new AbortController(), object: undefined, first: Promise.withResolvers() };
      this.#entries.set(key, entry);
      void this.#follow(type, name, entry);
    }
    entry.users.add(podUid);
    await entry.first.promise;
    return entry.object as T | undefined; // only objects of this type are put under its key
  }

  /** The pod uses nothing any more. */
  release(podUid: string): void {
    for (const [key, entry] of this.#entries) {
      if (!entry.users.delete(podUid) || entry.users.size > 0) continue;
      this.#entries.delete(key);
      entry.ending.abort();
    }
  }

  async #follow<T extends KubernetesObject>(
    type: ResourceType<T>,
    { namespace, name }: { readonly namespace: string; readonly name: string },
    entry: Entry,
  ): Promise<void> {
    const { client, clock, random, logger } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, entry.ending.signal]);
    const selection = { namespace, fieldSelector: `metadata.name=${name}` };
    for (let failures = 0; !signal.aborted;) {
      try {
        const { items, resourceVersion } = await client.list(type, { ...selection, signal });
        this.#set(entry, items[0]);
        failures = 0;
        for await (const event of client.watch(type, { ...selection, resourceVersion, signal }))
          if (event.type !== 'BOOKMARK') this.#set(entry, event.type === 'DELETED' ? undefined : event.object);
      } catch (error) {
        if (signal.aborted) break;
        this.#fail(entry, error);
        if (isStatusError(error, 'Expired', 'Gone')) continue;
        logger.warn('a watch was interrupted', { resource: type.resource, object: name, error: messageOf(error) });
        const pauseMs = Math.min(firstPauseMs * 2 ** failures++, longestPauseMs);
        await clock.sleep(pauseMs * (0.5 + random.fraction() / 2), signal).catch(() => undefined);
      }
    }
    this.#fail(entry, new Error('the kubelet is stopping'));
  }

  #set(entry: Entry, object: KubernetesObject | undefined): void {
    const isNew = entry.object?.metadata?.resourceVersion !== object?.metadata?.resourceVersion;
    entry.object = object;
    entry.first.resolve();
    if (isNew) this.#options.onChange([...entry.users]);
  }

  /** Tells those who wait for the first answer; later ones wait anew. */
  #fail(entry: Entry, error: unknown): void {
    const { first } = entry;
    void first.promise.catch(() => undefined);
    const isAnswered = entry.object !== undefined;
    first.reject(error);
    // Those that come while the server is away wait for it to come back, unless there is an answer already.
    if (!isAnswered) entry.first = Promise.withResolvers();
  }
}
