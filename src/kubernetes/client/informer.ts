/**
 * A local copy of the objects of one resource, kept true by list and watch: what controllers, kubelets and proxies read. Objects are frozen by convention.
 */
import type { KubernetesObject, ResourceType } from '../object.ts';
import type { Selection } from './client.ts';

export interface Informer<T extends KubernetesObject> {
  /** By `keyOf`. */
  get(key: string): T | undefined;
  list(namespace?: string): readonly T[];
  /** Objects whose index function gave `value`; throws for an index that was not asked for. */
  by(index: string, value: string): readonly T[];
  /** Resolves when the first list is in. */
  synced(): Promise<void>;
  /**
   * Calls `handler` for every object there is and for every change from then on, in order, after the copy was changed. `before` is undefined for a new
   * object, `now` for a deleted one. Returns the function that ends it.
   */
  onChange(handler: (change: { readonly now: T | undefined; readonly before: T | undefined }) => void): () => void;
}

/** Shared informers of one client: asking twice for the same resource and selection gives the same copy. Ends with its signal. */
export interface Informers {
  of<T extends KubernetesObject>(type: ResourceType<T>, options?: InformerOptions<T>): Informer<T>;
}

export interface InformerOptions<T> extends Selection {
  /** Named functions that give the values under which an object is found by `by`. */
  readonly indexes?: { readonly [name: string]: (object: T) => readonly string[] };
}
