import { type Clock, type Logger, messageOf, type Random } from '#base';
import type { Store } from '#store';
import { backoffMs } from './backoff.ts';
import { type FollowOptions, follow, list } from './follow.ts';
import { KeyedQueue } from './queue.ts';
import type { Reconciler } from './reconcile.ts';

export interface RunReconcilersOptions {
  readonly store: Store;
  readonly reconcilers: readonly Reconciler[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ends them all. */
  readonly signal: AbortSignal;
}

const DEFAULT_CONCURRENCY = 4;
const DEFAULT_RESYNC_MS = 5 * 60_000;

/** Runs reconcilers until the signal; resolves when the last step that was under way has returned. */
export async function runReconcilers(options: RunReconcilersOptions): Promise<void> {
  await Promise.all(options.reconcilers.map((reconciler) => run(reconciler, options)));
}

async function run(reconciler: Reconciler, options: RunReconcilersOptions): Promise<void> {
  const { store, clock, random, signal } = options;
  const logger = options.logger.with({ reconciler: reconciler.name });
  const queue = new KeyedQueue({
    clock,
    random,
    signal,
    concurrency: reconciler.concurrency ?? DEFAULT_CONCURRENCY,
    work: (key, stop) => reconciler.reconcile(key, stop),
    onFailure: (key, error, failures) => logger.warn('a step failed', { key, failures, error: messageOf(error) }),
  });
  const sources = reconciler.sources.map((source): FollowOptions => ({
    store,
    source,
    clock,
    random,
    logger,
    signal,
    ...keysInto(queue),
  }));
  await Promise.all([
    ...sources.map(follow),
    resync(reconciler, sources),
    listen(reconciler, { ...options, logger, onKey: (key) => queue.add(key) }),
  ]);
  await queue.idle();
}

/** Feeds the queue, and remembers what a source named, so that a key whose record vanished unseen is worked on once more. */
function keysInto(queue: KeyedQueue): Pick<FollowOptions, 'onKeys' | 'onListed'> {
  let known = new Set<string>();
  return {
    onKeys(keys) {
      for (const key of keys) {
        known.add(key);
        queue.add(key);
      }
    },
    onListed(keys) {
      const before = known;
      known = new Set(keys);
      for (const key of before.union(known)) queue.add(key);
    },
  };
}

/** Takes in the reconciler's own events, and asks for them again when they break off. */
async function listen(
  reconciler: Reconciler,
  options: Omit<RunReconcilersOptions, 'reconcilers'> & { readonly onKey: (key: string) => void },
): Promise<void> {
  const { clock, random, logger, signal, onKey } = options;
  if (!reconciler.events) return;
  for (let failures = 0; !signal.aborted;) {
    try {
      for await (const key of reconciler.events(signal)) {
        onKey(key);
        failures = 0;
      }
    } catch (error) {
      if (!signal.aborted) logger.warn('events broke off', { error: messageOf(error) });
    }
    await clock.sleep(backoffMs(++failures, random), signal).catch(() => undefined);
  }
}

/** The safety net: lists every source again now and then, for whatever no event told of. */
async function resync(reconciler: Reconciler, sources: readonly FollowOptions[]): Promise<void> {
  const everyMs = reconciler.resyncMs ?? DEFAULT_RESYNC_MS;
  for (;;) {
    const [first] = sources;
    if (!first || first.signal.aborted) return;
    // Spread, so that many reconcilers do not list at once.
    const pauseMs = everyMs * (0.9 + first.random.fraction() / 5);
    await first.clock.sleep(pauseMs, first.signal).catch(() => undefined);
    if (first.signal.aborted) return;
    for (const source of sources)
      await list(source).catch((error: unknown) => source.logger.warn('a resync failed', { error: messageOf(error) }));
  }
}
