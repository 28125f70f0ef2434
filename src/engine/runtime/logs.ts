import { watch } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { LogEntry, LogOptions } from '../engine.ts';
import { parseLog } from './log-format.ts';

const chunkBytes = 64 * 1024;

/** The end of a container, as its log's followers see it. */
export interface LogSource {
  readonly path: string;
  /** True when nothing will be appended any more. */
  isComplete(): boolean;
  /** Calls back after every change of `isComplete`'s answer; returns what unsubscribes. */
  onChange(listener: () => void): () => void;
}

/** Recorded entries, then with `follow` those that come, until the source is complete. */
export async function* readLogs(source: LogSource, options: LogOptions): AsyncGenerator<LogEntry> {
  await using file = await open(source.path, 'r');
  using changes = options.follow ? new Changes(source) : undefined;
  using _ = onAbort(options.signal, () => changes?.wake());
  const reader = new LogReader(file, await startPosition(file, options));
  for (;;) {
    // Asked before reading: what is appended before the end is then certainly read.
    const isLast = !options.follow || source.isComplete();
    for await (const entry of reader.available()) {
      options.signal.throwIfAborted();
      if (options.until !== undefined && entry.atNs > BigInt(options.until) * 1_000_000n) return;
      if (isWanted(entry, options)) yield entry;
    }
    if (isLast) return;
    await changes?.next();
    options.signal.throwIfAborted();
  }
}

function isWanted(entry: LogEntry, options: LogOptions): boolean {
  return options[entry.stream] && (options.since === undefined || entry.atNs >= BigInt(options.since) * 1_000_000n);
}

class LogReader {
  readonly #file: FileHandle;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** Entries up to the present end of the file. */
  async *available(): AsyncGenerator<LogEntry> {
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await this.#file.read(chunk, 0, chunkBytes, this.#position + this.#rest.length);
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
      const { entries, taken } = parseLog(bytes, this.#position);
      this.#position += taken;
      this.#rest = bytes.subarray(taken);
      yield* entries;
    }
  }
}

/** Wakes a follower when the file grows or the source completes. Wakes that come while nobody waits are remembered. */
class Changes implements Disposable {
  readonly #scope = new DisposableStack();
  #isDue = false;
  #waiting: (() => void) | undefined;

  constructor(source: LogSource) {
    const watcher = watch(source.path, () => this.wake());
    this.#scope.defer(() => watcher.close());
    this.#scope.defer(source.onChange(() => this.wake()));
  }

  wake(): void {
    this.#isDue = true;
    this.#waiting?.();
  }

  async next(): Promise<void> {
    if (!this.#isDue) await new Promise<void>((resolve) => (this.#waiting = resolve));
    this.#isDue = false;
  }

  [Symbol.dispose](): void {
    this.#scope.dispose();
  }
}

async function startPosition(file: FileHandle, { fromPosition, tail }: LogOptions): Promise<number> {
  if (fromPosition !== undefined) return fromPosition;
  return tail === undefined ? 0 : await tailPosition(file, tail);
}

/** Where the last `count` lines begin. Pieces of one line count as one. The window from the end doubles until they fit. */
async function tailPosition(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat();
  if (count === 0) return size;
  for (let window = chunkBytes; ; window *= 2) {
    const start = Math.max(0, size - window);
    const bytes = Buffer.allocUnsafe(size - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    const lineStart = start === 0 ? 0 : bytes.indexOf('\n') + 1;
    const { entries } = parseLog(bytes.subarray(lineStart, bytesRead), start + lineStart);
    const ends = entries.flatMap((entry, index) =>
      entry.isPartial && index < entries.length - 1 ? [] : [entry.nextPosition],
    );
    if (ends.length > count) return ends[ends.length - count - 1]!;
    if (start === 0) return 0;
  }
}

function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  signal.addEventListener('abort', listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}
