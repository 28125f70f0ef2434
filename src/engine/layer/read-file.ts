import { readSync } from 'node:fs';

/** Small enough to be in the processor's cache when it is written out again. */
const pieceBytes = 256 * 1024;

/** The bytes of an open file from its beginning, whatever its position. Each piece is valid until the next is asked for. */
export function* readFile(descriptor: number): Generator<Buffer, void> {
  const buffer = Buffer.allocUnsafeSlow(pieceBytes);
  for (let at = 0; ;) {
    const length = readSync(descriptor, buffer, 0, pieceBytes, at);
    if (length === 0) return;
    yield buffer.subarray(0, length);
    at += length;
  }
}
