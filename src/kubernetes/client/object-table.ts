import { type KubernetesObject, keyOf } from '../object.ts';
import type { Informer, InformerOptions } from './informer.ts';

type Change<T> = { readonly now: T | undefined; readonly before: T | undefined };
type Handler<T> = (change: Change<T>) => void;

/** Objects by key, by namespace and by the indexes that were asked for: what every informer is, however it learns of changes. */
export class ObjectTable<T extends KubernetesObject> implements Pick<Informer<T>, 'get' | 'list' | 'by' | 'onChange'> {
  readonly #objects = new Map<string, T>();
  readonly #namespaces = new Index();
  readonly #indexes: ReadonlyMap<
    string,
    { readonly valuesOf: (object: T) => readonly string[]; readonly index: Index }
  >;
  readonly #handlers = new Set<Handler<T>>();

  constructor(indexes: NonNullable<InformerOptions<T>['indexes']> = {}) {
    this.#indexes = new Map(
      Object.entries(indexes).map(([name, valuesOf]) => [name, { valuesOf, index: new Index() }]),
    );
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined ? [...this.#objects.values()] : this.#at(this.#namespaces.keys(namespace));
  }

  by(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index);
    if (!found) throw new Error(`no index ${index} was asked for`);
    return this.#at(found.index.keys(value));
  }

  onChange(handler: Handler<T>): () => void {
    for (const now of Array.from(this.#objects.values())) handler({ now, before: undefined });
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  put(now: T): void {
    const key = keyOf(now);
    const before = this.#objects.get(key);
    if (before === now) return;
    this.#objects.set(key, now);
    this.#reindex(key, now, before);
  }

  remove(key: string): void {
    const before = this.#objects.get(key);
    if (!before) return;
    this.#objects.delete(key);
    this.#reindex(key, undefined, before);
  }

  /** Makes the table what a list says, telling the difference: what went, what changed, what came. Who counts room hears so who left it before who takes it. */
  replace(objects: readonly T[]): void {
    const listed = new Set(objects.map(keyOf));
    for (const key of Array.from(this.#objects.keys())) if (!listed.has(key)) this.remove(key);
    const had = new Set(this.#objects.keys());
    const isKnown = (object: T) => had.has(keyOf(object));
    for (const now of [...objects.filter(isKnown), ...objects.filter((object) => !isKnown(object))]) {
      const before = this.#objects.get(keyOf(now));
      if (
        before?.metadata?.resourceVersion !== now.metadata?.resourceVersion ||
        before?.metadata?.uid !== now.metadata?.uid
      )
        this.put(now);
    }
  }

  #at(keys: Iterable<string>): T[] {
    return Array.from(keys, (key) => this.#objects.get(key)!);
  }

  #reindex(key: string, now: T | undefined, before: T | undefined): void {
    this.#namespaces.move(key, { from: namespaces(before), to: namespaces(now) });
    for (const { valuesOf, index } of this.#indexes.values())
      index.move(key, { from: before ? valuesOf(before) : [], to: now ? valuesOf(now) : [] });
    for (const handler of this.#handlers) handler({ now, before });
  }
}

function namespaces(object: KubernetesObject | undefined): readonly string[] {
  const namespace = object?.metadata?.namespace;
  return namespace === undefined ? [] : [namespace];
}

/** Values, and the keys of the objects that have them. */
class Index {
  readonly #keys = new Map<string, Set<string>>();

  keys(value: string): Iterable<string> {
    return this.#keys.get(value) ?? [];
  }

  move(key: string, { from, to }: { readonly from: readonly string[]; readonly to: readonly string[] }): void {
    for (const value of from) {
      const keys = this.#keys.get(value);
      keys?.delete(key);
      if (!keys?.size) this.#keys.delete(value);
    }
    for (const value of to) {
      const keys = this.#keys.get(value);
      if (keys) keys.add(key);
      else this.#keys.set(value, new Set([key]));
    }
  }
}
