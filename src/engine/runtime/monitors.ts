import { readFileSync, readdirSync } from 'node:fs';
import { systemCode } from '#base';
import { rootArgument } from './conmon.ts';
import { identifyProcess, type ProcessIdentity } from '#kernel';

/** A living conmon of this engine. */
export interface FoundMonitor {
  readonly identity: ProcessIdentity;
  readonly bundle: string;
}

/** Every conmon that works with runc's `runcRoot`, found by its arguments: the one record that cannot be lost while it lives. */
export function findMonitors(runcRoot: string): readonly FoundMonitor[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const args = readArguments(Number(name));
      if (!args[0]?.endsWith('conmon') || !args.includes(`--runtime-arg=${rootArgument(runcRoot)}`)) return [];
      const identity = identifyProcess(Number(name));
      const bundle = args.find((argument) => argument.startsWith('--bundle='))?.slice('--bundle='.length);
      return identity && bundle !== undefined ? [{ identity, bundle }] : [];
    });
}

function readArguments(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return [];
    throw error;
  }
}
