import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '#base';
import { listMounts } from '#kernel';

/** The cgroup hierarchies of this machine: one on v2, many on v1, both kinds on hybrid hosts. */
export class Cgroups {
  readonly isVersion2: boolean;
  readonly #roots: readonly string[];
  readonly #memoryRoot: string | undefined;
  readonly #pidsRoot: string;

  constructor(mounts = listMounts()) {
    this.isVersion2 = mounts.some((mount) => mount.target === '/sys/fs/cgroup' && mount.type === 'cgroup2');
    const hierarchies = mounts.filter((mount) => mount.type === 'cgroup' || mount.type === 'cgroup2');
    this.#roots = hierarchies.map((mount) => mount.target);
    const rootOf = (controller: string) =>
      this.isVersion2
        ? '/sys/fs/cgroup'
        : hierarchies.find((mount) => mount.options.split(',').includes(controller))?.target;
    this.#memoryRoot = rootOf('memory');
    this.#pidsRoot = rootOf('pids') ?? rootOf('devices') ?? '/sys/fs/cgroup';
  }

  /** False on v1 kernels that were not told to account for swap. */
  get hasSwapAccounting(): boolean {
    if (this.isVersion2) return true;
    return this.#memoryRoot !== undefined && existsSync(join(this.#memoryRoot, 'memory.memsw.limit_in_bytes'));
  }

  /** Pids of every process in the cgroup and those beneath it. */
  processes(path: string): readonly number[] {
    const directory = join(this.#pidsRoot, path);
    const own = readOptional(join(directory, 'cgroup.procs'));
    if (own === undefined) return [];
    const beneath = childDirectories(directory).flatMap((name) => this.processes(join(path, name)));
    return [...own.split('\n').filter(Boolean).map(Number), ...beneath];
  }

  /** How often the kernel killed a process of the cgroup for want of memory. */
  outOfMemoryKills(path: string): number {
    if (this.#memoryRoot === undefined) return 0;
    const file = join(this.#memoryRoot, path, this.isVersion2 ? 'memory.events' : 'memory.oom_control');
    return Number(/^oom_kill (\d+)$/m.exec(readOptional(file) ?? '')?.[1] ?? 0);
  }

  /** Removes the cgroup and all beneath it from every hierarchy. Those that still hold processes stay, and are told in the answer. */
  remove(path: string): readonly string[] {
    return this.#roots.flatMap((root) => removeTree(join(root, path)));
  }
}

function removeTree(directory: string): readonly string[] {
  const left = childDirectories(directory).flatMap((name) => removeTree(join(directory, name)));
  try {
    rmdirSync(directory);
    return left;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return left;
    if (systemCode(error) === 'EBUSY') return [...left, directory];
    throw error;
  }
}

function childDirectories(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENODEV') return undefined;
    throw error;
  }
}
