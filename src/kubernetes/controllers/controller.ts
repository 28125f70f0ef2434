/**
 * What every controller of a cluster is: informers that wake it, keys, and one step for a key that reads what is wanted and what is, and brings them closer.
 *
 * A step begins when the copies it reads hold everything that earlier steps of the same key wrote (`own-writes.ts`), so a controller never counts
 * objects that it has just made as missing, and needs no expectations.
 *
 * **Example.** A controller that labels nodes:
 *
 * ```ts
 * const copy = informers.of(nodes);
 * return { name: 'labels', wokenBy: [wakes(copy, ({ now }) => (now ? [keyOf(now)] : []))], reads: [[nodes, copy]], async reconcile(key, { api }) { … } };
 * ```
 */
import { type Clock, type Logger, messageOf, type Random } from '#base';
import { KeyedQueue } from '#reconcile';
import type { ApiClient } from '../client/client.ts';
import type { Informer, Informers } from '../client/informer.ts';
import type { RemoteReader } from '../client/remote-reader.ts';
import type { ServedResources } from '../client/served-resources.ts';
import type { EventRecorder } from '../events.ts';
import type { KubernetesObject, ResourceType } from '../object.ts';
import { isStatusError } from '../status.ts';
import { untilAborted } from '../until-aborted.ts';
import { OwnWrites } from './own-writes.ts';

/** What controllers are made from. */
export interface ControllerParts {
  readonly client: ApiClient;
  /** The client that a controller of this name acts with; default: `client`. */
  readonly clientOf?: (controller: string) => ApiClient;
  /** What a controller of this name may read of what other servers serve; default: nobody serves any. */
  readonly remoteOf?: (controller: string) => RemoteReader;
  readonly informers: Informers;
  readonly events: EventRecorder;
  /** What the cluster serves, for those who look after all of it. */
  readonly resources: ServedResources;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What one step may use. */
export interface Step {
  /** Writes through this client are remembered, and awaited before the key's next step. */
  readonly api: ApiClient;
  readonly signal: AbortSignal;
}

export interface Controller {
  /** `deployment-controller`: the name in events, and in logs. */
  readonly name: string;
  readonly wokenBy: readonly Waking[];
  /** The copies that a step reads of what it writes. */
  readonly reads: readonly Copy[];
  /** Keys worked on at once. Default 4. */
  readonly concurrency?: number;
  /** One step. Answering `{ afterMs }` asks to be called again then. A throw is logged, and the key comes again with backoff. */
  reconcile(key: string, step: Step): Promise<void | { readonly afterMs: number }>;
}

/** A resource with the copy of it that a controller reads. */
export type Copy = readonly [type: ResourceType, informer: Informer<KubernetesObject>];

export interface Change<T> {
  readonly now: T | undefined;
  readonly before: T | undefined;
}

/** One source of keys. */
export interface Waking {
  /** Calls `add` for all there is and for every change. Returns the function that ends it. */
  start(add: (key: string) => void): () => void;
  synced(): Promise<void>;
}

/** Wakes a controller with the keys that a change of one of the informer's objects concerns. */
export function wakes<T extends KubernetesObject>(
  informer: Informer<T>,
  keysOf: (change: Change<T>) => Iterable<string>,
): Waking {
  return {
    start: (add) =>
      informer.onChange((change) => {
        for (const key of keysOf(change)) add(key);
      }),
    synced: () => informer.synced(),
  };
}

/** Names a copy, for `reads`. */
export function copyOf<T extends KubernetesObject>(type: ResourceType<T>, informer: Informer<T>): Copy {
  return [type, informer];
}

/** Runs controllers until the signal aborts; resolves when the last step has returned. */
export async function runControllers(
  controllers: readonly Controller[],
  parts: ControllerParts,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(controllers.map((controller) => run(controller, parts, signal)));
}

async function run(controller: Controller, parts: ControllerParts, signal: AbortSignal): Promise<void> {
  const { clock, random, clientOf = () => parts.client } = parts;
  const logger = parts.logger.with({ controller: controller.name });
  const ended = untilAborted(signal);
  await Promise.race([
    Promise.all([...controller.wokenBy, ...syncs(controller)].map((source) => source.synced())),
    ended,
  ]);
  if (signal.aborted) return;
  using writes = new OwnWrites({ client: clientOf(controller.name), copies: controller.reads, clock });
  const queue = new KeyedQueue({
    clock,
    random,
    signal,
    concurrency: controller.concurrency ?? 4,
    work: async (key) => {
      await writes.seen(key, signal);
      return controller.reconcile(key, { api: writes.clientFor(key), signal });
    },
    onFailure: (key, error, failures) => {
      // Somebody else wrote first, or deleted it: the next step reads what they did.
      if (isStatusError(error, 'Conflict', 'NotFound') && failures < 5) return;
      logger.warn('a step failed', { key, failures, error: messageOf(error) });
    },
  });
  const stops = controller.wokenBy.map((source) => source.start((key) => queue.add(key)));
  await ended;
  for (const stop of stops) stop();
  await queue.idle();
}

function syncs({ reads }: Controller): readonly Pick<Waking, 'synced'>[] {
  return reads.map(([, informer]) => informer);
}
