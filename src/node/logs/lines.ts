import type { LogEntry } from '#engine';
import type { LogLine } from '../ports.ts';

/** A line longer than this is delivered in pieces (the limit of one CloudWatch Logs event). */
const MAX_LINE_BYTES = 256 * 1024 - 26;
const NS_PER_MS = 1_000_000n;

/** Puts the pieces of lines together, each stream's on its own. */
export class LineJoiner {
  readonly #open = new Map<LogLine['stream'], { at: number; pieces: Buffer[]; sizeBytes: number }>();

  /** True while no line is half read: the log can be taken up from here. */
  get isBetweenLines(): boolean {
    return this.#open.size === 0;
  }

  /** The line that `entry` completes, if it does. */
  add(entry: LogEntry): LogLine | undefined {
    const { stream, data } = entry;
    const line = this.#open.get(stream) ?? { at: Number(entry.atNs / NS_PER_MS), pieces: [], sizeBytes: 0 };
    line.pieces.push(data);
    line.sizeBytes += data.length;
    this.#open.set(stream, line);
    return entry.isPartial && line.sizeBytes < MAX_LINE_BYTES ? undefined : this.#close(stream);
  }

  /** The log is over: what was begun is all there will be. */
  rest(): LogLine[] {
    return Array.from(this.#open.keys(), (stream) => this.#close(stream));
  }

  #close(stream: LogLine['stream']): LogLine {
    const { at, pieces } = this.#open.get(stream)!;
    this.#open.delete(stream);
    return { at, stream, message: Buffer.concat(pieces).toString('utf8') };
  }
}
