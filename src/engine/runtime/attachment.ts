import { DabbaError } from '#base';
import { KernelError, connectSeqpacket, type SeqpacketConnection } from '#kernel';
import type { AttachOptions, Attachment } from '../engine.ts';

/** conmon reads its clients' packets into a buffer of 32 KiB and its container's output in pieces of 8 KiB. */
const packetBytes = 8 * 1024;
const streams: { readonly [type: number]: 'stdout' | 'stderr' } = { 2: 'stdout', 3: 'stderr' };

/**
 * A client of conmon's attach socket. It may be made before there is such a socket: `connect` is called when the process is about to start,
 * `end` when it never will.
 */
export class ProcessAttachment implements Attachment {
  readonly output: Attachment['output'];
  readonly #options: AttachOptions;
  readonly #connected = Promise.withResolvers<SeqpacketConnection | undefined>();
  #connection: SeqpacketConnection | undefined;
  readonly #open: Set<AsyncDisposable>;
  #isDisposed = false;

  /** `open` holds it until it is disposed or its process has closed its streams. */
  constructor(options: AttachOptions, open: Set<AsyncDisposable>) {
    this.#options = options;
    this.#open = open;
    open.add(this);
    this.output = this.#read();
  }

  /** Connects to the process's socket, once. A process that has just ended has none: then the output ends at once. */
  connect(socketPath: string): void {
    if (this.#isDisposed || this.#connection) return;
    try {
      this.#connection = connectSeqpacket(socketPath);
    } catch (error) {
      if (!(error instanceof KernelError) || !['ENOENT', 'ECONNREFUSED'].includes(error.code)) throw error;
    }
    this.#connected.resolve(this.#connection);
    // Output nobody asked for must still be taken, or the process would block on it.
    if (!this.#options.stdout && !this.#options.stderr) void this.#drain();
  }

  /** There will be no process to connect to. */
  end(): void {
    this.#open.delete(this);
    this.#connected.resolve(undefined);
  }

  async write(data: Uint8Array): Promise<void> {
    const connection = await this.#connected.promise;
    if (!this.#options.stdin) throw new DabbaError('FailedPrecondition', 'this attachment has no input');
    for (let offset = 0; offset < data.length; offset += packetBytes)
      await connection?.send(data.subarray(offset, offset + packetBytes)).catch(ignoreEnded);
  }

  async closeInput(): Promise<void> {
    const connection = await this.#connected.promise;
    if (this.#options.stdin) connection?.shutdownSend();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#open.delete(this);
    this.#connection?.[Symbol.dispose]();
    this.#connected.resolve(undefined);
    return Promise.resolve();
  }

  async *#read(): AsyncGenerator<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }> {
    const connection = await this.#connected.promise;
    if (!connection) return;
    for await (const packet of connection.packets()) {
      const stream = streams[packet[0] ?? 0];
      if (stream && this.#options[stream]) yield { stream, data: packet.subarray(1) };
    }
    await this[Symbol.asyncDispose]();
  }

  async #drain(): Promise<void> {
    for await (const _ of this.output);
  }
}

/** A process that has ended takes no more input, as with a closed pipe; what it did is told by its exit. */
function ignoreEnded(error: unknown): void {
  if (error instanceof KernelError && ['EPIPE', 'ENOTCONN', 'ECONNRESET'].includes(error.code)) return;
  throw error;
}
