import type { Informer, Informers } from '../client/informer.ts';
import type { ServedResources } from '../client/served-resources.ts';
import { type KubernetesObject, parseApiVersion, qualifiedResource, type ResourceType } from '../object.ts';
import type { Change } from './controller.ts';

type Handler = (type: ResourceType, change: Change<KubernetesObject>) => void;

export interface ResourceCopy {
  readonly type: ResourceType;
  readonly informer: Informer<KubernetesObject>;
}

/** Copies of everything a cluster holds, following the coming and going of custom resources: for the garbage collector and for emptying namespaces. */
export class ResourceCopies {
  readonly #informers: Informers;
  readonly #served: ServedResources;
  readonly #copies = new Map<string, ResourceCopy & { readonly stop: () => void }>();
  readonly #handlers = new Set<Handler>();
  readonly #onTypes = new Set<() => void>();

  constructor({ informers, resources }: { readonly informers: Informers; readonly resources: ServedResources }) {
    this.#informers = informers;
    this.#served = resources;
    this.#follow();
    resources.onChange(() => {
      this.#follow();
      for (const listener of this.#onTypes) listener();
    });
  }

  get all(): Iterable<ResourceCopy> {
    return this.#copies.values();
  }

  async synced(): Promise<void> {
    await Promise.all([...this.#copies.values()].map(({ informer }) => informer.synced()));
  }

  /** The copy of a kind, by what references name: the group counts, the version does not. */
  ofKind(apiVersion: string, kind: string): ResourceCopy | undefined {
    const { group } = parseApiVersion(apiVersion);
    return [...this.#copies.values()].find(({ type }) => type.group === group && type.kind === kind);
  }

  /** Tells of every object there is and of every change. */
  onChange(handler: Handler): () => void {
    for (const { type, informer } of this.#copies.values())
      for (const now of informer.list()) handler(type, { now, before: undefined });
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Tells that kinds came or went. */
  onTypes(listener: () => void): () => void {
    this.#onTypes.add(listener);
    return () => this.#onTypes.delete(listener);
  }

  #follow(): void {
    const types = new Map(this.#served.all().map((type) => [qualifiedResource(type), type] as const));
    for (const [name, { type, informer, stop }] of this.#copies) {
      if (types.has(name)) continue;
      this.#copies.delete(name);
      stop();
      // Its objects are gone with it.
      for (const before of informer.list())
        for (const handler of this.#handlers) handler(type, { now: undefined, before });
    }
    for (const [name, type] of types) {
      if (this.#copies.has(name)) continue;
      const informer = this.#informers.of(type);
      const stop = informer.onChange((change) => {
        for (const handler of this.#handlers) handler(type, change);
      });
      this.#copies.set(name, { type, informer, stop });
    }
  }
}
