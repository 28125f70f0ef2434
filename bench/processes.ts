import { readFileSync, readdirSync } from 'node:fs';

/** Processes with one of these ids among their arguments: conmon, or a shim. */
export function processesNaming(ids: readonly string[]): readonly number[] {
  return pids().filter((pid) => {
    const line = readOrEmpty(`/proc/${pid}/cmdline`);
    return ids.some((id) => line.includes(id));
  });
}

export function childrenOf(parent: number): readonly number[] {
  return pids().filter((pid) => new RegExp(`^PPid:\\s+${parent}$`, 'm').test(readOrEmpty(`/proc/${pid}/status`)));
}

/** Where the daemon's runc keeps a container: its conmon was told. */
export function runcRootOf(id: string): string {
  const [monitor] = processesNaming([id]);
  const root = /--runtime-arg=--root=([^\0]+)/.exec(readOrEmpty(`/proc/${monitor}/cmdline`))?.[1];
  if (!root) throw new Error(`no conmon of ${id} names a runc root`);
  return root;
}

const pids = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

export function memoryOf(pid: number): { readonly rssMB: number; readonly pssMB: number } {
  const rollup = readOrEmpty(`/proc/${pid}/smaps_rollup`);
  const megabytes = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? NaN) * 1024) / 1e6;
  return { rssMB: megabytes('Rss'), pssMB: megabytes('Pss') };
}

/** A process may end while it is looked at. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
