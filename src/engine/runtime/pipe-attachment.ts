import { Socket } from 'node:net';
import { DabbaError, systemCode } from '#base';
import { PipeReader } from '#kernel';
import type { Attachment } from '../engine.ts';

type Output = { readonly stream: 'stdout' | 'stderr'; readonly data: Buffer };

/** Our ends of a process's pipes. */
export interface ProcessPipes {
  /** Absent when it has no input. */
  readonly stdin?: number;
  readonly stdout: number;
  readonly stderr: number;
}

/** Both directions of a process that writes into our pipes. Once disposed its output is still read, and dropped, so that it never blocks. */
export class PipeAttachment implements Attachment {
  readonly output: AsyncIterable<Output>;
  readonly #input: Socket | undefined;
  readonly #readers: readonly PipeReader[];
  /** What was read and waits to be taken, a piece of each pipe at most. */
  readonly #waiting: { readonly item: Output; readonly onTaken: () => void }[] = [];
  #arrival = Promise.withResolvers<void>();
  #isDisposed = false;
  #isFinished = false;
  /** Everything was read. */
  #hasEnded = false;

  constructor({ stdin, stdout, stderr }: ProcessPipes) {
    const [out, err] = [new PipeReader(stdout), new PipeReader(stderr)];
    this.#readers = [out, err];
    this.#input = stdin === undefined ? undefined : new Socket({ fd: stdin, readable: false, writable: true });
    // A process that does not read closes the pipe under us; its exit code tells the rest.
    this.#input?.on('error', () => this.#input?.destroy());
    this.output = this.#read();
    void this.#pump(out, err);
  }

  write(data: Uint8Array): Promise<void> {
    const input = this.#input;
    if (!input) return Promise.reject(new DabbaError('FailedPrecondition', 'this attachment has no input'));
    if (input.destroyed || input.writableEnded) return Promise.resolve();
    return new Promise((resolve, reject) =>
      input.write(data, (error) => (error && !isGone(error) ? reject(error) : resolve())),
    );
  }

  closeInput(): Promise<void> {
    this.#input?.end();
    return Promise.resolve();
  }

  /** The process has ended: what it wrote is the whole output, though what it started may hold the pipes still. */
  finish(): void {
    this.#isFinished = true;
    for (const reader of this.#readers) reader.finish();
    this.#input?.destroy();
  }

  /** Lets go of the pipes of a process that runs: when it writes to them it meets a closed pipe. What one that has ended wrote is read still. */
  close(): void {
    if (this.#isFinished) return;
    for (const reader of this.#readers) reader[Symbol.dispose]();
    this.#input?.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    for (const { onTaken } of this.#waiting.splice(0)) onTaken();
    this.#arrival.resolve();
    this.#input?.end();
    return Promise.resolve();
  }

  async #pump(stdout: PipeReader, stderr: PipeReader): Promise<void> {
    await Promise.all([this.#pumpOne('stdout', stdout), this.#pumpOne('stderr', stderr)]);
    this.#hasEnded = true;
    this.#arrival.resolve();
  }

  async #pumpOne(stream: Output['stream'], reader: PipeReader): Promise<void> {
    using held = reader;
    for (let data = await held.read(); data; data = await held.read()) {
      if (this.#isDisposed) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push({ item: { stream, data }, onTaken: resolve });
      this.#arrival.resolve();
      await promise;
    }
  }

  async *#read(): AsyncGenerator<Output> {
    while (!this.#isDisposed) {
      const next = this.#waiting.shift();
      if (next) {
        next.onTaken(); // first, for nobody may come back
        yield next.item;
      } else if (this.#hasEnded) return;
      else {
        this.#arrival = Promise.withResolvers();
        await this.#arrival.promise;
      }
    }
  }
}

function isGone(error: Error): boolean {
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes(systemCode(error) ?? '');
}
