/** Items from many producers to one consumer, in the order in which they came. A producer waits while much is unread. */
export class Channel<Item> {
  readonly #items: Item[] = [];
  readonly #limit = 256;
  #isClosed = false;
  #arrival = Promise.withResolvers<void>();
  #room = Promise.withResolvers<void>();

  /** Resolves when there is room for more. After `close` items are dropped. */
  async push(item: Item): Promise<void> {
    if (this.#isClosed) return;
    this.#items.push(item);
    this.#arrival.resolve();
    while (this.#items.length >= this.#limit && !this.#isClosed) await this.#room.promise;
  }

  /** No more items; what is there can still be read. */
  close(): void {
    this.#isClosed = true;
    this.#arrival.resolve();
    this.#room.resolve();
  }

  /** All items until the channel is closed. */
  async *read(): AsyncGenerator<Item, void> {
    for (;;) {
      while (this.#items.length > 0) {
        yield this.#items.shift()!;
        this.#room.resolve();
        this.#room = Promise.withResolvers();
      }
      if (this.#isClosed) return;
      this.#arrival = Promise.withResolvers();
      await this.#arrival.promise;
    }
  }
}
