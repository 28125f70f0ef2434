import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { systemCode } from '#base';
import type { BlockCount, ContainerStats, NetworkCounts } from '../engine.ts';
import type { Cgroups } from './cgroups.ts';
import type { Instance } from './instance.ts';
import type { Runtime } from './runtime.ts';

/** USER_HZ, which is 100 on every architecture Linux has today (proc_stat(5)). */
const tickNs = 1e7;

/** Reads what a running container uses from its cgroup (cgroup-v1/ and cgroup-v2.rst of the kernel's documents) and its network namespace. */
export function readStats({ cgroups, clock }: Runtime, instance: Instance): ContainerStats {
  const of = new Counters(cgroups, instance.cgroupPath);
  const pid = instance.state.process?.pid;
  const hasOwnNetwork = pid !== undefined && instance.record.create.network.mode !== 'host';
  return {
    at: clock.now(),
    ...(cgroups.isVersion2 ? version2(of) : version1(of)),
    ...(hasOwnNetwork && { networks: parseNetworks(readOptional(`/proc/${pid}/net/dev`)) }),
  };
}

/** The numbers in a cgroup's files. What a kernel does not count is zero. */
class Counters {
  readonly #cgroups: Cgroups;
  readonly #path: string;

  constructor(cgroups: Cgroups, path: string) {
    this.#cgroups = cgroups;
    this.#path = path;
  }

  text(controller: string, file: string): string {
    return this.#cgroups.read(controller, this.#path, file) ?? '';
  }

  /** Undefined for `max` and for a file that is not there. */
  number(controller: string, file: string): number | undefined {
    const text = this.text(controller, file).trim();
    return /^\d+$/.test(text) ? Number(text) : undefined;
  }

  /** A flat keyed file: `name value` a line. */
  pairs(controller: string, file: string): { readonly [name: string]: number } {
    const lines = this.text(controller, file).trim().split('\n');
    return Object.fromEntries(
      lines.map((line) => line.split(' ')).flatMap(([name, value]) => (value ? [[name, Number(value)]] : [])),
    );
  }

  /** A limit; one as large as the machine's memory is none. */
  memoryLimit(file: string): number {
    return Math.min(this.number('memory', file) ?? Infinity, totalmem());
  }

  pids(): ContainerStats['pids'] {
    const limit = this.number('pids', 'pids.max');
    return { current: this.number('pids', 'pids.current') ?? 0, ...(limit !== undefined && { limit }) };
  }
}

type CgroupStats = Omit<ContainerStats, 'at' | 'networks'>;

function version1(of: Counters): CgroupStats {
  const ticks = of.pairs('cpuacct', 'cpuacct.stat');
  const throttling = of.pairs('cpu', 'cpu.stat');
  const perCpu = of.text('cpuacct', 'cpuacct.usage_percpu').trim();
  return {
    cpu: {
      usageNs: of.number('cpuacct', 'cpuacct.usage') ?? 0,
      userNs: (ticks['user'] ?? 0) * tickNs,
      systemNs: (ticks['system'] ?? 0) * tickNs,
      ...(perCpu !== '' && { perCpuNs: perCpu.split(' ').map(Number) }),
      periods: throttling['nr_periods'] ?? 0,
      throttledPeriods: throttling['nr_throttled'] ?? 0,
      throttledNs: throttling['throttled_time'] ?? 0,
      ...machineCpu(),
    },
    memory: {
      usageBytes: of.number('memory', 'memory.usage_in_bytes') ?? 0,
      highestUsageBytes: of.number('memory', 'memory.max_usage_in_bytes') ?? 0,
      failures: of.number('memory', 'memory.failcnt') ?? 0,
      limitBytes: of.memoryLimit('memory.limit_in_bytes'),
      details: of.pairs('memory', 'memory.stat'),
    },
    pids: of.pids(),
    blockBytes: parseBlockCounts(of.text('blkio', 'blkio.throttle.io_service_bytes')),
    blockOperations: parseBlockCounts(of.text('blkio', 'blkio.throttle.io_serviced')),
  };
}

function version2(of: Counters): CgroupStats {
  const cpu = of.pairs('cpu', 'cpu.stat');
  const microseconds = (name: string) => (cpu[name] ?? 0) * 1000;
  const io = of.text('io', 'io.stat');
  return {
    cpu: {
      usageNs: microseconds('usage_usec'),
      userNs: microseconds('user_usec'),
      systemNs: microseconds('system_usec'),
      periods: cpu['nr_periods'] ?? 0,
      throttledPeriods: cpu['nr_throttled'] ?? 0,
      throttledNs: microseconds('throttled_usec'),
      ...machineCpu(),
    },
    memory: {
      usageBytes: of.number('memory', 'memory.current') ?? 0,
      limitBytes: of.memoryLimit('memory.max'),
      details: of.pairs('memory', 'memory.stat'),
    },
    pids: of.pids(),
    blockBytes: parseIo(io, { rbytes: 'Read', wbytes: 'Write' }),
    blockOperations: parseIo(io, { rios: 'Read', wios: 'Write' }),
  };
}

/** Time of all processors together, from the first line of /proc/stat: user to softirq, as Docker adds them up. */
function machineCpu(): Pick<ContainerStats['cpu'], 'machineNs' | 'onlineCpus'> {
  const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]!.split(/\s+/);
  const sum = ticks.slice(0, 7).reduce((total, each) => total + Number(each), 0);
  return { machineNs: sum * tickNs, onlineCpus: availableParallelism() };
}

/** `major:minor Operation count` a line (cgroup-v1/blkio-controller.rst); the `Total` line at the end has no device. */
export function parseBlockCounts(text: string): readonly BlockCount[] {
  return [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, operation, count]) => ({
    major: Number(major),
    minor: Number(minor),
    operation: operation!,
    count: Number(count),
  }));
}

/** `major:minor key=value …` a line (cgroup-v2.rst, io.stat). */
export function parseIo(text: string, operations: { readonly [key: string]: string }): readonly BlockCount[] {
  return [...text.matchAll(/^(\d+):(\d+) (.*)$/gm)].flatMap(([, major, minor, fields]) =>
    fields!.split(' ').flatMap((field) => {
      const [key, value] = field.split('=');
      const operation = operations[key!];
      if (operation === undefined) return [];
      return [{ major: Number(major), minor: Number(minor), operation, count: Number(value) }];
    }),
  );
}

/** /proc/net/dev (proc_net(5)) without the loopback. */
export function parseNetworks(text: string): { readonly [name: string]: NetworkCounts } {
  const lines = text.split('\n').slice(2).filter(Boolean);
  const entries = lines.map((line) => {
    const [name = '', counts = ''] = line.split(':');
    const numbers = counts.trim().split(/\s+/).map(Number);
    const [receivedBytes = 0, receivedPackets = 0, receiveErrors = 0, receiveDrops = 0] = numbers;
    const [sentBytes = 0, sentPackets = 0, sendErrors = 0, sendDrops = 0] = numbers.slice(8);
    const received = { receivedBytes, receivedPackets, receiveErrors, receiveDrops };
    return [name.trim(), { ...received, sentBytes, sentPackets, sendErrors, sendDrops }] as const;
  });
  return Object.fromEntries(entries.filter(([name]) => name !== 'lo'));
}

function readOptional(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EINVAL', 'ESRCH'].includes(systemCode(error) ?? '')) return ''; // the process has just ended
    throw error;
  }
}
