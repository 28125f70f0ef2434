import type { KubernetesObject } from '../object.ts';
import type { WatchEvent } from './client.ts';
import type { MemoryChange } from './memory-client.ts';

/** Turns changes into the events that one watch with one selection sees, and holds them until they are read. */
export class WatchQueue<T extends KubernetesObject> {
  readonly #matches: (object: KubernetesObject) => boolean;
  readonly #waiting: WatchEvent<T>[] = [];
  #wake: (() => void) | undefined;

  constructor(matches: (object: KubernetesObject) => boolean) {
    this.#matches = matches;
  }

  push({ now, before, version }: MemoryChange): void {
    const isIn = now !== undefined && this.#matches(now);
    const wasIn = before !== undefined && this.#matches(before);
    if (isIn) this.#waiting.push({ type: wasIn ? 'MODIFIED' : 'ADDED', object: now as T });
    else if (wasIn) {
      const metadata = { ...before.metadata, resourceVersion: String(version) };
      this.#waiting.push({ type: 'DELETED', object: { ...before, metadata } as T });
    }
    this.#wake?.();
  }

  /** Yields until the signal aborts. */
  async *drain(signal: AbortSignal): AsyncIterable<WatchEvent<T>> {
    const onAbort = () => this.#wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const event = this.#waiting.shift();
        if (event) yield event;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
