import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, hexOf, systemCode, type Clock } from '#base';
import { namesInSync } from '#kernel';
import { statOf } from './beneath.ts';
import type { Locks } from '../locks.ts';
import type { RunMount } from './run-mounts.ts';

/** The directory of a cache mount. */
export interface KnownCacheMount {
  readonly id: string;
  /** What the Dockerfile calls it, or where it was mounted. */
  readonly description: string;
  readonly path: string;
  readonly isInUse: boolean;
  readonly createdAt: number;
  readonly lastUsedAt: number;
}

/**
 * Directories of `RUN --mount=type=cache`, by name: `<name>/` with the content and `<name>.json`, whose time is that of the last use. Those
 * that are private have a number behind the name.
 */
export class CacheMounts {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #locks: Locks;
  readonly #users = new Map<string, number>();

  constructor(directory: string, clock: Clock, locks: Locks) {
    this.#directory = directory;
    this.#clock = clock;
    this.#locks = locks;
  }

  /**
   * Takes the directories for one step, in the order of `mounts`, until `held` is disposed; `fill` gives a new one its first content. Locked
   * ones are waited for, in one order for everybody; a private one is the first that nobody uses.
   */
  async take(
    mounts: readonly RunMount[],
    held: DisposableStack,
    options: { readonly signal: AbortSignal; readonly fill: (mount: RunMount, directory: string) => Promise<void> },
  ): Promise<readonly string[]> {
    const locked = new Set(mounts.filter(({ sharing }) => sharing === 'locked').map(nameOf));
    for (const name of [...locked].sort()) held.use(await this.#locks.hold(`mount ${name}`, options.signal));
    const paths: string[] = [];
    for (const mount of mounts) {
      const name = mount.sharing === 'private' ? this.#unusedName(nameOf(mount)) : nameOf(mount);
      this.#use(name, held);
      using _making = await this.#locks.hold(`making ${name}`, options.signal);
      const path = join(this.#directory, name);
      if (!statOf(path)) await this.#make(name, mount, options.fill);
      else this.#describe(name, mount);
      paths.push(path);
    }
    return paths;
  }

  list(): readonly KnownCacheMount[] {
    return namesInSync(this.#directory)
      .filter((name) => !name.includes('.'))
      .map((name) => {
        const path = join(this.#directory, name);
        const record = `${path}.json`;
        // One made by an older version has no record yet.
        const times = statSync(statOf(record) ? record : path);
        const description = statOf(record) ? readFileSync(record, 'utf8') : name;
        const isInUse = (this.#users.get(name) ?? 0) > 0;
        return { id: name, description, path, isInUse, createdAt: times.birthtimeMs, lastUsedAt: times.mtimeMs };
      });
  }

  /** Forgets one, unless a step has it by now; `discard` takes the directory. Returns whether it did. */
  async remove(id: string, discard: (directory: string) => Promise<void>): Promise<boolean> {
    using _removing = await this.#locks.hold(`making ${id}`);
    if (this.#users.has(id)) return false;
    await discard(join(this.#directory, id));
    await rm(join(this.#directory, `${id}.json`), { force: true });
    return true;
  }

  #use(name: string, held: DisposableStack): void {
    this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
    held.defer(() => {
      const left = this.#users.get(name)! - 1;
      if (left > 0) this.#users.set(name, left);
      else this.#users.delete(name);
    });
  }

  #unusedName(name: string): string {
    for (let number = 0; ; number++) {
      const candidate = number === 0 ? name : `${name}-${number}`;
      if (!this.#users.has(candidate)) return candidate;
    }
  }

  /** It appears complete or not at all. */
  async #make(
    name: string,
    mount: RunMount,
    fill: (mount: RunMount, directory: string) => Promise<void>,
  ): Promise<void> {
    const draft = join(this.#directory, `${name}.draft`);
    await rm(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    await fill(mount, draft);
    chownSync(draft, mount.uid, mount.gid);
    chmodSync(draft, mount.mode);
    this.#describe(name, mount);
    renameSync(draft, join(this.#directory, name));
  }

  #describe(name: string, mount: RunMount): void {
    const path = join(this.#directory, `${name}.json`);
    writeFileSync(path, mount.id ?? mount.target);
    utimesSync(path, this.#clock.now() / 1000, this.#clock.now() / 1000);
  }
}

const nameOf = (mount: RunMount) => hexOf(digestOf(mount.id ?? mount.target));

/** Bytes of all files beneath a directory, as the disk counts them. What goes meanwhile is passed over. */
export async function sizeOfTree(directory: string): Promise<number> {
  let bytes = 0;
  try {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      bytes += entry.isDirectory() ? await sizeOfTree(path) : (await lstat(path)).blocks * 512;
    }
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error;
  }
  return bytes;
}
