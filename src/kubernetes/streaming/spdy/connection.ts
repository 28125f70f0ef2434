import type { Duplex } from 'node:stream';
import { encodeFrame, FrameReader, type Frame, SpdyError } from './frames.ts';
import { HeaderBlockReader, HeaderBlockWriter, type Headers } from './header-block.ts';
import { SpdyStream } from './stream.ts';

export interface SpdyOptions {
  /** Servers take odd stream ids and give even ones. */
  readonly role: 'server' | 'client';
  /** A stream that the other end began. It was answered already. */
  readonly onStream: (stream: SpdyStream) => void;
}

const initialWindowBytes = 64 * 1024;
const longestDataBytes = 16 * 1024;
/** What one stream may hold of what nobody reads, before the whole connection waits: clients of Kubernetes know no windows (moby/spdystream). */
const mostHeldBytes = 1024 * 1024;
const mostStreams = 512;
const [invalidStream, refusedStream, cancelled] = [2, 3, 5] as const;

interface Open {
  readonly stream: SpdyStream;
  /** What we may still send; without bound as long as the other end never spoke of windows. */
  window: number;
  waiting:
    | { readonly data: Buffer; readonly isFinal: boolean; readonly done: (error?: Error | null) => void }
    | undefined;
  /** Received and not yet told as consumed. */
  unacknowledged: number;
}

/** One SPDY/3.1 connection over any duplex. Ends with it. */
export class SpdyConnection {
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #wire: Duplex;
  readonly #options: SpdyOptions;
  readonly #frames = new FrameReader();
  readonly #reader = new HeaderBlockReader();
  readonly #writer = new HeaderBlockWriter();
  readonly #open = new Map<number, Open>();
  #lastReceived = 0;
  #nextId: number;
  #initialWindow = Infinity;
  #connectionWindow = Infinity;
  #unacknowledged = 0;

  constructor(wire: Duplex, options: SpdyOptions) {
    this.#wire = wire;
    this.#options = options;
    this.#nextId = options.role === 'server' ? 2 : 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    wire.on('data', (chunk: Buffer) => this.#receive(chunk));
    // An error is followed by `close`, which ends everything.
    wire.on('error', () => undefined);
    wire.once('end', () => this.#wire.end());
    wire.once('close', () => {
      for (const { stream, waiting } of this.#open.values()) {
        waiting?.done(new Error('the connection is over'));
        stream.receiveReset();
      }
      this.#open.clear();
      resolve();
    });
  }

  /** Begins a stream. */
  createStream(headers: Headers): SpdyStream {
    const streamId = this.#nextId;
    this.#nextId += 2;
    const block = this.#writer.write(headers);
    this.#send({ type: 'syn-stream', streamId, isFinal: false, isUnidirectional: false, block });
    return this.#add(streamId, headers);
  }

  /** Says goodbye and ends the connection once everything was sent. */
  close(): void {
    if (this.#wire.writableEnded) return;
    this.#send({ type: 'goaway', lastStreamId: this.#lastReceived });
    this.#wire.end();
  }

  destroy(): void {
    this.#wire.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) this.#take(frame);
    } catch (error) {
      if (!(error instanceof SpdyError)) throw error;
      this.destroy();
    }
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'syn-stream':
        return this.#begin(frame);
      case 'syn-reply':
      case 'headers':
        // Read whatever they say: the blocks of a connection are one compressed stream.
        this.#reader.read(frame.block);
        if (frame.isFinal) this.#open.get(frame.streamId)?.stream.receiveEnd();
        return;
      case 'data':
        return this.#takeData(frame);
      case 'rst-stream':
        return this.#open.get(frame.streamId)?.stream.receiveReset();
      case 'ping': {
        // Ids tell who asked; the answer to ours is of no interest.
        const isTheirs = frame.id % 2 === (this.#options.role === 'server' ? 1 : 0);
        return isTheirs ? this.#send(frame) : undefined;
      }
      case 'settings':
        if (frame.initialWindow !== undefined) this.#setInitialWindow(frame.initialWindow);
        return;
      case 'window-update':
        return this.#widen(frame);
      case 'goaway':
      case 'unknown':
    }
  }

  #begin({ streamId, isFinal, isUnidirectional, block }: Extract<Frame, { type: 'syn-stream' }>): void {
    const headers = this.#reader.read(block);
    const isTheirs = streamId % 2 === (this.#options.role === 'server' ? 1 : 0);
    if (!isTheirs || streamId <= this.#lastReceived) throw new SpdyError(`stream ${streamId} was not theirs to begin`);
    this.#lastReceived = streamId;
    if (this.#open.size >= mostStreams) return this.#send({ type: 'rst-stream', streamId, status: refusedStream });
    const stream = this.#add(streamId, headers);
    if (!isUnidirectional)
      this.#send({ type: 'syn-reply', streamId, isFinal: false, block: this.#writer.write(new Map()) });
    if (isFinal) stream.receiveEnd();
    this.#options.onStream(stream);
  }

  #add(streamId: number, headers: Headers): SpdyStream {
    const stream = new SpdyStream(streamId, headers, {
      send: (data, isFinal, done) => this.#queue(streamId, { data, isFinal, done }),
      consumed: () => this.#consumed(streamId),
      reset: () => this.#send({ type: 'rst-stream', streamId, status: cancelled }),
      onClose: () => {
        this.#open.delete(streamId);
        this.#resume();
      },
    });
    // Whoever reads or writes it meets the failure; nobody has to.
    stream.on('error', () => undefined);
    this.#open.set(streamId, { stream, window: this.#initialWindow, waiting: undefined, unacknowledged: 0 });
    return stream;
  }

  #takeData({ streamId, isFinal, data }: Extract<Frame, { type: 'data' }>): void {
    const open = this.#open.get(streamId);
    this.#unacknowledged += data.length;
    if (!open) {
      // What was on its way when we let go of the stream; one that never was is told so.
      if (streamId > this.#lastReceived) this.#send({ type: 'rst-stream', streamId, status: invalidStream });
      return this.#acknowledge();
    }
    open.unacknowledged += data.length;
    open.stream.receive(data);
    if (isFinal) open.stream.receiveEnd();
    if (open.stream.readableLength > mostHeldBytes) this.#wire.pause();
    this.#acknowledge(open);
  }

  #consumed(streamId: number): void {
    const open = this.#open.get(streamId);
    if (open) this.#acknowledge(open);
    this.#resume();
  }

  #resume(): void {
    if (!this.#wire.isPaused()) return;
    const isFull = this.#open.values().some(({ stream }) => stream.readableLength > mostHeldBytes);
    if (!isFull) this.#wire.resume();
  }

  /** Widens the other end's windows when half of them is used and taken. */
  #acknowledge(open?: Open): void {
    if (this.#unacknowledged >= initialWindowBytes / 2) {
      this.#send({ type: 'window-update', streamId: 0, delta: this.#unacknowledged });
      this.#unacknowledged = 0;
    }
    if (!open) return;
    const taken = open.unacknowledged - open.stream.readableLength;
    if (taken < initialWindowBytes / 2) return;
    open.unacknowledged -= taken;
    this.#send({ type: 'window-update', streamId: open.stream.id, delta: taken });
  }

