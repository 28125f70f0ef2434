import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parseDigest, systemCode, type Clock, type Digest } from '#base';
import { namesIn } from '#kernel';
import type { Layer } from '../image/internals.ts';

/** What a step gave: when, and the layer if it made one. */
export interface CachedStep {
  readonly createdAt: number;
  /** As the history shows the step. */
  readonly createdBy?: string;
  readonly layer?: Pick<Layer, 'chainId' | 'diffId'>;
}

/** A step of the cache, and when it was last of use. */
export interface KnownStep {
  readonly key: string;
  readonly step: CachedStep;
  readonly lastUsedAt: number;
}

/**
 * Results of build steps by content key, one small file each, so that they survive the process and no two writers disturb each other; all are
 * known in memory. A record that cannot be read is a miss, as is one whose layer is gone; losing one costs a rebuild and nothing else.
 */
export class BuildCache {
  readonly #directory: string;
  readonly #clock: Clock;
  #known: Promise<Map<string, KnownStep>> | undefined;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  async read(key: string): Promise<CachedStep | undefined> {
    const known = await this.#all();
    const step = known.get(key)?.step;
    if (!step) return undefined;
    const lastUsedAt = this.#clock.now();
    known.set(key, { key, step, lastUsedAt });
    try {
      // The time of last use is the file's; forgetting a use after a crash is harmless.
      await utimes(this.#pathOf(key), lastUsedAt / 1000, lastUsedAt / 1000);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      known.delete(key);
      return undefined;
    }
    return step;
  }

  /** Resolves when durable. */
  async write(key: string, step: CachedStep): Promise<void> {
    const known = await this.#all();
    await mkdir(this.#directory, { recursive: true });
    const path = this.#pathOf(key);
    const draft = `${path}.${process.pid}.${Math.round(performance.now() * 1000)}.draft`;
    const lastUsedAt = this.#clock.now();
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify(step));
      await file.utimes(lastUsedAt / 1000, lastUsedAt / 1000);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    known.set(key, { key, step, lastUsedAt });
  }

  async list(): Promise<readonly KnownStep[]> {
    return [...(await this.#all()).values()];
  }

  /** Absent succeeds. */
  async remove(key: string): Promise<void> {
    (await this.#all()).delete(key);
    await rm(this.#pathOf(key), { force: true });
  }

  /** The chains that recorded steps ended in. */
  async chains(): Promise<readonly Digest[]> {
    return [...new Set((await this.list()).flatMap(({ step }) => step.layer?.chainId ?? []))];
  }

  /** Removes drafts of a process that died. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(this.#directory))
      if (name.endsWith('.draft')) await rm(join(this.#directory, name), { force: true });
  }

  #all(): Promise<Map<string, KnownStep>> {
    this.#known ??= this.#load();
    return this.#known;
  }

  async #load(): Promise<Map<string, KnownStep>> {
    const known = new Map<string, KnownStep>();
    for (const key of await namesIn(this.#directory)) {
      const step = key.endsWith('.draft') ? undefined : await readRecord(this.#pathOf(key));
      if (step) known.set(key, { key, step, lastUsedAt: (await stat(this.#pathOf(key))).mtimeMs });
    }
    return known;
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
    const record = JSON.parse(await readFile(path, 'utf8')) as Partial<CachedStep>; // checked below
    const { createdAt, createdBy, layer } = record;
    if (typeof createdAt !== 'number') return undefined;
    const base = { createdAt, ...(typeof createdBy === 'string' ? { createdBy } : {}) };
    if (!layer) return base;
    return { ...base, layer: { chainId: parseDigest(layer.chainId), diffId: parseDigest(layer.diffId) } };
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
