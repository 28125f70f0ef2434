/** Informers over any `ApiClient`: a list, then a watch from there, resumed where it ended and listed anew when that is too long ago. */
import { type Clock, type Logger, messageOf, type Random } from '#base';
import { type KubernetesObject, keyOf, qualifiedResource, type ResourceType } from '../object.ts';
import { isStatusError } from '../status.ts';
import type { ApiClient } from './client.ts';
import type { Informer, InformerOptions, Informers } from './informer.ts';
import { ObjectTable } from './object-table.ts';

/** Objects asked for at once. */
const PAGE = 500;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;

export interface InformerParts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ends all of them. */
  readonly signal: AbortSignal;
}

/** Shared by resource and selection; indexes that a later asker wants of the same copy need a copy of their own. */
export function informersOf(parts: InformerParts): Informers {
  const shared = new Map<
    string,
    { readonly informer: Informer<KubernetesObject>; readonly indexes: InformerOptions<KubernetesObject>['indexes'] }
  >();
  return {
    of<T extends KubernetesObject>(type: ResourceType<T>, options: InformerOptions<T> = {}): Informer<T> {
      const { indexes, ...selection } = options;
      const key = `${qualifiedResource(type)} ${type.version} ${JSON.stringify(selection)}`;
      const found = shared.get(key);
      // The key names the resource type, which carries the type of its objects.
      if (found && (!indexes || found.indexes === indexes)) return found.informer as unknown as Informer<T>;
      const informer = new FollowingInformer<T>(parts, type, options);
      if (!found) shared.set(key, { informer: informer, indexes: indexes as never });
      return informer;
    },
  };
}

class FollowingInformer<T extends KubernetesObject> extends ObjectTable<T> implements Informer<T> {
  readonly #parts: InformerParts;
  readonly #type: ResourceType<T>;
  readonly #selection: Omit<InformerOptions<T>, 'indexes'>;
  readonly #synced = Promise.withResolvers<void>();

  constructor(parts: InformerParts, type: ResourceType<T>, { indexes, ...selection }: InformerOptions<T>) {
    super(indexes);
    this.#parts = parts;
    this.#type = type;
    this.#selection = selection;
    void this.#follow();
  }

  synced(): Promise<void> {
    return this.#synced.promise;
  }

  async #follow(): Promise<void> {
    const { clock, random, logger, signal } = this.#parts;
    let version: string | undefined;
    let failures = 0;
    while (!signal.aborted) {
      try {
        version ??= await this.#load();
        for await (const event of this.#parts.client.watch(this.#type, {
          ...this.#selection,
          resourceVersion: version,
          signal,
        })) {
          failures = 0;
          version = event.object.metadata?.resourceVersion ?? version;
          if (event.type === 'DELETED') this.remove(keyOf(event.object));
          else if (event.type !== 'BOOKMARK') this.put(event.object);
        }
      } catch (error) {
        if (signal.aborted) return;
        // What was missed cannot be told any more, or never will be.
        if (isStatusError(error, 'Expired', 'Gone', 'Timeout')) version = undefined;
        else
          logger.warn('a copy of a resource lost its server', {
            resource: qualifiedResource(this.#type),
            error: messageOf(error),
          });
        failures += 1;
      }
      // A server that ends watches at once is not asked without end.
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + random.fraction() / 2);
      if (failures) await clock.sleep(pause, signal).catch(() => undefined);
    }
  }

  async #load(): Promise<string> {
    const objects: T[] = [];
    let token: string | undefined;
    for (;;) {
      const page = await this.#parts.client.list(this.#type, {
        ...this.#selection,
        limit: PAGE,
        ...(token !== undefined && { continue: token }),
        signal: this.#parts.signal,
      });
      objects.push(...page.items);
      token = page.continue;
      if (token !== undefined) continue;
      this.replace(objects);
      this.#synced.resolve();
      return page.resourceVersion;
    }
  }
}
