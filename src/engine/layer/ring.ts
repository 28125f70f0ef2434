/**
 * A stream of bytes from one thread to another through memory that both have: pieces are copied once, into slots that are used over and over, and
 * who has nothing to do sleeps in the kernel. To be woken costs more than to copy a piece, so a sleeper is woken every half turn of the ring only,
 * when there is enough to do. Both ends block their thread; `Worker.terminate` wakes them.
 */
export interface Ring {
  /** How many pieces were put, how many taken, then the length of each slot's piece; a length of 0 is the end. */
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

const slots = 16;
const slotBytes = 64 * 1024;
/** A sleeper is always passed by one of these counts: it sleeps when the ring is full, or empty. */
const slotsAWake = slots / 2;
const [put, taken, lengths] = [0, 1, 2];

export function createRing(): Ring {
  return {
    control: new Int32Array(new SharedArrayBuffer(4 * (lengths + slots))),
    bytes: new Uint8Array(new SharedArrayBuffer(slots * slotBytes)),
  };
}

/** Copies the bytes in, waiting for room. One thread alone writes. */
export function writeRing(ring: Ring, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; at += slotBytes) putPiece(ring, chunk.subarray(at, at + slotBytes));
}

/** Call once, after the last bytes. */
export function endRing(ring: Ring): void {
  putPiece(ring, new Uint8Array(0));
}

function putPiece({ control, bytes }: Ring, piece: Uint8Array): void {
  const count = Atomics.load(control, put);
  // Counts go on past 2³¹, in negative numbers; differences stay right.
  for (let done = Atomics.load(control, taken); ((count - done) | 0) >= slots; done = Atomics.load(control, taken))
    Atomics.wait(control, taken, done);
  const slot = count & (slots - 1);
  bytes.set(piece, slot * slotBytes);
  control[lengths + slot] = piece.length;
  advance(control, put, count, piece.length === 0);
}

/** The pieces up to the end. Each is valid until the next is asked for. One thread alone reads. */
export function* readRing({ control, bytes }: Ring): Generator<Buffer, void> {
  for (let count = Atomics.load(control, taken); ; count = (count + 1) | 0) {
    while (Atomics.load(control, put) === count) Atomics.wait(control, put, count);
    const slot = count & (slots - 1);
    const length = control[lengths + slot]!;
    if (length > 0) yield Buffer.from(bytes.buffer, slot * slotBytes, length);
    advance(control, taken, count, length === 0);
    if (length === 0) return;
  }
}

function advance(control: Ring['control'], index: number, count: number, isLast: boolean): void {
  Atomics.store(control, index, (count + 1) | 0);
  if (isLast || (count + 1) % slotsAWake === 0) Atomics.notify(control, index);
}
