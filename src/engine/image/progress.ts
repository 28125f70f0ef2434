import type { Clock, Digest } from '#base';
import type { LayerProgress, TransferOptions } from '../engine.ts';

const everyMs = 100;

/** Reports the states of one layer as they change, and bytes at most every 100 ms. */
export class LayerReport {
  readonly #digest: Digest;
  readonly #totalBytes: number;
  readonly #onProgress: TransferOptions['onProgress'];
  readonly #clock: Clock;
  #reportedAt = -Infinity;

  constructor(
    layer: { readonly digest: Digest; readonly size: number },
    clock: Clock,
    onProgress: TransferOptions['onProgress'],
  ) {
    this.#digest = layer.digest;
    this.#totalBytes = layer.size;
    this.#clock = clock;
    this.#onProgress = onProgress;
  }

  state(state: LayerProgress['state']): void {
    this.#onProgress?.({ digest: this.#digest, state, totalBytes: this.#totalBytes });
  }

  transferred(currentBytes: number): void {
    if (this.#clock.now() - this.#reportedAt < everyMs) return;
    this.#reportedAt = this.#clock.now();
    this.#onProgress?.({ digest: this.#digest, state: 'transferring', currentBytes, totalBytes: this.#totalBytes });
  }

  /** Passes bytes on, counting them from `start`. */
  async *counting(source: AsyncIterable<Uint8Array>, start: number): AsyncGenerator<Uint8Array, void> {
    let current = start;
    for await (const chunk of source) {
      current += chunk.length;
      yield chunk;
      this.transferred(current);
    }
  }
}
