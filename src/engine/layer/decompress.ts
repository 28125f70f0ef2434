import { pipeline, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { DabbaError, systemCode } from '#base';
import type { Pieces } from './verify.ts';

/**
 * Several chunks are decoded ahead, on a pool thread. Each is large, for that thread is woken for it, and stays below what malloc maps anew from the
 * kernel (mallopt(3), `M_MMAP_THRESHOLD`: 128 KiB), so that its memory serves again.
 */
const options = { chunkSize: 120 * 1024, readableHighWaterMark: 1024 ** 2 };

/** A stream as it comes, and whether it has to be decoded. */
export interface Sniffed {
  readonly isCompressed: boolean;
  readonly bytes: AsyncIterable<Buffer>;
  /** The plain bytes of `bytes`. Faults of compression throw `InvalidArgument`. */
  decode(bytes: Pieces): Pieces;
}

/** True if an archive that begins so is gzip or zstd. */
export function isCompressed(head: Buffer): boolean {
  return decoderFor(head) !== undefined;
}

/** Tells by its first bytes whether a stream is gzip, zstd or plain. */
export async function sniff(source: AsyncIterable<Buffer>): Promise<Sniffed> {
  const input = source[Symbol.asyncIterator]();
  const head = await headOf(input);
  const makeDecoder = decoderFor(head);
  const bytes = chain(head, input);
  return makeDecoder
    ? { isCompressed: true, bytes, decode: (compressed) => decode(compressed, makeDecoder()) }
    : { isCompressed: false, bytes, decode: (plain) => plain };
}

async function* decode(source: Pieces, decoder: Transform): AsyncGenerator<Buffer, void> {
  // A failure of either side destroys the decoder, and the loop below throws it.
  pipeline(source, decoder, () => undefined);
  try {
    for await (const chunk of decoder) yield chunk as Buffer; // the decoder is in byte mode
  } catch (error) {
    const code = systemCode(error);
    if (code?.startsWith('Z_') || code?.startsWith('ZSTD_') || code === 'ERR_ZLIB_INITIALIZATION_FAILED')
      throw new DabbaError('InvalidArgument', `compressed data is damaged: ${code}`, { cause: error });
    throw error;
  }
}

/** At least the four bytes that tell the format, or all there are. */
async function headOf(input: AsyncIterator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 4) {
    const { done, value } = await input.next();
    if (done) break;
    head = head.length === 0 ? value : Buffer.concat([head, value]);
  }
  return head;
}

function decoderFor(head: Buffer): (() => Transform) | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return () => createGunzip(options);
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return () => createZstdDecompress(options);
  return undefined;
}

async function* chain(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void> {
  if (head.length > 0) yield head;
  for (;;) {
    const { done, value } = await rest.next();
    if (done) return;
    yield value;
  }
}