  #queue(streamId: number, waiting: NonNullable<Open['waiting']>): void {
    const open = this.#open.get(streamId);
    if (!open) return waiting.done(new Error('the connection is over'));
    open.waiting = waiting;
    this.#flush(open);
  }

  /** Sends what the windows allow; a stream has one write under way at a time. */
  #flush(open: Open): void {
    const { waiting, stream } = open;
    if (!waiting) return;
    let { data } = waiting;
    for (;;) {
      const size = Math.min(data.length, longestDataBytes, open.window, this.#connectionWindow);
      const isLast = size === data.length;
      if (size > 0 || (isLast && waiting.isFinal)) {
        open.window -= size;
        this.#connectionWindow -= size;
        const frame = {
          type: 'data',
          streamId: stream.id,
          isFinal: isLast && waiting.isFinal,
          data: data.subarray(0, size),
        } as const;
        if (isLast) {
          open.waiting = undefined;
          this.#send(frame, waiting.done);
          return;
        }
        this.#send(frame);
        data = data.subarray(size);
      } else if (isLast) {
        open.waiting = undefined;
        return waiting.done();
      } else {
        open.waiting = { ...waiting, data };
        return;
      }
    }
  }

  #setInitialWindow(size: number): void {
    for (const open of this.#open.values()) {
      open.window = this.#initialWindow === Infinity ? size : open.window + size - this.#initialWindow;
      this.#flush(open);
    }
    this.#initialWindow = size;
  }

  /** Windows count from the first word about them on; what was sent before is not held against them. */
  #widen({ streamId, delta }: Extract<Frame, { type: 'window-update' }>): void {
    if (streamId === 0) {
      this.#connectionWindow =
        (this.#connectionWindow === Infinity ? initialWindowBytes : this.#connectionWindow) + delta;
      for (const open of this.#open.values()) this.#flush(open);
      return;
    }
    const open = this.#open.get(streamId);
    if (!open) return;
    open.window = (open.window === Infinity ? initialWindowBytes : open.window) + delta;
    this.#flush(open);
  }

  #send(frame: Parameters<typeof encodeFrame>[0], done?: (error?: Error | null) => void): void {
    if (this.#wire.destroyed || this.#wire.writableEnded) return done?.(new Error('the connection is over'));
    const hasRoom = this.#wire.write(encodeFrame(frame));
    if (!done) return;
    if (hasRoom) return done();
    // The stream waits for room on the wire, or for its end.
    const settle = () => {
      this.#wire.off('drain', settle).off('close', settle);
      done();
    };
    this.#wire.once('drain', settle).once('close', settle);
  }
}
