import type { Clock } from '#base';
import type { LogEntry } from '#engine';
import type { LogLine } from '../ports.ts';
import { LineJoiner } from './lines.ts';

/** How long a line waits for others to be delivered with. Nothing tells that no more will come, so this is a timer. */
const GATHER_MS = 50;
const MAX_LINES = 1000;
const MAX_BYTES = 512 * 1024;

export interface LogBatch {
  readonly lines: readonly LogLine[];
  /** Where to take up the log when this batch is delivered. */
  readonly nextPosition: number;
}

/** Groups the lines of a log: what comes within a moment goes together, up to a bounded size. */
export async function* batches(
  entries: AsyncIterable<LogEntry>,
  clock: Clock,
): AsyncGenerator<LogBatch, void, undefined> {
  const iterator = entries[Symbol.asyncIterator]();
  const joiner = new LineJoiner();
  let nextPosition = 0;
  let coming = iterator.next();
  try {
    for (;;) {
      const lines: LogLine[] = [];
      let sizeBytes = 0;
      let entry: IteratorResult<LogEntry> | undefined = await coming;
      const gathering = new AbortController();
      const enough = clock.sleep(GATHER_MS, gathering.signal).then(
        () => undefined,
        () => undefined,
      );
      while (entry && !entry.done) {
        const line = joiner.add(entry.value);
        if (line) {
          lines.push(line);
          sizeBytes += line.message.length;
        }
        if (joiner.isBetweenLines) ({ nextPosition } = entry.value);
        coming = iterator.next();
        entry = lines.length < MAX_LINES && sizeBytes < MAX_BYTES ? await Promise.race([coming, enough]) : undefined;
      }
      gathering.abort();
      if (entry?.done) lines.push(...joiner.rest());
      if (lines.length) yield { lines, nextPosition };
      if (entry?.done) return;
    }
  } finally {
    // Not awaited: a log that is being followed returns only when its signal says so, and whoever stops reading has given it that.
    coming.catch(() => undefined);
    void iterator.return?.().catch(() => undefined);
  }
}
