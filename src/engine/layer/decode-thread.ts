import { Worker } from 'node:worker_threads';
import { DabbaError } from '#base';
import { threadFault, type Answer } from './answer.ts';
import { ByteSender, feed, isChannelMessage, type Post } from './channel.ts';
import type { OpenFile } from './archives.ts';
import type { ExpectedDigests } from './decode.ts';
import type { DecodeTask } from './decode.worker.ts';
import { createRing } from './ring.ts';

/**
 * A thread that decodes and hashes archives, one at a time, while another writes their files. To be made outside a thread whose root directory is
 * elsewhere, for that would start one that does not find its program. After a failure it is spent.
 */
export class DecodeThread implements AsyncDisposable {
  /** Where the plain bytes come. It ends only if all was as expected. */
  readonly ring = createRing();
  readonly #worker = new Worker(new URL('decode.worker.ts', import.meta.url), {
    name: 'decode',
    workerData: this.ring,
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });

  /** Puts the plain bytes into the ring. Rejects when the source fails, or its bytes are damaged or others than expected (`InvalidArgument`). */
  async decode(
    source: AsyncIterable<Uint8Array>,
    expected: ExpectedDigests,
    onTaken?: (bytes: number) => void,
  ): Promise<void> {
    await this.#run(expected, { source, onTaken });
  }

  /** Rejects when a plain archive is another than expected (`InvalidArgument`). */
  async verify({ fd }: OpenFile, expected: ExpectedDigests): Promise<void> {
    await this.#run({ ...expected, file: fd });
  }

  async #run(
    task: DecodeTask,
    input?: { readonly source: AsyncIterable<Uint8Array>; readonly onTaken: ((bytes: number) => void) | undefined },
  ): Promise<void> {
    const post: Post = (message, transfer) => this.#worker.postMessage(message, transfer);
    const sender = new ByteSender(post);
    const { promise: answer, resolve, reject } = Promise.withResolvers<Answer<undefined>>();
    const fail = (error: unknown) => {
      sender.fail(error);
      reject(error);
    };
    const onMessage = (message: unknown) => {
      if (!isChannelMessage(message)) resolve(message as Answer<undefined>); // the only other thing decode.worker.ts sends
      else if (typeof message === 'object' && 'taken' in message) {
        sender.taken(message.taken);
        input?.onTaken?.(message.taken);
      }
    };
    const onError = (error: unknown) => fail(threadFault(error));
    const onExit = () => fail(new DabbaError('Internal', 'a decoding thread ended unexpectedly'));
    this.#worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    try {
      this.#worker.ref();
      this.#worker.postMessage(task, []);
      if (input) feed(input.source, sender).catch(fail);
      const reply = await answer;
      if (!('error' in reply)) return;
      const error = new DabbaError(reply.error.kind, reply.error.message);
      fail(error); // which ends the source
      throw error;
    } finally {
      this.#worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      this.#worker.unref();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
