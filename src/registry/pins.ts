import type { Digest } from '#base';

/** Bytes whose digest is not known yet may be any. */
const ANY = Symbol('any blob');

type Pinned = Digest | typeof ANY;

/**
 * Keeps the bytes of blobs from being collected between the moment a push finds or makes them and the moment its link or manifest is durable.
 * Whoever makes a blob reachable pins it first; a collection removes only what nobody has pinned since it began to look. All of it is in
 * memory: after a crash no push goes on, and what it left without a link is garbage.
 */
export class BlobPins {
  readonly #pinned = new Map<Pinned, number>();
  /** What was pinned at any time since the running collection began. */
  #seen: Set<Pinned> | undefined;
  #removing: { readonly digest: Digest; readonly done: Promise<unknown> } | undefined;

  /** Pins a blob, or without a digest all of them, until disposed. Waits for a removal of the same that is under way. */
  async pin(digest?: Digest): Promise<Disposable> {
    const pinned = digest ?? ANY;
    const isGoing = () => this.#removing && (pinned === ANY || pinned === this.#removing.digest);
    while (isGoing()) await this.#removing?.done;
    this.#seen?.add(pinned);
    this.#pinned.set(pinned, (this.#pinned.get(pinned) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        const count = this.#pinned.get(pinned)! - 1;
        if (count === 0) this.#pinned.delete(pinned);
        else this.#pinned.set(pinned, count);
      },
    };
  }

  /** Begins a collection, of which there is one at a time: call it before looking for what is reachable. */
  beginCollection(): BlobCollection {
    if (this.#seen) throw new Error('two collections of one blob store at once');
    const seen = new Set(this.#pinned.keys());
    this.#seen = seen;
    return {
      remove: async (digest, work) => {
        if (seen.has(digest) || seen.has(ANY)) return false;
        const removing = work();
        this.#removing = { digest, done: removing.catch(() => undefined) };
        try {
          await removing;
        } finally {
          this.#removing = undefined;
        }
        return true;
      },
      [Symbol.dispose]: () => {
        this.#seen = undefined;
      },
    };
  }
}

export interface BlobCollection extends Disposable {
  /** Does `work`, which removes the blob, unless somebody has pinned it since the collection began; false then. One at a time. */
  remove(digest: Digest, work: () => Promise<void>): Promise<boolean>;
}
