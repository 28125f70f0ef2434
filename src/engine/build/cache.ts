import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parseDigest, systemCode, type Clock, type Digest } from '#base';
import type { Layer } from '../image/internals.ts';

/** What a step gave: when, and the layer if it made one. */
export interface CachedStep {
  readonly createdAt: number;
  readonly layer?: Pick<Layer, 'chainId' | 'diffId'>;
}

const keepUnusedMs = 14 * 24 * 3600_000;

/**
 * Results of build steps by content key, one small file each, so that they survive the process and no two writers disturb each other. A record
 * that cannot be read, or whose layer is gone, is a miss; losing one costs a rebuild and nothing else. Records unused for two weeks are dropped.
 */
export class BuildCache {
  readonly #directory: string;
  readonly #clock: Clock;
  #chains: Map<string, Digest> | undefined;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  async read(key: string): Promise<CachedStep | undefined> {
    const path = this.#pathOf(key);
    const step = await readRecord(path);
    // The time of last use is the file's; forgetting a use after a crash is harmless.
    if (step) await utimes(path, this.#clock.now() / 1000, this.#clock.now() / 1000);
    return step;
  }

  /** Resolves when durable. */
  async write(key: string, step: CachedStep): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const path = this.#pathOf(key);
    const draft = `${path}.${process.pid}.${Math.round(performance.now() * 1000)}.draft`;
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify(step));
      await file.utimes(this.#clock.now() / 1000, this.#clock.now() / 1000);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    if (step.layer) this.#chains?.set(key, step.layer.chainId);
  }

  /** The chains that recorded steps ended in. */
  async chains(): Promise<readonly Digest[]> {
    if (!this.#chains) {
      const chains = new Map<string, Digest>();
      for (const name of await this.#names()) {
        const step = await readRecord(join(this.#directory, name));
        if (step?.layer) chains.set(name, step.layer.chainId);
      }
      this.#chains = chains;
    }
    return [...new Set(this.#chains.values())];
  }

  /** Removes drafts of a process that died and what was not used for long. Tells how many records went. */
  async sweep(): Promise<number> {
    let removed = 0;
    for (const name of await this.#names()) {
      const path = join(this.#directory, name);
      const { mtimeMs } = await stat(path);
      if (!name.endsWith('.draft') && mtimeMs >= this.#clock.now() - keepUnusedMs) continue;
      await rm(path, { force: true });
      removed++;
    }
    this.#chains = undefined;
    return removed;
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  #pathOf(key: string): string {
    return join(this.#directory, key);
  }
}

/** The key of a step: what it stands on, and everything that decides its result. */
export function stepKey(parent: string, inputs: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([parent, ...inputs]))
    .digest('hex');
}

async function readRecord(path: string): Promise<CachedStep | undefined> {
  try {
    const { createdAt, layer } = JSON.parse(await readFile(path, 'utf8')) as Partial<CachedStep>; // checked below
    if (typeof createdAt !== 'number') return undefined;
    if (!layer) return { createdAt };
    return { createdAt, layer: { chainId: parseDigest(layer.chainId), diffId: parseDigest(layer.diffId) } };
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
