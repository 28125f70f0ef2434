/** What one side puts in, the other takes out in order. `onTaken` tells the first when little is left. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #onTaken: (left: number) => void;
  #wake: (() => void) | undefined;
  #isEnded = false;

  constructor(onTaken: (left: number) => void = () => undefined) {
    this.#onTaken = onTaken;
  }

  get length(): number {
    return this.#items.length;
  }

  /** What comes after the end is dropped. */
  push(item: T): void {
    if (this.#isEnded) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** Those who take get what is left, then the end. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#onTaken(this.#items.length);
        yield item;
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
