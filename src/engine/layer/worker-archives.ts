import { createReadStream, readSync } from 'node:fs';
import { DabbaError } from '#base';
import { Limiter } from '../limiter.ts';
import { ArchiveWorker } from './archive-worker.ts';
import { isCompressed } from './decompress.ts';
import type { FileChange, PathStat } from '../files.ts';
import {
  type Archives,
  type ArchiveSource,
  isOpenFile,
  type CompareRequest,
  type Packed,
  type PackRequest,
  type StatRequest,
  type Unpacked,
  type UnpackRequest,
} from './archives.ts';

const idleMs = 5_000;

/**
 * `Archives` on worker threads: at most `limit` pack and as many unpack, further requests wait their turn. (The limits are apart because a
 * pack may be read by an unpack.) A thread starts when first needed, in about 40 ms, and ends when it was idle for a while.
 */
export function openArchives(limit = 2): Archives {
  return new WorkerArchives(limit);
}

/** Below this a thread that hashes and decodes costs more than it saves, and so it does where nothing is to be hashed. */
const largeBytes = 4 * 1024 ** 2;

class WorkerArchives implements Archives {
  readonly #packing: Limiter;
  readonly #unpacking: Limiter;
  /** What only looks is quick, and must not wait for a slow client's archive. */
  readonly #looking: Limiter;
  readonly #idle: { readonly worker: ArchiveWorker; readonly timer: NodeJS.Timeout }[] = [];

  constructor(limit: number) {
    this.#packing = new Limiter(limit);
    this.#unpacking = new Limiter(limit);
    this.#looking = new Limiter(limit);
  }

  async unpack(request: UnpackRequest): Promise<Unpacked> {
    const { root, directory, form, onto, expectedDigest, expectedDiffId, sizeBytes, onTaken, signal } = request;
    const options = {
      ...(directory !== undefined && { directory }),
      ...(onto && { onto }),
      ...(expectedDigest !== undefined && { expectedDigest }),
      ...(expectedDiffId !== undefined && { expectedDiffId }),
    };
    const isVerified = expectedDigest !== undefined || expectedDiffId !== undefined;
    const isBeside = isVerified && (sizeBytes ?? 0) >= largeBytes;
    const input = inputOf(request.source);
    const result = await this.#withWorker(this.#unpacking, signal, (worker) => {
      const task = { kind: 'unpack', root, form, ...options } as const;
      if (isBeside) return worker.unpackBeside(task, { input, onTaken, signal });
      return isOpenFile(input)
        ? worker.run({ ...task, file: input.fd }, { onTaken, signal })
        : worker.run(task, { input, onTaken, signal });
    });
    return result as Unpacked; // what worker.ts answers to this kind of task
  }

  async pack({ root, content, ids, except, timestamp, write, compression, signal }: PackRequest): Promise<Packed> {
    const options = {
      ...(ids && { ids }),
      ...(except && { except }),
      ...(timestamp !== undefined && { timestamp }),
      ...(compression !== undefined && { compression }),
    };
    const result = await this.#withWorker(this.#packing, signal, (worker) =>
      worker.run(
        { kind: 'pack', root, content, isWritten: write !== undefined, ...options },
        { output: write, signal },
      ),
    );
    return result as Packed; // what worker.ts answers to this kind of task
  }

  async compare({ upper, lower, except, signal }: CompareRequest): Promise<readonly FileChange[]> {
    const result = await this.#withWorker(this.#looking, signal, (worker) =>
      worker.run({ kind: 'compare', upper, lower, except }, { signal }),
    );
    return result as readonly FileChange[]; // what worker.ts answers to this kind of task
  }

  async stat({ root, path, signal }: StatRequest): Promise<PathStat | undefined> {
    const result = await this.#withWorker(this.#looking, signal, (worker) =>
      worker.run({ kind: 'stat', root, path }, { signal }),
    );
    return result as PathStat | undefined; // what worker.ts answers to this kind of task
  }

  async #withWorker<Result>(
    limiter: Limiter,
    signal: AbortSignal,
    use: (worker: ArchiveWorker) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await limiter.run(() => this.#onWorker(use), signal);
    } catch (error) {
      if (signal.aborted) throw new DabbaError('Cancelled', 'archive work was cancelled', { cause: error });
      throw error;
    }
  }

  async #onWorker<Result>(use: (worker: ArchiveWorker) => Promise<Result>): Promise<Result> {
    const kept = this.#idle.pop();
    clearTimeout(kept?.timer);
    const worker = kept?.worker ?? new ArchiveWorker();
    try {
      return await use(worker);
    } finally {
      if (!worker.isSpent) this.#keep(worker);
    }
  }

  /** A timer, because nothing announces that no more work will come. */
  #keep(worker: ArchiveWorker): void {
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((entry) => entry.worker === worker),
        1,
      );
      void worker[Symbol.asyncDispose]();
    }, idleMs);
    timer.unref();
    this.#idle.push({ worker, timer });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const idle = this.#idle.splice(0);
    for (const { timer } of idle) clearTimeout(timer);
    await Promise.all(idle.map(({ worker }) => worker[Symbol.asyncDispose]()));
  }
}

/** A file only where it is a plain archive: what is compressed takes longer to decode than to bring to the thread that does. */
function inputOf(source: ArchiveSource): ArchiveSource {
  if (!isOpenFile(source)) return source;
  const head = Buffer.alloc(4);
  const length = readSync(source.fd, head, 0, head.length, 0);
  return isCompressed(head.subarray(0, length))
    ? createReadStream('', { fd: source.fd, autoClose: false, start: 0, highWaterMark: 1024 ** 2 })
    : source;
}
