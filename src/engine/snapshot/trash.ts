import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, isDiskFull, type Logger, messageOf, type Random, systemCode } from '#base';
import { usedPercentOf } from '../disk-space.ts';

const delayMs = 10 * 60 * 1000;
/** From here on the space is worth more than the time. */
const crowdedPercent = 85;

/**
 * Where directories go to be deleted. Moving is instant; the deleting comes ten minutes later, all at once, because on ext4 without a
 * journal file creation is ten times slower for about a minute after many deletions. A timer, for nothing announces a better moment. On a
 * disk that is nearly full it comes at once.
 */
export class Trash implements AsyncDisposable {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  #waiting: AbortController | undefined;
  #emptying: Promise<void> = Promise.resolve();

  constructor(directory: string, parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger }) {
    this.#directory = directory;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#logger = parts.logger;
  }

  /** Makes the directory; what an earlier process left there is deleted in time. */
  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    if ((await readdir(this.#directory)).length > 0) this.#emptyLater();
  }

  /** Throws away a directory of the same file system; absent succeeds. On a disk that is nearly full its space is free afterwards. */
  async discard(path: string): Promise<void> {
    try {
      await rename(path, join(this.#directory, this.#random.hex(16)));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      if (!isDiskFull(error)) throw error;
      // The name may need room itself.
      return await rm(path, { recursive: true, force: true });
    }
    if ((await usedPercentOf(this.#directory)) < crowdedPercent) return this.#emptyLater();
    await this.empty();
  }

  /** Frees the space now. */
  empty(): Promise<void> {
    const emptied = this.#emptying.then(async () => {
      for (const name of await readdir(this.#directory))
        await rm(join(this.#directory, name), { recursive: true, force: true });
    });
    this.#emptying = emptied.catch(() => undefined); // who asked is told; the next one tries again
    return emptied;
  }

  #emptyLater(): void {
    if (this.#waiting) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    void this.#clock
      .sleep(delayMs, waiting.signal)
      .then(() => {
        this.#waiting = undefined;
        return this.empty();
      })
      .catch((error: unknown) => {
        if (!waiting.signal.aborted) this.#logger.warn('trash was not emptied', { reason: messageOf(error) });
      });
  }

  /** Lets go; what is left is deleted by the next process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting?.abort();
    await this.#emptying;
  }
}
