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
  readonly #rootOf: (controller: string) => string | undefined;

  constructor(mounts = listMounts()) {
    this.isVersion2 = mounts.some((mount) => mount.target === '/sys/fs/cgroup' && mount.type === 'cgroup2');
    const hierarchies = mounts.filter((mount) => mount.type === 'cgroup' || mount.type === 'cgroup2');
    this.#roots = hierarchies.map((mount) => mount.target);
    const rootOf = (controller: string) =>
      this.isVersion2
        ? '/sys/fs/cgroup'
        : hierarchies.find((mount) => mount.options.split(',').includes(controller))?.target;
    this.#rootOf = rootOf;
    this.#memoryRoot = rootOf('memory');
    this.#pidsRoot = rootOf('pids') ?? rootOf('devices') ?? '/sys/fs/cgroup';
  }

  /** What this machine's hierarchies can do. v1 kernels account for swap only when told to; weights depend on the I/O scheduler. */
  features() {
    const has = (controller: string, ...files: readonly string[]) => {
      const root = this.#rootOf(controller);
      return root !== undefined && files.some((file) => existsSync(join(root, file)));
    };
    return {
      cgroupVersion: this.isVersion2 ? (2 as const) : (1 as const),
      hasSwapAccounting: this.isVersion2 || has('memory', 'memory.memsw.limit_in_bytes'),
      // On v2 the root has no such files: runc tells when it cannot set them.
      hasBlockWeights: this.isVersion2 || has('blkio', 'blkio.weight', 'blkio.bfq.weight'),
    };
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

  /** Text of a controller's file for a cgroup; undefined where the kernel has none. On v2 every controller's files lie together. */
  read(controller: string, path: string, file: string): string | undefined {
    const root = this.#rootOf(controller);
    return root === undefined ? undefined : readOptional(join(root, path, file));
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
