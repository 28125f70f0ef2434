import { setImmediate as nextTurn } from 'node:timers/promises';
import { checkWatchable, type RevisionSpan } from './revisions.ts';
import type { WatchBatch, WatchOptions } from './store.ts';
import { keyOf } from './transaction.ts';

/** The past, as an adapter keeps it; what a watch reads when it is behind the revisions in memory. */
export interface RevisionLog {
  span(): RevisionSpan;
  /** Changes under `prefix` from `from` on, as far as one bounded step reads. `through` is the last revision it covers, whole. */
  changesFrom(prefix: string, from: number): { readonly batches: readonly WatchBatch[]; readonly through: number };
}

/** Revisions kept in memory for watches that are nearly up to date. */
const RECENT_REVISIONS = 2048;
const RECENT_BYTES = 8 * 1024 * 1024;

interface Watcher {
  readonly prefix: string;
  readonly wantsProgress: boolean;
  /** The first revision not delivered yet. */
  next: number;
  wake: (() => void) | undefined;
}

/**
 * Delivers what a store commits to its watches. A watch has no queue of its own: each pulls from the revisions kept in memory, or, when it
 * has fallen behind those, from the log. So a slow consumer costs nothing but the log it still has to read.
 */
export class WatchHub {
  readonly #log: RevisionLog;
  readonly #recent: { batch: WatchBatch; sizeBytes: number }[] = [];
  #recentBytes = 0;
  readonly #watchers = new Set<Watcher>();
  #isClosed = false;

  constructor(log: RevisionLog) {
    this.#log = log;
  }

  /** Called once a revision, in order, when it is durable and `span()` includes it. */
  publish(batch: WatchBatch): void {
    if (!this.#watchers.size) return this.#forget();
    this.#remember(batch);
    for (const watcher of this.#watchers) {
      if (!watcher.wake) continue;
      if (watcher.wantsProgress || batch.events.some((event) => keyOf(event).startsWith(watcher.prefix)))
        watcher.wake();
      else watcher.next = batch.revision + 1;
    }
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    const watcher: Watcher = {
      prefix,
      wantsProgress: options.isProgressWanted ?? false,
      next: options.fromRevision ?? this.#log.span().revision + 1,
      wake: undefined,
    };
    return { [Symbol.asyncIterator]: () => this.#follow(watcher, options.signal) };
  }

  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers) watcher.wake?.();
  }

  async *#follow(watcher: Watcher, signal: AbortSignal): AsyncGenerator<WatchBatch, void, undefined> {
    const isOver = () => signal.aborted || this.#isClosed;
    const onAbort = () => watcher.wake?.();
    signal.addEventListener('abort', onAbort);
    this.#watchers.add(watcher);
    try {
      checkWatchable(watcher.next, this.#log.span());
      while (!isOver()) {
        const { batches, through, isFromMemory } = this.#read(watcher);
        for (const batch of batches) {
          watcher.next = batch.revision + 1;
          yield batch;
          if (isOver()) return;
        }
        const isNews = through >= watcher.next;
        watcher.next = through + 1;
        if (isNews && watcher.wantsProgress) yield { revision: through, events: [] };
        // Reading the log holds up the event loop, so between two steps it gets its turn.
        if (!isFromMemory) await nextTurn();
        if (watcher.next > this.#log.span().revision && !isOver()) await this.#change(watcher);
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #read(watcher: Watcher): { batches: readonly WatchBatch[]; through: number; isFromMemory: boolean } {
    const { next, prefix } = watcher;
    const first = this.#recent[0]?.batch.revision ?? Infinity;
    const { revision } = this.#log.span();
    if (next > revision) return { batches: [], through: revision, isFromMemory: true };
    if (next < first) {
      checkWatchable(next, this.#log.span());
      return { ...this.#log.changesFrom(prefix, next), isFromMemory: false };
    }
    const batches: WatchBatch[] = [];
    for (let index = next - first; index < this.#recent.length; index++) {
      const batch = this.#recent[index]!.batch;
      const events = batch.events.filter((event) => keyOf(event).startsWith(prefix));
      if (events.length) batches.push({ revision: batch.revision, events });
    }
    return { batches, through: revision, isFromMemory: true };
  }

  #change(watcher: Watcher): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    watcher.wake = () => {
      watcher.wake = undefined;
      resolve();
    };
    return promise;
  }

  /** Nobody watches: whoever comes next begins with the log. */
  #forget(): void {
    this.#recent.length = 0;
    this.#recentBytes = 0;
  }

  #remember(batch: WatchBatch): void {
    let sizeBytes = 0;
    for (const event of batch.events) {
      if (event.kind === 'put') sizeBytes += event.entry.value.length;
      sizeBytes += event.previous?.value.length ?? 0;
    }
    this.#recent.push({ batch, sizeBytes });
    this.#recentBytes += sizeBytes;
    while (this.#recent.length > RECENT_REVISIONS || (this.#recentBytes > RECENT_BYTES && this.#recent.length > 1))
      this.#recentBytes -= this.#recent.shift()!.sizeBytes;
  }
}
