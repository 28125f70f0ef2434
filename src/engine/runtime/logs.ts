import { watch } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DabbaError, systemCode } from '#base';
import type { LogEntry, LogOptions } from '../engine.ts';
import { LogFiles, type LogSegment } from './log-files.ts';
import { parseLog } from './log-format.ts';

const chunkBytes = 64 * 1024;

/** The end of a container, as its log's followers see it. */
export interface LogSource {
  readonly path: string;
  /** True if the log is cut into several files as it grows. */
  readonly isRotated: boolean;
  /** True when nothing will be appended any more. */
  isComplete(): boolean;
  /** Calls back after every change of `isComplete`'s answer; returns what unsubscribes. */
  onChange(listener: () => void): () => void;
}

/** Recorded entries, then with `follow` those that come, until the source is complete. */
export async function* readLogs(source: LogSource, options: LogOptions): AsyncGenerator<LogEntry> {
  using changes = options.follow ? new Changes(source) : undefined;
  using _ = onAbort(options.signal, () => changes?.wake());
  const files = new LogFiles(source.path);
  await using reader = await LogReader.open(files, await startPosition(files, options), source.isRotated);
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

/** Reads on from file to file. Positions are those of the whole log. */
class LogReader implements AsyncDisposable {
  readonly #files: LogFiles;
  readonly #isRotated: boolean;
  #file: FileHandle;
  #start: number;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(files: LogFiles, isRotated: boolean, file: FileHandle, segment: LogSegment) {
    this.#files = files;
    this.#isRotated = isRotated;
    this.#file = file;
    this.#start = this.#position = segment.start;
  }

  /** Begins at a position, or where the oldest file begins if that is gone. */
  static async open(files: LogFiles, position: number, isRotated: boolean): Promise<LogReader> {
    const [file, segment] = await openSegment(files, position);
    const reader = new LogReader(files, isRotated, file, segment);
    reader.#position = Math.max(position, segment.start);
    return reader;
  }

  /** Entries up to the present end of the log. */
  async *available(): AsyncGenerator<LogEntry> {
    for (;;) {
      // Asked first: once there is a newer file, nothing is appended to ours any more.
      const isPast = this.#isRotated && (await this.#isPutAside());
      yield* this.#restOfFile();
      if (!isPast) return;
      await this.#moveOn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async *#restOfFile(): AsyncGenerator<LogEntry> {
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const offset = this.#position - this.#start + this.#rest.length;
      const { bytesRead } = await this.#file.read(chunk, 0, chunkBytes, offset);
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
      const { entries, taken } = parseLog(bytes, this.#position);
      this.#position += taken;
      this.#rest = bytes.subarray(taken);
      yield* entries;
    }
  }

  async #isPutAside(): Promise<boolean> {
    const [ours, current] = await Promise.all([this.#file.stat(), stat(this.#files.current).catch(ifAbsent)]);
    return current !== undefined && current.ino !== ours.ino;
  }

  async #moveOn(): Promise<void> {
    const { size } = await this.#file.stat();
    const [file, segment] = await openSegment(this.#files, this.#start + size);
    await this.#file.close();
    this.#file = file;
    this.#start = this.#position = segment.start;
    this.#rest = Buffer.alloc(0);
  }
}

/**
 * Opens the file that holds a position, or the nearest that is there: the present one is absent for a moment while the log is rotated, and
 * for good if conmon died then.
 */
async function openSegment(files: LogFiles, position: number): Promise<readonly [FileHandle, LogSegment]> {
  const segments = await files.segments();
  const holds = segments.findLastIndex(({ start }) => start <= position);
  for (const segment of [...segments.slice(0, holds + 1).reverse(), ...segments.slice(holds + 1)]) {
    const file = await open(segment.path, 'r').catch(ifAbsent);
    if (file) return [file, segment];
  }
  throw new DabbaError('NotFound', `${files.current}: the log is gone`);
}

/** Wakes a follower when the file grows or the source completes. Wakes that come while nobody waits are remembered. */
class Changes implements Disposable {
  readonly #scope = new DisposableStack();
  #isDue = false;
  #waiting: (() => void) | undefined;

  constructor(source: LogSource) {
    const { path } = source;
    const name = basename(path);
    const watcher = source.isRotated
      ? watch(dirname(path), (_, changed) => void (changed === name && this.wake()))
      : watch(path, () => this.wake());
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

async function startPosition(files: LogFiles, { fromPosition, tail }: LogOptions): Promise<number> {
  if (fromPosition !== undefined) return fromPosition;
  if (tail === undefined) return 0;
  let wanted = tail;
  for (const segment of (await files.segments()).toReversed()) {
    await using file = await open(segment.path, 'r').catch(ifAbsent);
    if (!file) continue;
    const { offset, found } = await tailOffset(file, wanted);
    wanted -= found;
    if (wanted === 0) return segment.start + offset;
  }
  return 0;
}

/**
 * Where the last `count` lines of a file begin, and how many of them it has. Pieces of one line count as one. The window from the end doubles
 * until they fit.
 */
async function tailOffset(
  file: FileHandle,
  count: number,
): Promise<{ readonly offset: number; readonly found: number }> {
  const { size } = await file.stat();
  if (count === 0) return { offset: size, found: 0 };
  for (let window = chunkBytes; ; window *= 2) {
    const start = Math.max(0, size - window);
    const bytes = Buffer.allocUnsafe(size - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    const lineStart = start === 0 ? 0 : bytes.indexOf('\n') + 1;
    const { entries } = parseLog(bytes.subarray(lineStart, bytesRead), start + lineStart);
    const ends = entries.flatMap((entry, index) =>
      entry.isPartial && index < entries.length - 1 ? [] : [entry.nextPosition],
    );
    if (ends.length > count) return { offset: ends[ends.length - count - 1]!, found: count };
    if (start === 0) return { offset: 0, found: ends.length };
  }
}

function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  signal.addEventListener('abort', listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}

function ifAbsent(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT') return;
  throw error;
}
