import type { DabbaError } from '#base';
import type { WatchBatch, WatchOptions } from '../store.ts';
import type { Link } from './link.ts';
import { type Reply, unpackBatch } from './messages.ts';

/** Batches taken before the server hears of it; half of what it sends ahead. */
const TAKEN_STEP = 32;

/** A watch over the link. It is asked for when it is made, and again, behind what it delivered, after each loss of the connection. */
export class RemoteWatch implements AsyncIterable<WatchBatch> {
  readonly #link: Link;
  readonly #signal: AbortSignal;
  readonly #id: number;
  readonly #queue: WatchBatch[] = [];
  #next: number | undefined;
  #error: DabbaError | undefined;
  #untold = 0;
  #wake: (() => void) | undefined;

  constructor(link: Link, prefix: string, options: WatchOptions) {
    this.#link = link;
    this.#signal = options.signal;
    this.#next = options.fromRevision;
    this.#id = link.begin({
      isPatient: true,
      question: () => ({
        request: {
          call: 'watch',
          prefix,
          isProgressWanted: options.isProgressWanted ?? false,
          ...(this.#next !== undefined && { fromRevision: this.#next }),
        },
        blobs: [],
      }),
      onReply: (reply, blobs) => this.#receive(reply, blobs),
      onError: (error) => {
        this.#error = error;
        this.#wake?.();
      },
      onLoss: () => {
        // Without a revision of its own it goes on behind what we have seen from the server by other ways: perhaps early, never late.
        this.#next ??= link.seenRevision > 0 ? link.seenRevision + 1 : undefined;
        return true;
      },
    });
    if (this.#signal.aborted) this.#cancel();
    else this.#signal.addEventListener('abort', this.#cancel, { once: true });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchBatch, void, undefined> {
    try {
      for (;;) {
        while (this.#queue.length) {
          const batch = this.#queue.shift()!;
          this.#tellTaken();
          yield batch;
          if (this.#signal.aborted) return;
        }
        if (this.#signal.aborted) return;
        if (this.#error) throw this.#error;
        await this.#change();
      }
    } finally {
      this.#signal.removeEventListener('abort', this.#cancel);
      this.#cancel();
    }
  }

  #receive(reply: Reply, blobs: readonly Buffer[]): boolean {
    if (!('batch' in reply)) return false;
    this.#next = reply.batch.revision + 1;
    this.#queue.push(unpackBatch(reply.batch, blobs));
    this.#wake?.();
    return false;
  }

  readonly #cancel = (): void => {
    this.#link.tell(this.#id, { call: 'cancel' });
    this.#wake?.();
  };

  #tellTaken(): void {
    if (++this.#untold < TAKEN_STEP) return;
    this.#link.tell(this.#id, { call: 'taken', count: this.#untold });
    this.#untold = 0;
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
  }
}
