import type { LogLine } from '#node';

export interface LogEvent {
  readonly timestamp: number;
  readonly message: string;
}

/** Limits of one PutLogEvents: API Reference. */
const MAX_EVENTS = 10_000;
const MAX_BYTES = 1_048_576;
const EVENT_OVERHEAD_BYTES = 26;
const MAX_SPAN_MS = 86_400_000;
/** A longer line becomes several events, as the driver does it. */
const MAX_MESSAGE_BYTES = 262_144 - EVENT_OVERHEAD_BYTES;

/** Lines as batches that PutLogEvents accepts: in the order of time, within its limits. Empty lines are left out, since it takes none. */
export function* eventBatches(lines: readonly LogLine[]): Generator<readonly LogEvent[]> {
  const events = lines
    .flatMap(({ at, message }) => pieces(message).map((piece): LogEvent => ({ timestamp: at, message: piece })))
    .sort((a, b) => a.timestamp - b.timestamp);
  let batch: LogEvent[] = [];
  let sizeBytes = 0;
  for (const event of events) {
    const eventBytes = Buffer.byteLength(event.message) + EVENT_OVERHEAD_BYTES;
    const isFull =
      batch.length === MAX_EVENTS ||
      sizeBytes + eventBytes > MAX_BYTES ||
      event.timestamp - (batch[0]?.timestamp ?? event.timestamp) > MAX_SPAN_MS;
    if (isFull) {
      yield batch;
      batch = [];
      sizeBytes = 0;
    }
    batch.push(event);
    sizeBytes += eventBytes;
  }
  if (batch.length) yield batch;
}

/** A message cut where it is too long, never within a character. */
function pieces(message: string): string[] {
  if (!message) return [];
  if (Buffer.byteLength(message) <= MAX_MESSAGE_BYTES) return [message];
  const bytes = Buffer.from(message);
  const cut: string[] = [];
  for (let start = 0; start < bytes.length;) {
    let end = Math.min(start + MAX_MESSAGE_BYTES, bytes.length);
    // A byte 10xxxxxx continues a character of UTF-8.
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
    cut.push(bytes.toString('utf8', start, end));
    start = end;
  }
  return cut;
}
