import type { Clock, Random } from '#base';
import { backoffMs } from './backoff.ts';

export interface KeyedQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Keys worked on at once. */
  readonly concurrency: number;
  /** One step on a key. Its answer may ask for the next one. */
  readonly work: (key: string, signal: AbortSignal) => Promise<void | { readonly afterMs: number }>;
  /** Told of each throw, with how often in a row this key has failed. */
  readonly onFailure: (key: string, error: unknown, failures: number) => void;
  /** Ends the queue: what runs is aborted, what waits is forgotten. */
  readonly signal: AbortSignal;
}

interface Later {
  readonly at: number;
  readonly cancel: AbortController;
}

/**
 * Keys that want work, each at most once. A key that is added while it is worked on comes again afterwards; one that fails comes again
 * after a pause that grows with each failure; adding a key ends its pause.
 */
export class KeyedQueue {
  readonly #options: KeyedQueueOptions;
  /** Waiting, in the order they came. */
  readonly #ready = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #later = new Map<string, Later>();
  readonly #failures = new Map<string, number>();

  constructor(options: KeyedQueueOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#forget(), { once: true });
  }

  add(key: string): void {
    if (this.#options.signal.aborted) return;
    this.#later.get(key)?.cancel.abort();
    this.#later.delete(key);
    this.#ready.add(key);
    this.#next();
  }

  /** Adds the key in `ms`, unless it comes earlier for another reason. */
  addAfter(key: string, ms: number): void {
    const { clock, signal } = this.#options;
    if (signal.aborted || this.#ready.has(key)) return;
    const at = clock.now() + ms;
    const planned = this.#later.get(key);
    if (planned && planned.at <= at) return;
    planned?.cancel.abort();
    const later = { at, cancel: new AbortController() };
    this.#later.set(key, later);
    clock.sleep(ms, later.cancel.signal).then(
      () => this.#later.get(key) === later && this.add(key),
      // Cancelled: the key came earlier, or the queue ended.
      () => undefined,
    );
  }

  /** Resolves when nothing is being worked on; after the signal, that is the end. */
  async idle(): Promise<void> {
    while (this.#running.size) await Promise.all(this.#running.values());
  }

  #next(): void {
    for (const key of this.#ready) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (this.#running.has(key)) continue;
      this.#ready.delete(key);
      this.#running.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    // Not within `add`: the caller goes on before the work begins.
    await Promise.resolve();
    const { work, signal } = this.#options;
    try {
      const again = signal.aborted ? undefined : await work(key, signal);
      this.#failures.delete(key);
      if (again) this.addAfter(key, again.afterMs);
    } catch (error) {
      this.#fail(key, error);
    } finally {
      this.#running.delete(key);
      this.#next();
    }
  }

  #fail(key: string, error: unknown): void {
    const { random, onFailure, signal } = this.#options;
    // What the end of the queue interrupted has not failed.
    if (signal.aborted) return;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    onFailure(key, error, failures);
    this.addAfter(key, backoffMs(failures, random));
  }

  #forget(): void {
    this.#ready.clear();
    for (const { cancel } of this.#later.values()) cancel.abort();
    this.#later.clear();
  }
}
