import { type Clock, isDabbaError, type Logger, messageOf } from '#base';
import type { Store } from './store.ts';

export interface ForgetOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a revision stays readable at least; at most twice as long. */
  readonly keepMs: number;
  readonly signal: AbortSignal;
}

/**
 * Compacts the store again and again, so that its history does not grow without end: what a watch may be behind, or a paged list may take,
 * is `keepMs`. Returns when aborted. A compaction that fails is tried again the next time.
 */
export async function forgetOldRevisions({ store, clock, logger, keepMs, signal }: ForgetOptions): Promise<void> {
  let before: number | undefined;
  while (!signal.aborted) {
    try {
      const now = await store.revision();
      if (before !== undefined) await store.compact(before);
      before = now;
    } catch (error) {
      if (!isDabbaError(error)) throw error;
      if (!signal.aborted) logger.warn('the store was not compacted', { error: messageOf(error) });
    }
    // Age is what counts here, so a timer is the event.
    await clock.sleep(keepMs, signal).catch(() => undefined);
  }
}
