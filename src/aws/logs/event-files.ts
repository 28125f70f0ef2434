import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '#base';

/** One event where it lies: events of a stream are ordered by time, and by arrival within the same millisecond. */
export interface StoredEvent {
  /** Counts the events of a stream in the order they arrived, from 0. */
  readonly sequence: number;
  readonly at: number;
  readonly ingestedAt: number;
  readonly message: string;
}

/** A file of events, with the bounds of what it holds. A sealed segment carries them in its name. */
interface Segment {
  readonly file: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

interface Stream {
  readonly directory: string;
  sealed: Segment[];
  /** Bounds of the segment being written; undefined while it is empty. */
  active: Segment | undefined;
  activeBytes: number;
  nextSequence: number;
  readonly queue: {
    readonly lines: (firstSequence: number) => StoredEvent[];
    readonly done: PromiseWithResolvers<void>;
  }[];
  writing: boolean;
}

/** Where reading begins (exclusive), in the stream's order. */
export interface Position {
  readonly at: number;
  readonly sequence: number;
}

export interface ReadRequest {
  readonly direction: 'forward' | 'backward';
  readonly after?: Position | undefined;
  /** Inclusive. */
  readonly from?: number | undefined;
  /** Exclusive. */
  readonly to?: number | undefined;
  readonly limit: number;
  readonly matches?: ((message: string) => boolean) | undefined;
}

const ACTIVE = 'active.jsonl';
const SEGMENT_BYTES = 1 << 20;
/** Bounds of so many streams are remembered; those of others are read from disk again. */
const MAX_OPEN_STREAMS = 512;

/**
 * The events of streams on disk: in each stream's directory an active segment that grows, and sealed ones whose names carry what they hold,
 * so that a directory listing is the index. `append` resolves when its events would survive a crash; what comes meanwhile waits and
 * is written and synced together. Reading holds one segment and `limit` events in memory.
 */
export class EventFiles {
  readonly #directory: string;
  readonly #streams = new Map<string, Promise<Stream>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Adds events to the stream at `path`. Durable when it resolves. */
  async append(path: string, events: readonly Omit<StoredEvent, 'sequence'>[]): Promise<void> {
    const stream = await this.#open(path);
    const done = Promise.withResolvers<void>();
    const lines = (first: number) => events.map((event, index) => ({ sequence: first + index, ...event }));
    stream.queue.push({ lines, done });
    if (!stream.writing) void this.#write(stream);
    await done.promise;
  }

  /** Events in the asked direction, at most `limit`, nearest to the start of reading first. */
  async read(path: string, request: ReadRequest): Promise<StoredEvent[]> {
    const stream = await this.#open(path);
    const isForward = request.direction === 'forward';
    const inOrder = isForward ? compare : (a: Position, b: Position) => compare(b, a);
    const segments = [...stream.sealed, ...(stream.active ? [stream.active] : [])]
      .filter((segment) => mayHold(segment, request))
      .sort((a, b) => (isForward ? a.firstAt - b.firstAt : b.lastAt - a.lastAt));
    let found: StoredEvent[] = [];
    for (const segment of segments) {
      const worst = found[request.limit - 1];
      // Later segments cannot hold anything that comes before what was found already.
      if (worst && (isForward ? segment.firstAt > worst.at : segment.lastAt < worst.at)) break;
      const events = (await readThrough(stream, segment)).filter((event) => isWanted(event, request, inOrder));
      found = [...found, ...events].sort(inOrder).slice(0, request.limit);
    }
    return found;
  }

