/** A message of a byte stream between two threads. Bytes are copied once and moved; at most a window of them is under way. */
export type ChannelMessage = { readonly chunk: Uint8Array<ArrayBuffer> } | { readonly taken: number } | 'end';

/** True for what `ByteSender` and `ByteReceiver` exchange. */
export function isChannelMessage(message: unknown): message is ChannelMessage {
  return (
    message === 'end' || (typeof message === 'object' && message !== null && ('chunk' in message || 'taken' in message))
  );
}

/** Posts to the other thread, moving `transfer`. */
export type Post = (message: ChannelMessage, transfer: ArrayBuffer[]) => void;

const windowBytes = 8 * 1024 ** 2;
/** Bytes taken are told in such portions, for a message wakes the other thread. */
const portionBytes = 2 * 1024 ** 2;

/** The writing end. Give it every `taken` message. */
export class ByteSender {
  readonly #post: Post;
  #underWay = 0;
  #wake: (() => void) | undefined;
  #fault: unknown;

  constructor(post: Post) {
    this.#post = post;
  }

  /** Resolves when there is room for more. The chunk may be reused at once. */
  async send(chunk: Uint8Array): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault;
    const copy = new Uint8Array(chunk); // its own buffer, so that it can move
    this.#underWay += copy.length;
    this.#post({ chunk: copy }, [copy.buffer]);
    while (this.#underWay >= windowBytes) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      if (this.#fault !== undefined) throw this.#fault;
    }
  }

  /** Makes the writer throw, which ends its source too; nobody reads any more. */
  fail(error: unknown): void {
    this.#fault ??= error;
    this.#wake?.();
  }

  end(): void {
    this.#post('end', []);
  }

  taken(bytes: number): void {
    this.#underWay -= bytes;
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** Tells the other end what was taken, in portions. */
export class Portions {
  readonly #post: Post;
  readonly #portionBytes: number;
  #taken = 0;

  constructor(post: Post, portionBytes: number) {
    this.#post = post;
    this.#portionBytes = portionBytes;
  }

  add(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < this.#portionBytes) return;
    this.#post({ taken: this.#taken }, []);
    this.#taken = 0;
  }
}

/** The reading end, to be iterated once. Give it every `chunk` and `end` message. */
export class ByteReceiver implements AsyncIterable<Buffer> {
  readonly #portions: Portions;
  readonly #waiting: Buffer[] = [];
  #isEnded = false;
  #fault: unknown;
  #wake: (() => void) | undefined;

  constructor(post: Post) {
    this.#portions = new Portions(post, portionBytes);
  }

  receive(message: { readonly chunk: Uint8Array<ArrayBuffer> } | 'end'): void {
    if (message === 'end') this.#isEnded = true;
    else this.#waiting.push(Buffer.from(message.chunk.buffer, message.chunk.byteOffset, message.chunk.length));
    this.#wake?.();
  }

  /** Makes the reader throw; the other end has failed. */
  fail(error: unknown): void {
    this.#fault ??= error;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    for (;;) {
      const chunk = this.#waiting.shift();
      if (chunk) {
        const { length } = chunk;
        yield chunk; // its memory may be moved on
        this.#portions.add(length);
      } else if (this.#fault !== undefined) throw this.#fault;
      else if (this.#isEnded) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }
}

/** Sends all of a stream. */
export async function feed(input: AsyncIterable<Uint8Array>, sender: ByteSender): Promise<void> {
  for await (const chunk of input) await sender.send(chunk);
  sender.end();
}
