import { closeSync, constants, openSync } from 'node:fs';
import { check, libcFunction } from './libc.ts';

type Path = string | Buffer;

const mknodCall = libcFunction<(path: Path, mode: number, device: bigint) => number>(
  'int mknod(const char *path, unsigned int mode, unsigned long device)',
);
const utimensatCall = libcFunction<(directory: number, path: Path, times: Buffer, flags: number) => number>(
  'int utimensat(int directory, const char *path, const void *times, int flags)',
);
const futimensCall = libcFunction<(file: number, times: Buffer) => number>('int futimens(int file, const void *times)');
const umaskCall = libcFunction<(mask: number) => number>('unsigned int umask(unsigned int mask)');
const unshareCall = libcFunction<(flags: number) => number>('int unshare(int flags)');
const chrootCall = libcFunction<(path: string) => number>('int chroot(const char *path)');
const fchdirCall = libcFunction<(directory: number) => number>('int fchdir(int directory)');
const chdirCall = libcFunction<(path: Path) => number>('int chdir(const char *path)');

const currentDirectory = -100; // AT_FDCWD
const noFollow = 0x100; // AT_SYMLINK_NOFOLLOW
const shareFileSystemState = 0x200; // CLONE_FS

/** File type bits of a mode (inode(7)). */
export const FileType = { fifo: 0o010000, character: 0o020000, block: 0o060000 } as const;

/** mknod(2): a device, fifo or overlayfs whiteout (character device 0:0). `mode` holds a `FileType` and the permissions. */
export function makeNode(path: Path, mode: number, device = { major: 0, minor: 0 }): void {
  check(mknodCall(path, mode, deviceNumber(device)), 'mknod', String(path));
}

/** The kernel's device number of a major and minor, as glibc's makedev(3) packs it. */
function deviceNumber({ major, minor }: { readonly major: number; readonly minor: number }): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

/** Major and minor of the device number stat(2) gives (makedev(3)). */
export function deviceOf(device: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn)),
  };
}

// One pair of struct timespec, filled anew unless the last call was for the same time; libc reads it before returning.
const times = new BigInt64Array(4);
const timesBytes = Buffer.from(times.buffer);
let filledNs = 0n;

function fillTimes(atNs: bigint): Buffer {
  if (atNs === filledNs) return timesBytes;
  filledNs = atNs;
  let nanoseconds = atNs % 1_000_000_000n;
  if (nanoseconds < 0n) nanoseconds += 1_000_000_000n;
  times[0] = times[2] = (atNs - nanoseconds) / 1_000_000_000n;
  times[1] = times[3] = nanoseconds;
  return timesBytes;
}

/** Sets access and modification time of the file itself, links not followed, to nanoseconds since the epoch. */
export function setTimes(path: Path, atNs: bigint): void {
  check(utimensatCall(currentDirectory, path, fillTimes(atNs), noFollow), 'utimensat', String(path));
}

/** `setTimes` of an open file. */
export function setTimesOf(file: number, atNs: bigint): void {
  check(futimensCall(file, fillTimes(atNs)), 'futimens', `descriptor ${file}`);
}

/**
 * Confines path lookups of **this worker thread** to directories of its choice: nothing named inside `enter`, be it absolute, `..` or a
 * symbolic link, resolves outside. Root directory, working directory and umask are first unshared from the other threads (CLONE_FS),
 * so they see nothing of it; the umask is 0 from then on. Only synchronous file calls obey: asynchronous ones run on pool threads.
 * Modules must be loaded before `enter`. Never for the main thread.
 */
export class ThreadRoot implements Disposable {
  readonly #outside: number;

  constructor() {
    this.#outside = openSync('/', constants.O_RDONLY | constants.O_DIRECTORY);
    check(unshareCall(shareFileSystemState), 'unshare', 'CLONE_FS');
    umaskCall(0);
  }

  /** Makes `directory`, named as outside, the root of this thread until the returned value is disposed. */
  enter(directory: string): Disposable {
    this.#leave();
    check(chdirCall(directory), 'chdir', directory);
    check(chrootCall('.'), 'chroot', directory);
    return { [Symbol.dispose]: () => this.#leave() };
  }

  /** Changes the working directory of this thread, within its root, for names relative to it. */
  static changeDirectory(path: Path): void {
    check(chdirCall(path), 'chdir', String(path));
  }

  #leave(): void {
    check(fchdirCall(this.#outside), 'fchdir', '/');
    check(chrootCall('.'), 'chroot', '/');
  }

  [Symbol.dispose](): void {
    this.#leave();
    closeSync(this.#outside);
  }
}
