import { mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '#base';
import { listMounts } from '#kernel';

/** Hard limits of a sandbox as a whole. 1024 CPU units are one core. */
export interface SandboxLimits {
  readonly cpuUnits?: number;
  readonly memoryMiB?: number;
}

export interface CgroupUsage {
  readonly cpuNs: number;
  readonly memoryBytes: number;
  /** Of that, file pages that the kernel could drop at once. */
  readonly idleBytes: number;
}

/** The cgroups that hold sandboxes. The engine puts each container in one of its own beneath. */
export interface SandboxCgroups {
  /** Makes the cgroup with its memory limit and CPU weight. Repeatable. */
  ensure(path: string, limits: SandboxLimits): void;
  /** Caps CPU time. A step of its own, so that setting up the containers does not count against what was bought. */
  capCpu(path: string, limits: SandboxLimits): void;
  /** What everything in it has used so far, and holds now; undefined when there is no such cgroup. */
  usage(path: string): CgroupUsage | undefined;
  /** Removes the cgroup and what is beneath; what still holds a process stays. */
  remove(path: string): void;
}

const PERIOD_MICROS = 100_000;
const BYTES_PER_MIB = 2 ** 20;

/** The cgroups of this machine, whichever version its hierarchies have. */
export function linuxCgroups(): SandboxCgroups {
  const hierarchies = listMounts().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  const roots = hierarchies.map(({ target }) => target);
  const isVersion2 = hierarchies.some(({ target, type }) => target === '/sys/fs/cgroup' && type === 'cgroup2');
  const control = isVersion2
    ? version2('/sys/fs/cgroup')
    : version1((controller) => hierarchies.find(({ options }) => options.split(',').includes(controller))?.target);
  return { ...control, remove: (path) => roots.forEach((root) => removeTree(join(root, path))) };
}

/** Documentation/admin-guide/cgroup-v1/memory.rst, and scheduler/sched-bwc.rst for the quota. */
function version1(rootOf: (controller: string) => string | undefined): Omit<SandboxCgroups, 'remove'> {
  const set = (controller: string, path: string, file: string, value: number) => {
    const root = rootOf(controller);
    if (root === undefined) return;
    mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, path, file), String(value));
  };
  return {
    ensure(path, { cpuUnits, memoryMiB }) {
      if (memoryMiB !== undefined) set('memory', path, 'memory.limit_in_bytes', memoryMiB * BYTES_PER_MIB);
      if (cpuUnits !== undefined) set('cpu', path, 'cpu.shares', Math.max(2, cpuUnits));
    },
    capCpu(path, { cpuUnits }) {
      if (cpuUnits === undefined) return;
      set('cpu', path, 'cpu.cfs_period_us', PERIOD_MICROS);
      set('cpu', path, 'cpu.cfs_quota_us', quotaMicros(cpuUnits));
    },
    usage(path) {
      const read = (controller: string, file: string) => {
        const root = rootOf(controller);
        return root === undefined ? undefined : readOptional(join(root, path, file));
      };
      const memory = read('memory', 'memory.usage_in_bytes');
      if (memory === undefined) return undefined;
      return {
        cpuNs: Number(read('cpuacct', 'cpuacct.usage') ?? 0),
        memoryBytes: Number(memory),
        idleBytes: numberIn(read('memory', 'memory.stat'), 'total_inactive_file'),
      };
    },
  };
}

/** Documentation/admin-guide/cgroup-v2.rst. */
function version2(root: string): Omit<SandboxCgroups, 'remove'> {
  return {
    ensure(path, { cpuUnits, memoryMiB }) {
      let directory = root;
      // A controller reaches a cgroup only if every one above it passes it on.
      for (const name of path.split('/').filter(Boolean)) {
        writeFileSync(join(directory, 'cgroup.subtree_control'), '+cpu +memory +pids');
        directory = join(directory, name);
        mkdirSync(directory, { recursive: true });
      }
      if (memoryMiB !== undefined) writeFileSync(join(directory, 'memory.max'), String(memoryMiB * BYTES_PER_MIB));
      // The mapping of shares to weights that runc uses, so that both spell one share alike.
      if (cpuUnits !== undefined)
        writeFileSync(
          join(directory, 'cpu.weight'),
          String(1 + Math.floor(((Math.max(2, cpuUnits) - 2) * 9999) / 262142)),
        );
    },
    capCpu(path, { cpuUnits }) {
      if (cpuUnits !== undefined)
        writeFileSync(join(root, path, 'cpu.max'), `${quotaMicros(cpuUnits)} ${PERIOD_MICROS}`);
    },
    usage(path) {
      const read = (file: string) => readOptional(join(root, path, file));
      const memory = read('memory.current');
      if (memory === undefined) return undefined;
      return {
        cpuNs: numberIn(read('cpu.stat'), 'usage_usec') * 1000,
        memoryBytes: Number(memory),
        idleBytes: numberIn(read('memory.stat'), 'inactive_file'),
      };
    },
  };
}

function quotaMicros(cpuUnits: number): number {
  return Math.max(1000, Math.round((cpuUnits * PERIOD_MICROS) / 1024));
}

/** A number of a flat keyed file, `name value` a line. */
function numberIn(text: string | undefined, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1] ?? 0);
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function removeTree(directory: string): void {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(directory, entry.name));
    rmdirSync(directory);
  } catch (error) {
    // Gone already, or a process is still on its way out; the sandbox's removal comes by again.
    if (!['ENOENT', 'EBUSY', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error;
  }
}
