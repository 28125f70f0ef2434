import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DabbaError, systemCode } from '#base';

/**
 * A pid file that cannot lie: it holds the process's start time beside its pid, so that a pid used anew by another program is not mistaken
 * for ours.
 */
export interface ProcessRecord {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot (proc(5)). */
  readonly startTicks: string;
}

/** The process a file names, if it is still that process and alive. */
export function livingProcess(file: string): ProcessRecord | undefined {
  const record = readRecord(file);
  return record && startTicksOf(record.pid) === record.startTicks ? record : undefined;
}

/** Claims `file` for this process. Throws `AlreadyExists`, naming the pid, while another living process holds it. */
export function claimProcessFile(file: string): Disposable {
  const own: ProcessRecord = { pid: process.pid, startTicks: startTicksOf(process.pid)! };
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(own));
  try {
    // link(2) fails when the file exists, so of two starts at once exactly one wins.
    for (let attempt = 0; ; attempt++)
      try {
        linkSync(draft, file);
        break;
      } catch (error) {
        if (systemCode(error) !== 'EEXIST' || attempt > 3) throw error;
        const holder = livingProcess(file);
        if (holder) throw new DabbaError('AlreadyExists', `process ${holder.pid} holds ${file}`);
        rmSync(file, { force: true });
      }
  } finally {
    rmSync(draft, { force: true });
  }
  return {
    [Symbol.dispose]: () => {
      if (readRecord(file)?.pid === own.pid) rmSync(file, { force: true });
    },
  };
}

/** True while the process exists, as a zombie or not. */
export function isSameProcess(record: ProcessRecord): boolean {
  return startTicksOf(record.pid) === record.startTicks;
}

function readRecord(file: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord; // written by `claimProcessFile` alone
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Start time of a living process, or undefined; a zombie counts as gone. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
