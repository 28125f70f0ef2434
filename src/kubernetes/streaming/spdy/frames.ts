/** Frames of SPDY/3.1 (SPDY protocol draft 3.1, 2.2 and 2.6), as bytes and as values. Names of header blocks are dealt with in `header-block.ts`. */

export type Frame =
  | {
      readonly type: 'syn-stream';
      readonly streamId: number;
      readonly isFinal: boolean;
      readonly isUnidirectional: boolean;
      readonly block: Buffer;
    }
  | {
      readonly type: 'syn-reply' | 'headers';
      readonly streamId: number;
      readonly isFinal: boolean;
      readonly block: Buffer;
    }
  | { readonly type: 'rst-stream'; readonly streamId: number; readonly status: number }
  | { readonly type: 'settings'; readonly initialWindow: number | undefined }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goaway'; readonly lastStreamId: number }
  | { readonly type: 'window-update'; readonly streamId: number; readonly delta: number }
  /** A piece of a data frame, in order; `isFinal` is set with the last piece of the stream's last frame. */
  | { readonly type: 'data'; readonly streamId: number; readonly isFinal: boolean; readonly data: Buffer }
  /** Of a type that this version does not know; to be passed over (2.2.1). */
  | { readonly type: 'unknown' };

/** What breaks the protocol, after which nothing that comes can be understood. */
export class SpdyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SpdyError';
  }
}

const version = 3;
const headBytes = 8;
const [flagFinal, flagUnidirectional] = [1, 2] as const;
/** No honest control frame of ours is longer; blocks are compressed, so what they hold may be a thousand times that. */
const longestControlBytes = 8 * 1024;
const types = {
  'syn-stream': 1,
  'syn-reply': 2,
  'rst-stream': 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  'window-update': 9,
} as const;
const initialWindowSetting = 7;
const mask31 = 0x7fffffff;

/** Takes bytes as they come and gives frames. Data frames are given piecewise and never held; all else is bounded. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #data: { readonly streamId: number; readonly isFinal: boolean; left: number } | undefined;

  /** The frames that are complete with these bytes. Throws `SpdyError`. */
  *push(chunk: Buffer): Generator<Frame> {
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      const frame = this.#data ? this.#nextPiece() : this.#next();
      if (!frame) return;
      if (frame !== 'begun') yield frame;
    }
  }

  #nextPiece(): Frame | undefined {
    const { streamId, isFinal, left } = this.#data!;
    if (left > 0 && this.#rest.length === 0) return undefined;
    const data = this.#take(Math.min(left, this.#rest.length));
    const isLast = data.length === left;
    this.#data = isLast ? undefined : { streamId, isFinal, left: left - data.length };
    return { type: 'data', streamId, isFinal: isFinal && isLast, data };
  }

  #next(): Frame | 'begun' | undefined {
    if (this.#rest.length < headBytes) return undefined;
    const first = this.#rest.readUInt32BE(0);
    const flags = this.#rest[4]!;
    const length = this.#rest.readUIntBE(5, 3);
    if (first <= mask31) {
      this.#take(headBytes);
      this.#data = { streamId: first, isFinal: (flags & flagFinal) !== 0, left: length };
      return 'begun';
    }
    if (((first >>> 16) & 0x7fff) !== version) throw new SpdyError('a frame of another version');
    if (length > longestControlBytes) throw new SpdyError('a control frame is too long');
    if (this.#rest.length < headBytes + length) return undefined;
    this.#take(headBytes);
    return readControl(first & 0xffff, flags, this.#take(length));
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}

function readControl(type: number, flags: number, body: Buffer): Frame {
  const isFinal = (flags & flagFinal) !== 0;
  const needs = (length: number) => {
    if (body.length < length) throw new SpdyError('a control frame is too short');
  };
  const id = () => body.readUInt32BE(0) & mask31;
  switch (type) {
    case types['syn-stream']:
      needs(10);
      return {
        type: 'syn-stream',
        streamId: id(),
        isFinal,
        isUnidirectional: (flags & flagUnidirectional) !== 0,
        block: body.subarray(10),
      };
    case types['syn-reply']:
    case types.headers:
      needs(4);
      return {
        type: type === types.headers ? 'headers' : 'syn-reply',
        streamId: id(),
        isFinal,
        block: body.subarray(4),
      };
    case types['rst-stream']:
      needs(8);
      return { type: 'rst-stream', streamId: id(), status: body.readUInt32BE(4) };
    case types.settings:
      return { type: 'settings', initialWindow: readInitialWindow(body) };
    case types.ping:
      needs(4);
      return { type: 'ping', id: body.readUInt32BE(0) };
    case types.goaway:
      needs(4);
      return { type: 'goaway', lastStreamId: id() };
    case types['window-update']:
      needs(8);
      return { type: 'window-update', streamId: id(), delta: body.readUInt32BE(4) & mask31 };
    default:
      return { type: 'unknown' };
  }
}

/** `count`, then flags, id and value of each setting. */
function readInitialWindow(body: Buffer): number | undefined {
  if (body.length < 4 || body.length < 4 + body.readUInt32BE(0) * 8)
    throw new SpdyError('a SETTINGS frame is too short');
  for (let at = 4; at < 4 + body.readUInt32BE(0) * 8; at += 8)
    if (body.readUIntBE(at + 1, 3) === initialWindowSetting) return body.readUInt32BE(at + 4) & mask31;
  return undefined;
}

type Written = Exclude<Frame, { readonly type: 'unknown' | 'settings' }>;

/** The bytes of a frame. The data of a data frame is at most 2^24-1 bytes. */
export function encodeFrame(frame: Written): Buffer {
  const flags = 'isFinal' in frame && frame.isFinal ? flagFinal : 0;
  if (frame.type === 'data') {
    const head = Buffer.alloc(headBytes);
    head.writeUInt32BE(frame.streamId, 0);
    head[4] = flags;
    head.writeUIntBE(frame.data.length, 5, 3);
    return Buffer.concat([head, frame.data]);
  }
  const body = controlBody(frame);
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE((0x80000000 | (version << 16) | types[frame.type]) >>> 0, 0);
  head[4] = flags | (frame.type === 'syn-stream' && frame.isUnidirectional ? flagUnidirectional : 0);
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function controlBody(frame: Exclude<Written, { readonly type: 'data' }>): Buffer {
  const numbers = (...values: readonly number[]) => {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
    return bytes;
  };
  switch (frame.type) {
    case 'syn-stream':
      // No stream that it belongs to, highest priority, no slot.
      return Buffer.concat([numbers(frame.streamId, 0), Buffer.alloc(2), frame.block]);
    case 'syn-reply':
    case 'headers':
      return Buffer.concat([numbers(frame.streamId), frame.block]);
    case 'rst-stream':
      return numbers(frame.streamId, frame.status);
    case 'ping':
      return numbers(frame.id);
    case 'goaway':
      return numbers(frame.lastStreamId, 0);
    default:
      return numbers(frame.streamId, frame.delta);
  }
}
