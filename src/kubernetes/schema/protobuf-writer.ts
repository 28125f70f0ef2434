/**
 * The protobuf wire format, written from the end to the beginning: a message is behind its length, which is known only once the message is there. What is written first comes
 * last.
 */

const wire = { varint: 0, fixed64: 1, bytes: 2 };
const firstSize = 4096;
/** Longer texts are written faster by Node's own code than by a loop. */
const shortText = 24;

export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(firstSize);
  #start = firstSize;

  /** How much has been written: a message's length is a difference of two. */
  get size(): number {
    return this.#bytes.length - this.#start;
  }

  /** All that was written, in order, as a copy; the writer begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(this.#start));
    this.#start = this.#bytes.length;
    return taken;
  }

  text(number: number, text: string): void {
    const end = this.size;
    if (!this.#shortAscii(text)) {
      const size = Buffer.byteLength(text);
      this.#reserve(size);
      this.#start -= size;
      this.#bytes.write(text, this.#start);
    }
    this.endMessage(number, end);
  }

  bytes(number: number, bytes: Uint8Array): void {
    const end = this.size;
    this.#reserve(bytes.length);
    this.#start -= bytes.length;
    this.#bytes.set(bytes, this.#start);
    this.endMessage(number, end);
  }

  /** A whole number, signed. */
  integer(number: number, value: number): void {
    this.#varint(value);
    this.#tag(number, wire.varint);
  }

  /** A whole number that may be greater than JSON holds exactly. */
  bigInteger(number: number, value: bigint): void {
    this.#bigVarint(value);
    this.#tag(number, wire.varint);
  }

  double(number: number, value: number): void {
    this.#reserve(8);
    this.#start -= 8;
    this.#bytes.writeDoubleLE(value, this.#start);
    this.#tag(number, wire.fixed64);
  }

  /** Makes a message, or text, of field `number` of what was written since `size` was `end`. */
  endMessage(number: number, end: number): void {
    this.head(number, this.size - end);
  }

  /** What stands before a message of so many bytes. */
  head(number: number, messageBytes: number): void {
    this.#varint(messageBytes);
    this.#tag(number, wire.bytes);
  }

  #tag(number: number, type: number): void {
    this.#varint(number * 8 + type);
  }

  #varint(value: number): void {
    if (value >= 0 && value < 128) {
      this.#reserve(1);
      this.#bytes[--this.#start] = value;
    } else if (value >= 0 && value < 2 ** 31) this.#smallVarint(value);
    else this.#bigVarint(BigInt(Number.isFinite(value) ? Math.trunc(value) : 0));
  }

  #smallVarint(value: number): void {
    const size = value < 1 << 14 ? 2 : value < 1 << 21 ? 3 : value < 1 << 28 ? 4 : 5;
    this.#reserve(size);
    this.#start -= size;
    for (let index = 0; index < size; index += 1)
      this.#bytes[this.#start + index] = ((value >>> (7 * index)) & 127) | (index < size - 1 ? 128 : 0);
  }

  #bigVarint(value: bigint): void {
    const digits: number[] = [];
    for (let rest = BigInt.asUintN(64, value); digits.length === 0 || rest > 0n; rest >>= 7n)
      digits.push(Number(rest & 127n));
    this.#reserve(digits.length);
    this.#start -= digits.length;
    for (const [index, digit] of digits.entries())
      this.#bytes[this.#start + index] = digit | (index < digits.length - 1 ? 128 : 0);
  }

  /** False, with nothing written, for a text that is long or not ASCII alone. */
  #shortAscii(text: string): boolean {
    if (text.length > shortText) return false;
    this.#reserve(text.length);
    const start = this.#start - text.length;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 127) return false;
      this.#bytes[start + index] = code;
    }
    this.#start = start;
    return true;
  }

  #reserve(size: number): void {
    if (size <= this.#start) return;
    const used = this.size;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, used + size));
    grown.set(this.#bytes.subarray(this.#start), grown.length - used);
    this.#bytes = grown;
    this.#start = grown.length - used;
  }
}
