import type { Digest } from '#base';

/** Recently used manifests' bytes, by digest; holds at most `limitBytes`. What a digest names never changes, so nothing is ever stale. */
export class ByteCache {
  readonly #limitBytes: number;
  readonly #entries = new Map<Digest, Buffer>();
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get(digest: Digest): Buffer | undefined {
    const bytes = this.#entries.get(digest);
    if (bytes) {
      // A map keeps the order of insertion: the first entry is the one unused for longest.
      this.#entries.delete(digest);
      this.#entries.set(digest, bytes);
    }
    return bytes;
  }

  put(digest: Digest, bytes: Buffer): void {
    if (bytes.length > this.#limitBytes || this.#entries.has(digest)) return;
    this.#entries.set(digest, bytes);
    this.#heldBytes += bytes.length;
    for (const [oldest, old] of this.#entries) {
      if (this.#heldBytes <= this.#limitBytes) return;
      this.#entries.delete(oldest);
      this.#heldBytes -= old.length;
    }
  }
}
