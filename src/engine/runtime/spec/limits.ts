import { readFileSync } from 'node:fs';
import { hasX32 } from '#kernel';
import { allCapabilities } from './defaults.ts';

/** What this process may hand to a container. Read once: none of it changes while we run. */
export interface MachineLimits {
  readonly capabilities: ReadonlySet<string>;
  /** Our own hard limits by name (`nofile`); `Infinity` where there is none. */
  readonly hardLimits: { readonly [name: string]: number };
  readonly oomScoreAdj: number;
  readonly hasSwapAccounting: boolean;
  readonly hasBlockWeights: boolean;
  readonly cgroupVersion: 1 | 2;
  /** The kernel takes system calls of the x32 ABI. */
  readonly hasX32: boolean;
}

/** Reads the limits of this process from /proc. */
export function readMachineLimits(
  cgroups: Pick<MachineLimits, 'hasSwapAccounting' | 'hasBlockWeights' | 'cgroupVersion'>,
): MachineLimits {
  const status = readFileSync('/proc/self/status', 'utf8');
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return {
    capabilities: new Set(allCapabilities.filter((_, number) => (held >> BigInt(number)) & 1n)),
    hardLimits: parseLimits(readFileSync('/proc/self/limits', 'utf8')),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
    hasX32: hasX32(),
    ...cgroups,
  };
}

const namesInProc: { readonly [title: string]: string } = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max data size': 'data',
  'Max stack size': 'stack',
  'Max core file size': 'core',
  'Max resident set': 'rss',
  'Max processes': 'nproc',
  'Max open files': 'nofile',
  'Max locked memory': 'memlock',
  'Max address space': 'as',
  'Max file locks': 'locks',
  'Max pending signals': 'sigpending',
  'Max msgqueue size': 'msgqueue',
  'Max nice priority': 'nice',
  'Max realtime priority': 'rtprio',
  'Max realtime timeout': 'rttime',
};

/** Hard limits from the text of /proc/PID/limits (proc_pid_limits(5)). */
export function parseLimits(text: string): { readonly [name: string]: number } {
  const limits: { [name: string]: number } = {};
  for (const line of text.split('\n')) {
    const match = /^(Max [a-z ]+?)\s+(?:unlimited|\d+)\s+(unlimited|\d+)/.exec(line);
    const name = match && namesInProc[match[1]!];
    if (match && name) limits[name] = match[2] === 'unlimited' ? Infinity : Number(match[2]);
  }
  return limits;
}
