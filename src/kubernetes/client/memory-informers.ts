import { type KubernetesObject, keyOf, type ResourceType } from '../object.ts';
import type { Informer, InformerOptions, Informers } from './informer.ts';
import type { MemoryChange, MemoryClient } from './memory-client.ts';
import { matcherOf } from './memory-selection.ts';

type Handler<T> = Parameters<Informer<T & KubernetesObject>['onChange']>[0];

/** Informers that read a memory client's own tables: a change is there when the call that made it returns. Held back on demand, to show what a lagging copy does. */
export class MemoryInformers implements Informers {
  readonly #client: MemoryClient;
  readonly #held: (() => void)[] = [];
  #isHeld = false;

  constructor(client: MemoryClient) {
    this.#client = client;
  }

  of<T extends KubernetesObject>(type: ResourceType<T>, options: InformerOptions<T> = {}): Informer<T> {
    return new MemoryInformer<T>(this.#client, type, options, (deliver) => {
      if (this.#isHeld) this.#held.push(deliver);
      else deliver();
    });
  }

  /** From now on copies fall behind, until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const deliver of this.#held.splice(0)) deliver();
  }
}

class MemoryInformer<T extends KubernetesObject> implements Informer<T> {
  readonly #objects = new Map<string, T>();
  readonly #handlers = new Set<Handler<T>>();
  readonly #indexes: NonNullable<InformerOptions<T>['indexes']>;

  constructor(
    client: MemoryClient,
    type: ResourceType<T>,
    { indexes = {}, ...selection }: InformerOptions<T>,
    deliver: (change: () => void) => void,
  ) {
    const matches = matcherOf(selection);
    this.#indexes = indexes;
    for (const object of client.all(type)) if (matches(object)) this.#objects.set(keyOf(object), object);
    client.listen(type, (change) => deliver(() => this.#take(change, matches)));
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata?.namespace === namespace);
  }

  by(index: string, value: string): readonly T[] {
    const valuesOf = this.#indexes[index];
    if (!valuesOf) throw new Error(`no index ${index} was asked for`);
    return this.list().filter((object) => valuesOf(object).includes(value));
  }

  async synced(): Promise<void> {}

  onChange(handler: Handler<T>): () => void {
    for (const now of this.#objects.values()) handler({ now, before: undefined });
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  #take(change: MemoryChange, matches: (object: KubernetesObject) => boolean): void {
    const key = keyOf((change.now ?? change.before)!);
    const before = this.#objects.get(key);
    const now = change.now && matches(change.now) ? (change.now as T) : undefined;
    if (now) this.#objects.set(key, now);
    else this.#objects.delete(key);
    if (now ?? before) for (const handler of this.#handlers) handler({ now, before });
  }
}
