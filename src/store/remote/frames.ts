import type { Socket } from 'node:net';
import { DabbaError } from '#base';

/** A message: JSON, and beside it the byte strings that it refers to by index. */
export interface Frame {
  readonly head: unknown;
  readonly blobs: readonly Buffer[];
}

/** Collects the byte strings of one message. */
export class Blobs {
  readonly list: Uint8Array[] = [];

  /** Returns the index by which the message refers to `bytes`. */
  add(bytes: Uint8Array): number {
    return this.list.push(bytes) - 1;
  }
}

/** Largest frame taken from a peer. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** Length of the whole frame behind this field, then length of the JSON. */
const PREFIX_BYTES = 8;

/**
 * Frames over a socket: `u32 size, u32 jsonSize, {"head": …, "sizes": […]}, blobs…`, big endian. What is sent within one turn of the event
 * loop leaves in one write.
 */
export class FrameSocket {
  readonly socket: Socket;
  readonly #onFrame: (frame: Frame) => void;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #isCorked = false;

  constructor(socket: Socket, onFrame: (frame: Frame) => void) {
    this.socket = socket;
    this.#onFrame = onFrame;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  send(head: unknown, blobs: readonly Uint8Array[] = []): void {
    if (this.socket.destroyed) return;
    const json = Buffer.from(JSON.stringify({ head, sizes: blobs.map(({ length }) => length) }));
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
    prefix.writeUInt32BE(4 + json.length + blobs.reduce((sum, { length }) => sum + length, 0), 0);
    prefix.writeUInt32BE(json.length, 4);
    this.#cork();
    for (const part of [prefix, json, ...blobs]) this.socket.write(part);
  }

  /** Resolves when the peer has taken enough of what was sent, or is gone. */
  async drained(): Promise<void> {
    if (!this.socket.writableNeedDrain || this.socket.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.socket.once('drain', resolve).once('close', resolve);
    await promise;
    this.socket.off('drain', resolve).off('close', resolve);
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.socket.cork();
    setImmediate(() => {
      this.#isCorked = false;
      this.socket.uncork();
    });
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    try {
      for (let frame = this.#next(); frame; frame = this.#next()) this.#onFrame(frame);
    } catch (error) {
      // Whoever sends something else than frames is no peer of ours.
      this.socket.destroy(error as Error);
    }
  }

  #next(): Frame | undefined {
    if (this.#bufferedBytes < PREFIX_BYTES) return undefined;
    if (this.#chunks[0]!.length < PREFIX_BYTES) this.#join();
    const size = 4 + this.#chunks[0]!.readUInt32BE(0);
    if (size > MAX_FRAME_BYTES) throw new DabbaError('InvalidArgument', `a frame of ${size} bytes is too large`);
    if (this.#bufferedBytes < size) return undefined;
    const bytes = this.#join();
    this.#chunks = bytes.length > size ? [bytes.subarray(size)] : [];
    this.#bufferedBytes -= size;
    return parseFrame(bytes.subarray(0, size));
  }

  #join(): Buffer {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    return bytes;
  }
}

function parseFrame(bytes: Buffer): Frame {
  const jsonEnd = PREFIX_BYTES + bytes.readUInt32BE(4);
  if (jsonEnd > bytes.length) throw new DabbaError('InvalidArgument', 'a frame ends within its JSON');
  // `send` is the only writer of frames; a peer that made up its own fails in the checks below or in those of the message's reader.
  const { head, sizes } = JSON.parse(bytes.toString('utf8', PREFIX_BYTES, jsonEnd)) as {
    head: unknown;
    sizes: readonly number[];
  };
  let at = jsonEnd;
  const blobs = sizes.map((size) => {
    if (!(size >= 0) || at + size > bytes.length)
      throw new DabbaError('InvalidArgument', 'a frame ends within a value');
    at += size;
    // A copy: a value that is kept must not keep its whole frame.
    return Buffer.from(bytes.subarray(at - size, at));
  });
  return { head, blobs };
}
