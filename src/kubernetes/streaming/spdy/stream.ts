import { Duplex } from 'node:stream';
import type { Headers } from './header-block.ts';

/** What a stream asks of its connection. */
export interface StreamPorts {
  /** Calls back when the bytes were taken. */
  send(data: Buffer, isFinal: boolean, done: (error?: Error | null) => void): void;
  /** Some of what was received is no longer held. */
  consumed(): void;
  reset(): void;
  onClose(): void;
}

/** One stream of a SPDY connection. Ending it sends the end of our half, destroying it before that a RST_STREAM. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #ports: StreamPorts;
  #isReset = false;
  #hasEnd = false;

  constructor(id: number, headers: Headers, ports: StreamPorts) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#ports = ports;
  }

  /** Bytes from the other end. */
  receive(data: Buffer): void {
    if (this.destroyed || this.readableEnded) this.#ports.consumed();
    else this.push(data);
  }

  /** The other end will send nothing more. */
  receiveEnd(): void {
    if (this.destroyed || this.#hasEnd) return;
    this.#hasEnd = true;
    this.push(null);
  }

  /** The other end is gone, or not interested any more. What it had sent to its end can still be read. */
  receiveReset(): void {
    this.#isReset = true;
    if (this.#hasEnd && !this.readableEnded) this.once('end', () => this.destroy());
    else this.destroy();
  }

  override _read(): void {
    // The connection counts by what is held, whenever something was taken.
    this.#ports.consumed();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#ports.send(chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#ports.send(Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isReset && !(this.writableFinished && this.readableEnded)) this.#ports.reset();
    this.#ports.onClose();
    done(error);
  }
}
