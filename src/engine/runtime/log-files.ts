import { readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '#base';

/** One file of a log. `start` is the position of its first byte in the whole log, from the first line the container ever wrote. */
export interface LogSegment {
  readonly path: string;
  readonly start: number;
}

/**
 * The files of one log: `container.log`, which conmon writes, and what was put aside of it as `container.log.<start>`. Positions go on
 * counting over files that are gone; where the present file starts is told by the last one put aside, or by `container.log.start`.
 */
export class LogFiles {
  readonly current: string;
  readonly #directory: string;
  readonly #name: string;

  constructor(current: string) {
    this.current = current;
    this.#directory = dirname(current);
    this.#name = basename(current);
  }

  /** Oldest first; the last is the one being written. */
  async segments(): Promise<readonly LogSegment[]> {
    const aside = await this.#aside();
    return [...aside, { path: this.current, start: await this.#currentStart(aside) }];
  }

  /** Puts the present file aside; its writer goes on writing to it until it is told to reopen. */
  async putAside(): Promise<void> {
    const start = await this.#currentStart(await this.#aside());
    await rename(this.current, this.#pathOf(start));
  }

  /** Removes what is too old for `count` files in all, once the writer has begun a new one. */
  async keep(count: number): Promise<void> {
    const aside = await this.#aside();
    const start = await this.#currentStart(aside);
    await writeFile(`${this.#startFile}.new`, String(start));
    await rename(`${this.#startFile}.new`, this.#startFile);
    for (const { path } of aside.slice(0, Math.max(0, aside.length - count + 1))) await rm(path, { force: true });
  }

  get #startFile(): string {
    return `${this.current}.start`;
  }

  #pathOf(start: number): string {
    return `${this.current}.${start}`;
  }

  async #aside(): Promise<readonly LogSegment[]> {
    const prefix = `${this.#name}.`;
    const starts = (await readdir(this.#directory))
      .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)));
    return starts.sort((a, b) => a - b).map((start) => ({ path: join(this.#directory, prefix + start), start }));
  }

  async #currentStart(aside: readonly LogSegment[]): Promise<number> {
    const last = aside.at(-1);
    if (last) return last.start + (await stat(last.path)).size;
    try {
      return Number(await readFile(this.#startFile, 'utf8'));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return 0;
      throw error;
    }
  }
}
