import { chownSync, closeSync, openSync, statfsSync } from 'node:fs';
import { systemCode } from '#base';
import { pathOnly } from './beneath.ts';
import { check, KernelError, libcFunction } from './libc.ts';

const setUserCall = libcFunction<(uid: number) => number>('int setfsuid(unsigned int)');
const setGroupCall = libcFunction<(gid: number) => number>('int setfsgid(unsigned int)');
const processControl = libcFunction<(option: number, value: number, a: number, b: number, c: number) => number>(
  'int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)',
);

const [setDumpable, getSecureBits, setSecureBits] = [4, 27, 28] as const;
/** SECBIT_NO_SETUID_FIXUP: another user for files leaves the capabilities as they are (capabilities(7)). */
const keepCapabilities = 1 << 2;
/** No id: asks for the present one. */
const nobody = 0xffffffff;
/** f_type of pipes without a name (linux/magic.h). */
const PIPEFS_MAGIC = 0x50495045;

/**
 * From now on files are made by **this thread** as belonging to `uid` and `gid`, until the returned value is disposed; what it may do stays the
 * same. The kernel makes no file for root where ids are mapped and root is not among them. On the main thread only around synchronous work.
 */
export function takeFileOwner({ uid, gid }: { readonly uid: number; readonly gid: number }): Disposable {
  const bits = check(processControl(getSecureBits, 0, 0, 0, 0), 'prctl', 'PR_GET_SECUREBITS');
  check(processControl(setSecureBits, bits | keepCapabilities, 0, 0, 0), 'prctl', 'PR_SET_SECUREBITS');
  const [userBefore, groupBefore] = [setUserCall(uid), setGroupCall(gid)];
  const undo = {
    [Symbol.dispose]() {
      setUserCall(userBefore);
      setGroupCall(groupBefore);
      check(processControl(setSecureBits, bits, 0, 0, 0), 'prctl', 'PR_SET_SECUREBITS');
      // Every change of user takes it away, from all threads (prctl(2)): what it was when this one began says nothing. No program of ours gives it up.
      check(processControl(setDumpable, 1, 0, 0, 0), 'prctl', 'PR_SET_DUMPABLE');
    },
  };
  // setfsuid(2) tells of no failure.
  if (setUserCall(nobody) === uid && setGroupCall(nobody) === gid) return undo;
  undo[Symbol.dispose]();
  throw new KernelError('setfsuid', 'EPERM', `${uid}:${gid}`);
}

/**
 * Gives away the pipe that a process has open as `descriptor`. Anything else stays whose it is, also when the process puts it in the place of the pipe
 * at this moment; a process that has ended has none.
 */
export function givePipe(
  { pid, descriptor }: { readonly pid: number; readonly descriptor: number },
  owner: { readonly uid: number; readonly gid: number },
): void {
  const held = openHeld(`/proc/${pid}/fd/${descriptor}`);
  if (held === undefined) return;
  try {
    const path = `/proc/self/fd/${held}`;
    if (statfsSync(path).type === PIPEFS_MAGIC) chownSync(path, owner.uid, owner.gid);
  } finally {
    closeSync(held);
  }
}

/** Opens what a path names now, be it what it may, for it to be looked at. */
function openHeld(path: string): number | undefined {
  try {
    return openSync(path, pathOnly);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
