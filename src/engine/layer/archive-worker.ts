import { Worker } from 'node:worker_threads';
import { DabbaError } from '#base';
import { threadFault, type Answer } from './answer.ts';
import { type ArchiveSource, isOpenFile } from './archives.ts';
import { ByteReceiver, ByteSender, feed, isChannelMessage, type Post } from './channel.ts';
import { DecodeThread } from './decode-thread.ts';
import type { Result, Task } from './worker.ts';

interface UnpackStreams {
  /** Told now and then how many more bytes of the input were taken. */
  readonly onTaken?: ((bytes: number) => void) | undefined;
  readonly signal: AbortSignal;
}

/** One worker thread, with another that decodes for it when needed, doing one task at a time. After a failure of the thread itself, or an abort, it is spent. */
export class ArchiveWorker implements AsyncDisposable {
  readonly #worker = new Worker(new URL('worker.ts', import.meta.url), {
    name: 'archive',
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  #decoder: DecodeThread | undefined;
  #isSpent = false;

  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** As `run`, the input being decoded and hashed by a thread of its own; a plain file is read by both. */
  async unpackBeside(
    task: Task & { readonly kind: 'unpack' },
    { input, ...rest }: UnpackStreams & { readonly input: ArchiveSource },
  ): Promise<Result> {
    rest.signal.throwIfAborted();
    this.#decoder ??= new DecodeThread();
    const { expectedDigest, expectedDiffId, ...plain } = task;
    const expected = { ...(expectedDigest && { expectedDigest }), ...(expectedDiffId && { expectedDiffId }) };
    if (isOpenFile(input)) {
      const beside = this.#decoder.verify(input, expected);
      return await this.run({ ...plain, file: input.fd }, { ...rest, beside });
    }
    const beside = this.#decoder.decode(input, expected, rest.onTaken);
    return await this.run({ ...plain, ring: this.#decoder.ring }, { ...rest, beside });
  }

  /**
   * Runs a task, feeding it `input` and handing its bytes to `output`. Aborting ends the thread at once. Should one of the streams, or what the
   * task takes bytes from (`beside`), fail, its error is thrown rather than the task's.
   */
  async run(
    task: Task,
    streams: UnpackStreams & {
      readonly input?: AsyncIterable<Uint8Array> | undefined;
      readonly output?: ((bytes: AsyncIterable<Buffer>) => Promise<void>) | undefined;
      readonly beside?: Promise<void> | undefined;
    },
  ): Promise<Result> {
    streams.signal.throwIfAborted();
    const post: Post = (message, transfer) => this.#worker.postMessage(message, transfer);
    const sender = new ByteSender(post);
    const receiver = new ByteReceiver(post);
    const { promise: answer, resolve, reject } = Promise.withResolvers<Answer<Result>>();
    const fail = (error: unknown) => {
      this.#isSpent = true;
      sender.fail(error);
      receiver.fail(error);
      reject(error);
    };
    const onMessage = (message: unknown) => {
      if (!isChannelMessage(message)) resolve(message as Answer<Result>); // the only other thing worker.ts sends
      else if (typeof message === 'object' && 'taken' in message) {
        sender.taken(message.taken);
        streams.onTaken?.(message.taken);
      } else receiver.receive(message);
    };
    const onError = (error: unknown) => fail(threadFault(error));
    const onExit = () => fail(new DabbaError('Internal', 'an archive worker ended unexpectedly'));
    const onAbort = () => fail(streams.signal.reason);
    this.#worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    streams.signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#worker.ref();
      this.#worker.postMessage(task, []);
      const sent = streams.input ? feed(streams.input, sender) : undefined;
      const written = streams.output?.(receiver);
      sent?.catch(fail);
      written?.catch(fail);
      streams.beside?.catch(fail);
      const reply = await answer;
      if ('error' in reply) {
        const error = new DabbaError(reply.error.kind, reply.error.message);
        fail(error); // spent, for unread input may still be on its way to it
        throw error;
      }
      await written;
      await streams.beside;
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
    await Promise.all([this.#worker.terminate(), this.#decoder?.[Symbol.asyncDispose]()]);
  }
}
