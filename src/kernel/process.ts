import { closeSync, readFileSync } from 'node:fs';
import { systemCode } from '#base';
import { KernelError, check, lastErrorCode, libcFunction } from './libc.ts';
import { watchDescriptor } from './readiness.ts';

/** How a process ended: its exit code, or the number of the signal that ended it. */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: number };

/** A child of ours. It is reaped whether or not anybody awaits `exited`. */
export interface ChildProcess {
  readonly pid: number;
  readonly exited: Promise<ExitStatus>;
  /** Sends a signal by number; without effect once it has ended, even if its pid is somebody else's by then. */
  kill(signal: number): void;
}

const syscallThree = libcFunction<(number: number, first: number, second: number) => number>(
  'long syscall(long, long, long)',
);
const waitPid = libcFunction<(pid: number, status: Buffer, options: number) => number>('int waitpid(int, void *, int)');
const pidfdSignal = libcFunction<(number: number, fd: number, signal: number, info: null, flags: number) => number>(
  'long syscall(long, int, int, void *, unsigned int)',
);
// The same numbers on every architecture (asm-generic/unistd.h).
const [pidfdSendSignalCall, pidfdOpenCall] = [424, 434] as const;
const noHang = 1;

/** Takes charge of a child that was just started: awaits it by pidfd and reaps it. */
export function watchChild(pid: number): ChildProcess {
  const fd = openPidfd(pid);
  let isOver = false;
  const exited = (async (): Promise<ExitStatus> => {
    await untilReadable(fd);
    const status = Buffer.alloc(4);
    check(waitPid(pid, status, noHang), 'waitpid', `process ${pid}`);
    isOver = true;
    closeSync(fd);
    return decodeStatus(status.readInt32LE());
  })();
  return { pid, exited, kill: (signal) => void (isOver || signalPidfd(fd, signal, pid)) };
}

/** A process somewhere on the machine, told from a later one with the same pid by when it started. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, `/proc/PID/stat` field 22. */
  readonly startTicks: string;
}

/** Identity of a living process, or undefined when there is none. Zombies count as ended. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const fields = readStat(pid);
  return !fields || fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTicks: fields[19]! };
}

/** Fields of `/proc/PID/stat` from the state on; undefined when there is no such process. */
function readStat(pid: number): readonly string[] | undefined {
  try {
    // The command name in parentheses may hold anything, so fields are counted from behind it.
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** True while that very process lives. */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTicks === identity.startTicks;
}

/** Sends a signal by number to that very process; false when it has ended. */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
  const fd = openProcess(identity);
  if (fd === undefined) return false;
  try {
    return signalPidfd(fd, signal, identity.pid);
  } finally {
    closeSync(fd);
  }
}

/** Resolves when that very process has ended; it need not be our child. On abort it resolves early. */
export async function processEnded(identity: ProcessIdentity, signal: AbortSignal): Promise<void> {
  const fd = openProcess(identity);
  if (fd === undefined) return;
  try {
    await untilReadable(fd, signal);
  } finally {
    closeSync(fd);
  }
}

/** A pidfd of that very process, which the caller closes; undefined when it has ended. */
export function openProcess(identity: ProcessIdentity): number | undefined {
  const fd = tryOpenPidfd(identity.pid);
  // The pidfd is held before the identity is checked, so the pid cannot change hands in between.
  if (fd === undefined || isProcessAlive(identity)) return fd;
  closeSync(fd);
  return undefined;
}

function openPidfd(pid: number): number {
  return check(syscallThree(pidfdOpenCall, pid, 0), 'pidfd_open', `process ${pid}`);
}

function tryOpenPidfd(pid: number): number | undefined {
  try {
    return openPidfd(pid);
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ESRCH') return undefined;
    throw error;
  }
}

async function untilReadable(fd: number, signal?: AbortSignal): Promise<void> {
  using watch = watchDescriptor(fd);
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  await Promise.race([watch.readable(), aborted]);
  signal?.removeEventListener('abort', onAbort);
}

function signalPidfd(fd: number, signal: number, pid: number): boolean {
  if (pidfdSignal(pidfdSendSignalCall, fd, signal, null, 0) === 0) return true;
  const code = lastErrorCode();
  if (code === 'ESRCH') return false;
  throw new KernelError('pidfd_send_signal', code, `process ${pid}`);
}

function decodeStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { kind: 'exited', code: (status >> 8) & 0xff } : { kind: 'signalled', signal };
}

const control = libcFunction<(option: number, value: number, third: number, fourth: number, fifth: number) => number>(
  'int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)',
);
const setChildSubreaper = 36;
let adoptions = 0;

/**
 * Until disposed, descendants whose parents end become our children instead of init's (prctl(2), PR_SET_CHILD_SUBREAPER), so that `adopt` can
 * wait for them. All of them do: whoever knows of others that end as ours reaps them by `reap`.
 */
export function adoptOrphans(): Disposable {
  if (adoptions++ === 0) setSubreaper(true);
  let isOver = false;
  return {
    [Symbol.dispose]() {
      if (isOver) return;
      isOver = true;
      if (--adoptions === 0) setSubreaper(false);
    },
  };
}

/** Takes charge of an orphan that became our child, running or ended. Throws `NotFound` when there is no such process. */
export function adopt(pid: number): ChildProcess {
  return watchChild(pid);
}

/** Removes what is left of that very process, if it ended as a child of ours that nobody waits for. */
export function reap(identity: ProcessIdentity): void {
  // The number alone would not do: it may be that of another child by now.
  if (readStat(identity.pid)?.[19] === identity.startTicks) waitPid(identity.pid, Buffer.alloc(4), noHang);
}

function setSubreaper(isOn: boolean): void {
  check(control(setChildSubreaper, isOn ? 1 : 0, 0, 0, 0), 'prctl', 'PR_SET_CHILD_SUBREAPER');
}
