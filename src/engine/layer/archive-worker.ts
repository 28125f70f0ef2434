import { Worker } from 'node:worker_threads';
import { DabbaError, systemCode } from '#base';
import { ByteReceiver, ByteSender, isChannelMessage, type Post } from './channel.ts';
import type { Answer, Result, Task } from './worker.ts';

/** One worker thread, doing one task at a time. After a failure of the thread itself, or an abort, it is spent. */
export class ArchiveWorker implements AsyncDisposable {
  readonly #worker = new Worker(new URL('worker.ts', import.meta.url), {
    name: 'archive',
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  #isSpent = false;

  get isSpent(): boolean {
    return this.#isSpent;
  }

  /**
   * Runs a task, feeding it `input` and handing its bytes to `output`. Aborting ends the thread at once. Should one of the streams
   * fail, its error is thrown rather than the task's.
   */
  async run(
    task: Task,
    streams: {
      readonly input?: AsyncIterable<Uint8Array> | undefined;
      readonly output?: ((bytes: AsyncIterable<Buffer>) => Promise<void>) | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<Result> {
    streams.signal.throwIfAborted();
    const post: Post = (message, transfer) => this.#worker.postMessage(message, transfer);
    const sender = new ByteSender(post);
    const receiver = new ByteReceiver(post);
    const { promise: answer, resolve, reject } = Promise.withResolvers<Answer>();
    const fail = (error: unknown) => {
      this.#isSpent = true;
      sender.fail(error);
      receiver.fail(error);
      reject(error);
    };
    const onMessage = (message: unknown) => {
      if (!isChannelMessage(message)) resolve(message as Answer); // the only other thing worker.ts sends
      else if (typeof message === 'object' && 'taken' in message) sender.taken(message.taken);
      else receiver.receive(message);
    };
    const onError = (error: unknown) => {
      const isTooLarge = systemCode(error) === 'ERR_WORKER_OUT_OF_MEMORY';
      fail(isTooLarge ? new DabbaError('ResourceExhausted', 'archive needs too much memory', { cause: error }) : error);
    };
    const onExit = () => fail(new DabbaError('Internal', 'an archive worker ended unexpectedly'));
    const onAbort = () => fail(streams.signal.reason);
    this.#worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    streams.signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#worker.ref();
      this.#worker.postMessage(task, task.kind === 'unpack' && task.hashed ? [task.hashed.port] : []);
      const sent = streams.input ? feed(streams.input, sender) : undefined;
      const written = streams.output?.(receiver);
      sent?.catch(fail);
      written?.catch(fail);
      const reply = await answer;
      if ('error' in reply) {
        const error = new DabbaError(reply.error.kind, reply.error.message);
        fail(error); // spent, for unread input may still be on its way to it
        throw error;
      }
      await written;
      return reply.result;
    } finally {
      this.#worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      streams.signal.removeEventListener('abort', onAbort);
      this.#worker.unref();
      if (this.#isSpent) await this[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isSpent = true;
    await this.#worker.terminate();
  }
}

async function feed(input: AsyncIterable<Uint8Array>, sender: ByteSender): Promise<void> {
  for await (const chunk of input) await sender.send(chunk);
  sender.end();
}
