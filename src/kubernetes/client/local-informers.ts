/** Informers inside the API server's process: tables over its own caches, so that a change is in them before the write that made it is answered. */
import { messageOf, type Logger } from '#base';
import { objectIn } from '../apiserver/operations/read.ts';
import { selectionOf } from '../apiserver/operations/selection.ts';
import type { ApiParts } from '../apiserver/parts.ts';
import { type KubernetesObject, keyOf, qualifiedResource, type ResourceType } from '../object.ts';
import type { Informer, InformerOptions, Informers } from './informer.ts';
import { ObjectTable } from './object-table.ts';

export interface LocalInformerParts {
  readonly feed: ApiParts['feed'];
  readonly catalog: ApiParts['catalog'];
  readonly logger: Logger;
}

export function localInformers(parts: LocalInformerParts): Informers {
  const shared = new Map<string, LocalInformer<KubernetesObject>>();
  return {
    of<T extends KubernetesObject>(type: ResourceType<T>, options: InformerOptions<T> = {}): Informer<T> {
      const { indexes, ...selection } = options;
      if (indexes) return new LocalInformer(parts, type, options);
      const key = `${qualifiedResource(type)} ${type.version} ${JSON.stringify(selection)}`;
      const found = shared.get(key);
      // A custom resource may go, and come again with another cache.
      const informer = found?.isFed ? found : new LocalInformer<KubernetesObject>(parts, type, selection);
      shared.set(key, informer);
      // The key names the resource type, which carries the type of its objects.
      return informer as unknown as Informer<T>;
    },
  };
}

class LocalInformer<T extends KubernetesObject> extends ObjectTable<T> implements Informer<T> {
  readonly #ready: Promise<void>;
  /** True for as long as changes come, or may yet. */
  #isFed: () => boolean = () => true;

  constructor(parts: LocalInformerParts, type: ResourceType<T>, options: InformerOptions<T>) {
    super(options.indexes);
    this.#ready = this.#start(parts, type, options);
    this.#ready.catch((error: unknown) => {
      this.#isFed = () => false;
      parts.logger.error('a copy of a resource cannot be made', {
        resource: qualifiedResource(type),
        error: messageOf(error),
      });
    });
  }

  get isFed(): boolean {
    return this.#isFed();
  }

  synced(): Promise<void> {
    return this.#ready;
  }

  async #start(
    { feed, catalog }: LocalInformerParts,
    type: ResourceType<T>,
    options: InformerOptions<T>,
  ): Promise<void> {
    const served = catalog.of(type);
    if (!served) throw new Error(`the resource ${qualifiedResource(type)} is not served`);
    const { begin, test } = selectionOf(served.resource, options);
    const cache = await feed.cache(served.resource.type);
    this.#isFed = () => feed.feeds(cache, type);
    // Copies are made at once, and cannot wait for a webhook: they hold objects as they are stored.
    const show = (stored: Parameters<typeof objectIn>[1]) =>
      (served.version.conversion ? stored.object : objectIn(served.version, stored)) as T;
    cache.onChange(({ now, before, shown }) => {
      if (!shown.path.startsWith(begin)) return;
      if (now && (!test || test(now))) this.put(show(now));
      else if (before) this.remove(keyOf(before.object));
    });
    for (const stored of cache.range(begin)) if (!test || test(stored)) this.put(show(stored));
  }
}
