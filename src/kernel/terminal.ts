import { closeSync, statSync } from 'node:fs';
import { DabbaError, systemCode } from '#base';
import { namesInSync } from './directory.ts';
import { KernelError, check, lastErrorCode, libcFunction } from './libc.ts';
import { openProcess, type ProcessIdentity } from './process.ts';

const ioctlCall = libcFunction<(descriptor: number, request: number, argument: Buffer) => number>(
  'int ioctl(int fd, unsigned long request, void *argument)',
);
const getDescriptorCall = libcFunction<(number: number, pidfd: number, descriptor: number, flags: number) => number>(
  'long syscall(long, int, int, unsigned int)',
);
/** asm-generic/unistd.h and asm-generic/ioctls.h. */
const [pidfdGetfdNumber, TIOCSWINSZ] = [438, 0x5414] as const;
/** `/dev/ptmx` is device 5:2 (Linux' devices.txt). */
const masterDevice = (5 << 8) | 2;

/**
 * Sets the size in cells of the pseudo-terminals whose master that very process holds, and so tells who is at the terminal (SIGWINCH). True unless
 * the process has ended; without effect when it holds none. Throws `InvalidArgument` for what is no size.
 */
export function setTerminalSize(
  holder: ProcessIdentity,
  size: { readonly rows: number; readonly columns: number },
): boolean {
  for (const cells of [size.rows, size.columns])
    if (!Number.isInteger(cells) || cells < 0 || cells > 0xffff)
      throw new DabbaError('InvalidArgument', `${cells} is no size of a terminal: 0 to 65535 is`);
  const pidfd = openProcess(holder);
  if (pidfd === undefined) return false;
  try {
    const window = Buffer.alloc(8); // struct winsize
    window.writeUInt16LE(size.rows, 0);
    window.writeUInt16LE(size.columns, 2);
    for (const descriptor of mastersOf(holder.pid)) setWindow(pidfd, descriptor, window);
    return true;
  } finally {
    closeSync(pidfd);
  }
}

function mastersOf(pid: number): readonly number[] {
  const directory = `/proc/${pid}/fd`;
  return namesInSync(directory)
    .filter((name) => isMaster(`${directory}/${name}`))
    .map(Number);
}

function isMaster(path: string): boolean {
  try {
    return statSync(path).rdev === masterDevice;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Of a descriptor of that process, by a copy. */
function setWindow(pidfd: number, descriptor: number, window: Buffer): void {
  const own = getDescriptorCall(pidfdGetfdNumber, pidfd, descriptor, 0);
  if (own < 0) {
    const code = lastErrorCode();
    // It was closed, or the process ended, since.
    if (code === 'EBADF' || code === 'ESRCH') return;
    throw new KernelError('pidfd_getfd', code, `descriptor ${descriptor}`);
  }
  try {
    check(ioctlCall(own, TIOCSWINSZ, window), 'ioctl', 'TIOCSWINSZ');
  } finally {
    closeSync(own);
  }
}
