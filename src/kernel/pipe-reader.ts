import { closeSync, readSync } from 'node:fs';
import { systemCode } from '#base';
import { check, libcFunction } from './libc.ts';
import { watchDescriptor, type DescriptorWatch } from './readiness.ts';

const control = libcFunction<(fd: number, command: number, value: number) => number>('int fcntl(int, int, int)');
const [setStatusFlags, nonBlocking] = [4, 0o4000] as const;
const chunkBytes = 64 * 1024;

/**
 * The read end of a pipe, read piece by piece and only when asked for. Unlike a stream it can be told that enough was written: whoever else holds
 * the other end, what is in the pipe by then is the rest. For one reader.
 */
export class PipeReader implements Disposable {
  readonly #fd: number;
  readonly #watch: DescriptorWatch;
  #isEnding = false;
  #isClosed = false;

  /** `fd` is its own from now on. */
  constructor(fd: number) {
    this.#fd = fd;
    check(control(fd, setStatusFlags, nonBlocking), 'fcntl', `descriptor ${fd}`);
    this.#watch = watchDescriptor(fd);
  }

  /** The next piece; undefined at the end, or once disposed. */
  async read(): Promise<Buffer | undefined> {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    while (!this.#isClosed) {
      const size = this.#take(buffer);
      if (size !== undefined) return size === 0 ? undefined : Buffer.from(buffer.subarray(0, size));
      if (this.#isEnding) return undefined;
      await this.#watch.readable();
    }
    return undefined;
  }

  /** From now on an empty pipe is the end. */
  finish(): void {
    this.#isEnding = true;
    this.#watch[Symbol.dispose](); // wakes the reader
  }

  /** Undefined when there is nothing to be had yet. */
  #take(buffer: Buffer): number | undefined {
    try {
      return readSync(this.#fd, buffer);
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch[Symbol.dispose]();
    closeSync(this.#fd);
  }
}