  /** Forgets what lies at `path` (a group or a stream) and below. */
  async remove(path: string): Promise<void> {
    for (const open of this.#streams.keys())
      if (open === path || open.startsWith(`${path}/`)) this.#streams.delete(open);
    await rm(join(this.#directory, path), { recursive: true, force: true });
  }

  /** Deletes sealed segments that hold nothing younger than `before`. */
  async expire(path: string, before: number): Promise<void> {
    const stream = await this.#open(path);
    const old = stream.sealed.filter(({ lastAt }) => lastAt < before);
    if (!old.length) return;
    stream.sealed = stream.sealed.filter((segment) => !old.includes(segment));
    for (const { file } of old) await rm(file, { force: true });
  }

  #open(path: string): Promise<Stream> {
    const known = this.#streams.get(path);
    if (known) {
      // Most recently used last.
      this.#streams.delete(path);
      this.#streams.set(path, known);
      return known;
    }
    const opening = openStream(join(this.#directory, path));
    this.#streams.set(path, opening);
    opening.catch(() => this.#streams.delete(path));
    void this.#forgetIdle();
    return opening;
  }

  async #forgetIdle(): Promise<void> {
    for (const [path, opening] of this.#streams) {
      if (this.#streams.size <= MAX_OPEN_STREAMS) return;
      const settled = await opening.catch(() => undefined);
      if (settled && !settled.writing && !settled.queue.length) this.#streams.delete(path);
    }
  }

  /** The one writer of a stream: takes everything that waits, writes and syncs it, until nothing does. */
  async #write(stream: Stream): Promise<void> {
    stream.writing = true;
    while (stream.queue.length) {
      const batch = stream.queue.splice(0);
      try {
        await appendBatch(stream, batch);
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    stream.writing = false;
  }
}

export function compare(a: Position, b: Position): number {
  return a.at - b.at || a.sequence - b.sequence;
}

function mayHold(segment: Segment, { direction, after, from, to }: ReadRequest): boolean {
  if (from !== undefined && segment.lastAt < from) return false;
  if (to !== undefined && segment.firstAt >= to) return false;
  if (!after) return true;
  return direction === 'forward' ? segment.lastAt >= after.at : segment.firstAt <= after.at;
}

function isWanted(
  event: StoredEvent,
  { after, from, to, matches }: ReadRequest,
  inOrder: (a: Position, b: Position) => number,
): boolean {
  return (
    (from === undefined || event.at >= from) &&
    (to === undefined || event.at < to) &&
    (!after || inOrder(event, after) > 0) &&
    (!matches || matches(event.message))
  );
}

async function appendBatch(stream: Stream, batch: Stream['queue']): Promise<void> {
  let sequence = stream.nextSequence;
  const events = batch.flatMap(({ lines }) => {
    const made = lines(sequence);
    sequence += made.length;
    return made;
  });
  const file = join(stream.directory, ACTIVE);
  const bytes = Buffer.from(events.map(lineOf).join(''));
  await mkdir(stream.directory, { recursive: true });
  const handle = await open(file, 'a');
  try {
    await handle.appendFile(bytes);
    await handle.datasync();
  } catch (error) {
    // What was written in part was not acknowledged; the next reader of the file must not find it.
    await handle.truncate(stream.activeBytes);
    throw error;
  } finally {
    await handle.close();
  }
  stream.nextSequence = sequence;
  stream.activeBytes += bytes.length;
  stream.active = boundsOf(file, events, stream.active);
  if (stream.activeBytes >= SEGMENT_BYTES && stream.active) await seal(stream, stream.active);
}

async function seal(stream: Stream, active: Segment): Promise<void> {
  const { firstSequence, lastSequence, firstAt, lastAt } = active;
  const file = join(stream.directory, `${firstSequence}-${lastSequence}-${firstAt}-${lastAt}.jsonl`);
  await rename(active.file, file);
  stream.sealed.push({ ...active, file });
  stream.active = undefined;
  stream.activeBytes = 0;
}

async function openStream(directory: string): Promise<Stream> {
  const sealed = (await namesIn(directory)).flatMap((name) => {
    const numbers = /^(\d+)-(\d+)-(\d+)-(\d+)\.jsonl$/.exec(name)?.slice(1).map(Number);
    if (!numbers) return [];
    const [firstSequence, lastSequence, firstAt, lastAt] = numbers as [number, number, number, number];
    return [{ file: join(directory, name), firstSequence, lastSequence, firstAt, lastAt }];
  });
  const file = join(directory, ACTIVE);
  const activeBytes = await mendTail(file);
  const events = activeBytes ? await readSegment(file) : [];
  const active = events.length ? boundsOf(file, events, undefined) : undefined;
  const last = Math.max(-1, active?.lastSequence ?? -1, ...sealed.map(({ lastSequence }) => lastSequence));
  return { directory, sealed, active, activeBytes, nextSequence: last + 1, queue: [], writing: false };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Cuts off a line that a crash left half written, and answers the size of what is whole. */
async function mendTail(file: string): Promise<number> {
  const bytes = await contentsOf(file);
  const whole = bytes.lastIndexOf('\n') + 1;
  if (whole === bytes.length) return whole;
  const handle = await open(file, 'r+');
  try {
    await handle.truncate(whole);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return whole;
}

async function contentsOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    // The active segment is absent at first, and after it was sealed; an expired one may go while it is read.
    if (systemCode(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

function boundsOf(file: string, events: readonly StoredEvent[], before: Segment | undefined): Segment {
  const times = events.map(({ at }) => at);
  return {
    file,
    firstSequence: before?.firstSequence ?? events[0]!.sequence,
    lastSequence: events.at(-1)!.sequence,
    firstAt: times.reduce((least, at) => Math.min(least, at), before?.firstAt ?? Infinity),
    lastAt: times.reduce((most, at) => Math.max(most, at), before?.lastAt ?? -Infinity),
  };
}

function lineOf({ sequence, at, ingestedAt, message }: StoredEvent): string {
  return `${JSON.stringify([sequence, at, ingestedAt, message])}\n`;
}

/** Reads a segment that may be sealed, and so renamed, at this moment. */
async function readThrough(stream: Stream, segment: Segment): Promise<StoredEvent[]> {
  const events = await readSegment(segment.file);
  if (events[0]?.sequence === segment.firstSequence) return events;
  const renamed = stream.sealed.find(({ firstSequence }) => firstSequence === segment.firstSequence);
  return renamed ? readSegment(renamed.file) : [];
}

async function readSegment(file: string): Promise<StoredEvent[]> {
  const lines = (await contentsOf(file)).toString('utf8').split('\n');
  // What follows the last newline is empty, or an append under way that nobody was told of yet.
  return lines.slice(0, -1).map((line) => {
    const [sequence, at, ingestedAt, message] = JSON.parse(line) as [number, number, number, string];
    return { sequence, at, ingestedAt, message };
  });
}
