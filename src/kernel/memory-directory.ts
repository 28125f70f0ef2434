import { mkdirSync, readdirSync, statfsSync } from 'node:fs';
import { mount, MountFlag, unmount, UnmountFlag } from './mount.ts';

/** f_type of tmpfs (linux/magic.h). */
const tmpfsMagic = 0x01021994;

/**
 * Has `directory` (made if absent) lie in memory: what is written there many times a second need not go to a disk. Where it does already, as all of
 * /run does on most machines, and where it holds something, nothing changes. May be repeated.
 */
export function keepInMemory(directory: string, mode: number): void {
  mkdirSync(directory, { recursive: true, mode });
  if (statfsSync(directory).type === tmpfsMagic || readdirSync(directory).length > 0) return;
  const flags = MountFlag.noSuid | MountFlag.noDevices;
  mount({ source: 'dabba', target: directory, type: 'tmpfs', flags, options: `mode=${mode.toString(8)}` });
}

/** Undoes it; what it holds is gone. May be repeated. */
export function forgetMemory(directory: string): void {
  unmount(directory, UnmountFlag.detach);
}
