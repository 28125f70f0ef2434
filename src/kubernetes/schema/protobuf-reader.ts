/** The protobuf wire format: tags, varints, and bytes behind their length. Reads past the end throw, so that hostile bytes cannot. */

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 };
const utf8 = new TextDecoder('utf-8', { fatal: true });

export class ProtobufReader {
  readonly #bytes: Buffer;
  #position = 0;
  #end: number;
  #type = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#end = bytes.length;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** Reads the next tag; undefined at the end. The caller then reads or skips its value. */
  next(): { readonly number: number } | undefined {
    if (this.isAtEnd) return undefined;
    const tag = this.#varint();
    this.#type = Number(tag & 7n);
    const number = Number(tag >> 3n);
    if (number < 1 || number > 0x1fffffff) throw new Error(`illegal tag ${tag}`);
    return { number };
  }

  /** The value at hand has a length: a list of numbers may stand in it. */
  get isPacked(): boolean {
    return this.#type === wire.bytes;
  }

  /** A whole number, signed; what JSON cannot hold exactly is rounded. */
  integer(): number {
    this.#expect(wire.varint);
    return this.packedInteger();
  }

  packedInteger(): number {
    return Number(BigInt.asIntN(64, this.#varint()));
  }

  double(): number {
    this.#expect(wire.fixed64);
    return this.#take(8).readDoubleLE(0);
  }

  text(): string {
    return utf8.decode(this.bytes());
  }

  /** A view, valid as long as the reader's bytes. */
  bytes(): Uint8Array {
    this.#expect(wire.bytes);
    return this.#take(Number(this.#varint()));
  }

  /** Reads the message at hand with `read`, which ends where the message does. */
  within<Value>(read: () => Value): Value {
    this.#expect(wire.bytes);
    const size = Number(this.#varint());
    const outer = this.#end;
    const end = this.#position + size;
    if (end > outer) throw new Error('unexpected EOF');
    this.#end = end;
    const value = read();
    this.#position = end;
    this.#end = outer;
    return value;
  }

  skip(): undefined {
    if (this.#type === wire.varint) this.#varint();
    else if (this.#type === wire.fixed64) this.#take(8);
    else if (this.#type === wire.bytes) this.bytes();
    else if (this.#type === wire.fixed32) this.#take(4);
    else throw new Error(`illegal wireType ${this.#type}`);
    return undefined;
  }

  #expect(type: number): void {
    if (this.#type !== type) throw new Error(`wrong wireType = ${this.#type}`);
  }

  #take(size: number): Buffer {
    const start = this.#position;
    if (size > this.#end - start) throw new Error('unexpected EOF');
    this.#position = start + size;
    return this.#bytes.subarray(start, start + size);
  }

  #varint(): bigint {
    const byte = this.#byte();
    if (byte < 128) return BigInt(byte);
    let value = BigInt(byte & 127);
    for (let shift = 7n; shift < 70n; shift += 7n) {
      const next = this.#byte();
      value |= BigInt(next & 127) << shift;
      if (next < 128) return value;
    }
    throw new Error('integer overflow');
  }

  #byte(): number {
    if (this.isAtEnd) throw new Error('unexpected EOF');
    const byte = this.#bytes[this.#position]!;
    this.#position += 1;
    return byte;
  }
}
