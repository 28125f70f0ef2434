import { once } from 'node:events';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { Digest, DigestAlgorithm } from '#base';

/** So much may wait to be hashed. */
const windowBytes = 32 * 1024 ** 2;

/** A thread that hashes, and the port of whoever has the bytes. */
export interface Hashing extends AsyncDisposable {
  readonly port: MessagePort;
}

/**
 * Starts a thread that hashes beside another. To be called outside that other thread: whose root directory is elsewhere would start a thread that
 * does not find its program.
 */
export function startHashing(algorithm: DigestAlgorithm): Hashing {
  const { port1, port2 } = new MessageChannel();
  const workerData = { port: port2, algorithm };
  const worker = new Worker(new URL('hash.worker.ts', import.meta.url), {
    name: 'hash',
    workerData,
    transferList: [port2],
  });
  worker.unref();
  // Its port closes with it, which is how the other thread hears of it.
  worker.on('error', () => undefined);
  return { port: port1, [Symbol.asyncDispose]: async () => void (await worker.terminate()) };
}

/** Gives what this thread is done with to one that hashes, while this one goes on. */
export class HashSender implements Disposable {
  readonly #port: MessagePort;
  #waitingBytes = 0;
  #room = Promise.withResolvers<void>();
  #isGone = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: number | Digest) => {
      if (typeof message === 'number') this.#waitingBytes -= message;
      this.#room.resolve();
    });
    port.once('close', () => {
      this.#isGone = true;
      this.#room.resolve();
    });
  }

  /** Takes the bytes, and their memory with them: afterwards the chunk is empty. Resolves when there is room for more. */
  async take(chunk: Buffer): Promise<void> {
    const isWhole = chunk.byteOffset === 0 && chunk.buffer.byteLength === chunk.length;
    // A part of memory that others use too is copied.
    const bytes = isWhole ? new Uint8Array(chunk.buffer as ArrayBuffer) : new Uint8Array(chunk);
    this.#waitingBytes += bytes.length;
    this.#port.postMessage(bytes, [bytes.buffer]);
    while (this.#waitingBytes >= windowBytes && !this.#isGone) {
      this.#room = Promise.withResolvers();
      await this.#room.promise;
    }
  }

  /** Ends the computation; call once. */
  async digest(): Promise<Digest> {
    this.#port.postMessage('end', []);
    const closed = once(this.#port, 'close').then(() => undefined);
    while (!this.#isGone) {
      const answer = (await Promise.race([once(this.#port, 'message'), closed])) as [number | Digest] | undefined;
      if (answer && typeof answer[0] !== 'number') return answer[0];
    }
    throw new Error('the hashing thread ended unexpectedly');
  }

  [Symbol.dispose](): void {
    this.#port.close();
  }
}
