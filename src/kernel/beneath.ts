import { closeSync, constants, openSync } from 'node:fs';
import { check, libcFunction } from './libc.ts';

const openat2Call = libcFunction<
  (number: number, directory: number, path: string, how: Buffer, size: number) => number
>('long syscall(long, int, const char *, void *, size_t)');
const openat2Number = 437;
const [noMagicLinks, inRoot] = [0x02, 0x10] as const;
const howBytes = 24;
/** O_PATH, which Node does not name: what is opened is only named. */
export const pathOnly = 0o10000000;
const closeOnExec = 0o2000000; // O_CLOEXEC, likewise

/**
 * Opens `path` with `root` taken for `/`: `..` and symbolic links, absolute ones too, lead nowhere else, even while somebody changes the
 * tree (openat2(2), RESOLVE_IN_ROOT). Never waits for a fifo's other end. The caller closes the descriptor. Throws `KernelError`.
 */
export function openBeneath(root: string, path: string, flags: number = constants.O_RDONLY): number {
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const how = Buffer.alloc(howBytes);
    // A descriptor that only names a file takes no other flags.
    const waiting = flags & pathOnly ? 0 : constants.O_NONBLOCK;
    how.writeBigUInt64LE(BigInt(flags | waiting | closeOnExec), 0);
    how.writeBigUInt64LE(BigInt(inRoot | noMagicLinks), 16);
    return check(openat2Call(openat2Number, rootFd, path, how, howBytes), 'openat2', `${path} beneath ${root}`);
  } finally {
    closeSync(rootFd);
  }
}
