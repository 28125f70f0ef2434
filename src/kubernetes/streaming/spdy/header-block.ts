import { Unzlib } from 'fflate';
import { dictionary } from './dictionary.ts';
import { SpdyError } from './frames.ts';

/** Headers of a stream, names in lower case. */
export type Headers = ReadonlyMap<string, string>;

const [mostHeaders, longestBlockBytes] = [64, 16 * 1024] as const;

/** Reads the header blocks of one direction of a connection: all of them are one compressed stream (draft 3, 2.6.10.1). */
export class HeaderBlockReader {
  readonly #inflate = new Unzlib({ dictionary });
  #bytes: Buffer[] = [];

  constructor() {
    this.#inflate.ondata = (piece) => void this.#bytes.push(Buffer.from(piece));
  }

  /** Throws `SpdyError`; nothing more can be read then. */
  read(block: Buffer): Headers {
    this.#bytes = [];
    try {
      this.#inflate.push(block);
    } catch (cause) {
      throw new SpdyError(`a header block is not compressed as it should be: ${String(cause)}`);
    }
    return parse(Buffer.concat(this.#bytes));
  }
}

/** `count`, then length and text of each name and value. */
function parse(bytes: Buffer): Headers {
  if (bytes.length > longestBlockBytes) throw new SpdyError('a header block is too long');
  const headers = new Map<string, string>();
  let at = 0;
  const number = () => {
    if (at + 4 > bytes.length) throw new SpdyError('a header block ends early');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = () => {
    const length = number();
    if (length > bytes.length - at) throw new SpdyError('a header block ends early');
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const count = number();
  if (count > mostHeaders) throw new SpdyError('a header block has too many headers');
  for (let index = 0; index < count; index++) {
    const name = text().toLowerCase();
    headers.set(name, text());
  }
  return headers;
}

/** An empty stored block: what a compressor writes to say that all before it can be read now, and what Go's reader waits for. */
const flush = Buffer.from([0, 0, 0, 0xff, 0xff]);

/**
 * Writes header blocks for one direction of a connection. They are stored, not compressed: ours are short, and what is not compressed tells nothing by its length. To the other
 * end it is a zlib stream like any other.
 */
export class HeaderBlockWriter {
  #isBegun = false;

  write(headers: Headers): Buffer {
    const plain = [count(headers.size)];
    for (const [name, value] of headers) plain.push(...lengthened(name.toLowerCase()), ...lengthened(value));
    const text = Buffer.concat(plain);
    // RFC 1950: 32 KiB window, the dictionary's checksum. RFC 1951, 3.2.4: a stored block, not the last.
    const begin = this.#isBegun ? [] : [0x78, 0x20, 0xe3, 0xc6, 0xa7, 0xc2];
    this.#isBegun = true;
    const head = Buffer.alloc(5);
    head.writeUInt16LE(text.length, 1);
    head.writeUInt16LE(text.length ^ 0xffff, 3);
    return Buffer.concat([Buffer.from(begin), head, text, flush]);
  }
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function lengthened(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text);
  return [count(bytes.length), bytes];
}
