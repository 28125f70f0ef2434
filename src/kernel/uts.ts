import { closeSync, openSync, writeFileSync } from 'node:fs';
import { check, libcFunction } from './libc.ts';

const setnsCall = libcFunction<(descriptor: number, kind: number) => number>('int setns(int fd, int nstype)');
const CLONE_NEWUTS = 0x04000000;

/**
 * Sets the NIS domain name that a process sees, in the UTS namespace it is in. Only the machine's root may write it: the kernel asks for that user
 * whatever namespace the name is of. Throws `KernelError`, `ENOENT` when the process has ended.
 */
export function setDomainName(pid: number, name: string): void {
  using scope = new DisposableStack();
  const open = (path: string) => scope.adopt(openSync(path, 'r'), closeSync);
  const home = open('/proc/thread-self/ns/uts');
  const away = open(`/proc/${pid}/ns/uts`);
  check(setnsCall(away, CLONE_NEWUTS), 'setns', `process ${pid}`);
  try {
    writeFileSync('/proc/sys/kernel/domainname', name);
  } finally {
    if (setnsCall(home, CLONE_NEWUTS) < 0) process.abort(); // a thread that is lost does nothing right
  }
}
