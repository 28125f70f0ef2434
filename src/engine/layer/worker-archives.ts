import { DabbaError } from '#base';
import { ArchiveWorker } from './archive-worker.ts';
import type { Archives, Packed, PackRequest, Unpacked, UnpackRequest } from './archives.ts';

const idleMs = 5_000;

/**
 * `Archives` on at most `limit` worker threads; further requests wait their turn. A thread starts when first needed (about 40 ms) and
 * ends when it was idle for a while.
 */
export function openArchives(limit = 2): Archives {
  return new WorkerArchives(limit);
}

class WorkerArchives implements Archives {
  readonly #limit: number;
  readonly #idle: { readonly worker: ArchiveWorker; readonly timer: NodeJS.Timeout }[] = [];
  readonly #queue: (() => void)[] = [];
  #busy = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async unpack({
    source,
    root,
    directory,
    form,
    expectedDigest,
    expectedDiffId,
    signal,
  }: UnpackRequest): Promise<Unpacked> {
    const options = {
      ...(directory !== undefined && { directory }),
      ...(expectedDigest !== undefined && { expectedDigest }),
      ...(expectedDiffId !== undefined && { expectedDiffId }),
    };
    const result = await this.#withWorker(signal, (worker) =>
      worker.run({ kind: 'unpack', root, form, ...options }, { input: source, signal }),
    );
    return result as Unpacked; // what worker.ts answers to this kind of task
  }

  async pack({ root, content, timestamp, write, compression, signal }: PackRequest): Promise<Packed> {
    const options = {
      ...(timestamp !== undefined && { timestamp }),
      ...(compression !== undefined && { compression }),
    };
    const result = await this.#withWorker(signal, (worker) =>
      worker.run(
        { kind: 'pack', root, content, isWritten: write !== undefined, ...options },
        { output: write, signal },
      ),
    );
    return result as Packed; // what worker.ts answers to this kind of task
  }

  async #withWorker<Result>(signal: AbortSignal, use: (worker: ArchiveWorker) => Promise<Result>): Promise<Result> {
    await this.#turn(signal);
    const kept = this.#idle.pop();
    clearTimeout(kept?.timer);
    const worker = kept?.worker ?? new ArchiveWorker();
    try {
      return await use(worker);
    } catch (error) {
      if (signal.aborted) throw new DabbaError('Cancelled', 'archive work was cancelled', { cause: error });
      throw error;
    } finally {
      if (!worker.isSpent) this.#keep(worker);
      this.#busy--;
      this.#queue.shift()?.();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#busy >= this.#limit) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#queue.push(resolve);
      await promise;
      if (signal.aborted) this.#queue.shift()?.(); // the turn is another's
      signal.throwIfAborted();
    }
    this.#busy++;
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
