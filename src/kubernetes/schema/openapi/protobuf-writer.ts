/** Writes protobuf messages: fields by number, each with what its value is. Empty values are left out, as in proto3. */

export type Part = Uint8Array;

/** A text, a number or a truth at a field number; nothing for an empty one. */
export function scalar(number: number, value: unknown): readonly Part[] {
  if (typeof value === 'string') return value === '' ? [] : [message(number, Buffer.from(value))];
  if (typeof value === 'boolean') return value ? [Buffer.from([...varint(number << 3), 1])] : [];
  if (typeof value !== 'number' || value === 0) return [];
  return Number.isInteger(value) && value > 0
    ? [Buffer.from([...varint(number << 3), ...varint(value)])]
    : [double(number, value)];
}

/** A number as a double, whole or not. */
export function double(number: number, value: number): Part {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([Buffer.from(varint((number << 3) | 1)), bytes]);
}

/** Bytes at a field number: a message, a text. */
export function message(number: number, ...parts: readonly Part[]): Part {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(size)]), ...parts]);
}

function varint(value: number): readonly number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}
