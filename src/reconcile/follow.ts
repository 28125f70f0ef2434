import { type Clock, isDabbaError, type Logger, messageOf, type Random } from '#base';
import type { Store, WatchEvent } from '#store';
import { backoffMs } from './backoff.ts';
import type { ReconcileSource } from './reconcile.ts';

export interface FollowOptions {
  readonly store: Store;
  readonly source: ReconcileSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Keys that a change concerns. */
  readonly onKeys: (keys: readonly string[]) => void;
  /** The source was listed: these are the keys of all there is. Keys that were there before may be gone. */
  readonly onListed: (keys: readonly string[]) => void;
}

/**
 * Tells of everything under a source's prefix and of every change from then on, until the signal. Goes on behind the last change when the
 * store was away, and lists again when that change is no longer kept.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { store, source, clock, random, logger, signal } = options;
  let next: number | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      next ??= (await list(options)) + 1;
      for await (const { revision, events } of store.watch(source.prefix, { fromRevision: next, signal })) {
        for (const event of events) options.onKeys(await source.keysOf(changeOf(event)));
        next = revision + 1;
        failures = 0;
      }
      // The store was closed.
      return;
    } catch (error) {
      if (signal.aborted) return;
      // Compacted, or a store that was set back: start over.
      if (isDabbaError(error, 'FailedPrecondition')) next = undefined;
      logger.warn('a watch was interrupted', { prefix: source.prefix, error: messageOf(error) });
      await clock.sleep(backoffMs(++failures, random), signal).catch(() => undefined);
    }
  }
}

/** Tells the keys of everything under the source's prefix; returns the revision they are of. */
export async function list({ store, source, onListed }: FollowOptions): Promise<number> {
  const { entries, revision } = await store.list(source.prefix);
  const keys = new Set<string>();
  for (const { key, value } of entries)
    for (const concerned of await source.keysOf({ key, value, previous: undefined })) keys.add(concerned);
  onListed([...keys]);
  return revision;
}

function changeOf(event: WatchEvent): Parameters<ReconcileSource['keysOf']>[0] {
  const previous = event.previous?.value;
  return event.kind === 'put'
    ? { key: event.entry.key, value: event.entry.value, previous }
    : { key: event.key, value: undefined, previous };
}
