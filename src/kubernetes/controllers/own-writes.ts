import type { Clock } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { type KubernetesObject, keyOf, type ObjectName, type ResourceType } from '../object.ts';
import type { Copy } from './controller.ts';

/** A copy that has not caught up after this long never will, e.g. because the object left its selection. */
const PATIENCE_MS = 10_000;

/** Holds of a copy once it shows one write. */
type Awaited = (copy: TrackedCopy) => boolean;

interface Write {
  readonly copy: TrackedCopy;
  readonly isSeen: Awaited;
}

/**
 * Remembers what the steps of each key wrote until the copies that the next step will read show it. Versions order the changes of one resource, so a copy that has
 * shown a version has shown every write up to it.
 */
export class OwnWrites {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #copies: readonly TrackedCopy[];
  readonly #pending = new Map<string, Write[]>();

  constructor({
    client,
    copies,
    clock,
  }: {
    readonly client: ApiClient;
    readonly copies: readonly Copy[];
    readonly clock: Clock;
  }) {
    this.#client = client;
    this.#clock = clock;
    this.#copies = copies.map(([type, informer]) => new TrackedCopy(type, informer));
  }

  /** Resolves when the copies show everything that was written for the key. */
  async seen(key: string, signal: AbortSignal): Promise<void> {
    const writes = this.#pending.get(key)?.filter(({ copy, isSeen }) => !isSeen(copy));
    this.#pending.delete(key);
    if (!writes?.length) return;
    // A timer, because nothing announces that a copy will not show an object.
    const patience = new AbortController();
    const stop = AbortSignal.any([signal, patience.signal]);
    this.#clock.sleep(PATIENCE_MS, stop).then(
      () => patience.abort(),
      () => undefined,
    );
    await Promise.all(writes.map(({ copy, isSeen }) => copy.until(() => isSeen(copy), stop)));
    patience.abort();
  }

  /** The client whose writes count as the key's. */
  clientFor(key: string): ApiClient {
    const client = this.#client;
    const wrote = <T extends KubernetesObject>(type: ResourceType, object: T): T => {
      const { resourceVersion, deletionTimestamp } = object.metadata ?? {};
      const version = Number(resourceVersion);
      this.#await(key, type, ({ informer, version: shown }) => {
        const seen = informer.get(keyOf(object));
        // The write may have taken away the last finalizer, and the object with it.
        return shown >= version || isAt(seen, version) || (deletionTimestamp !== undefined && !seen);
      });
      return object;
    };
    return {
      get: (type, name, options) => client.get(type, name, options),
      list: (type, options) => client.list(type, options),
      watch: (type, options) => client.watch(type, options),
      create: async (type, object, options) => wrote(type, await client.create(type, object, options)),
      update: async (type, object, options) => wrote(type, await client.update(type, object, options)),
      patch: async (type, name, patch, options) => wrote(type, await client.patch(type, name, patch, options)),
      delete: async (type, name, options) => {
        const uid = this.#copyOf(type)?.informer.get(keyOfName(name))?.metadata?.uid;
        await client.delete(type, name, options);
        this.#await(key, type, ({ informer }) => isLeaving(informer.get(keyOfName(name)), uid));
      },
      post: (type, name, subresource, body, options) => client.post(type, name, subresource, body, options),
    };
  }

  [Symbol.dispose](): void {
    for (const copy of this.#copies) copy[Symbol.dispose]();
  }

  #copyOf({ group, resource }: ResourceType): TrackedCopy | undefined {
    return this.#copies.find(({ type }) => type.group === group && type.resource === resource);
  }

  #await(key: string, type: ResourceType, isSeen: Awaited): void {
    const copy = this.#copyOf(type);
    if (!copy || isSeen(copy)) return;
    const writes = this.#pending.get(key);
    if (writes) writes.push({ copy, isSeen });
    else this.#pending.set(key, [{ copy, isSeen }]);
  }
}

/** An informer, and the latest version it has shown. */
class TrackedCopy {
  readonly type: ResourceType;
  readonly informer: Informer<KubernetesObject>;
  version = 0;
  readonly #waiting = new Set<() => void>();
  readonly #stop: () => void;

  constructor(type: ResourceType, informer: Informer<KubernetesObject>) {
    this.type = type;
    this.informer = informer;
    this.#stop = informer.onChange(({ now, before }) => {
      this.version = Math.max(this.version, Number((now ?? before)?.metadata?.resourceVersion ?? 0));
      for (const check of this.#waiting) check();
    });
  }

  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        this.#waiting.delete(check);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const check = () => condition() && finish();
      this.#waiting.add(check);
      signal.addEventListener('abort', finish, { once: true });
      if (signal.aborted) finish();
      else check();
    });
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

function isAt(object: KubernetesObject | undefined, version: number): boolean {
  return Number(object?.metadata?.resourceVersion) >= version;
}

function isLeaving(object: KubernetesObject | undefined, uid: string | undefined): boolean {
  return !object || object.metadata?.uid !== uid || object.metadata?.deletionTimestamp !== undefined;
}

function keyOfName({ namespace, name }: ObjectName): string {
  return namespace ? `${namespace}/${name}` : name;
}
