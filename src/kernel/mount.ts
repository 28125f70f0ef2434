import { readFileSync } from 'node:fs';
import { check, KernelError, lastErrorCode, libcFunction } from './libc.ts';

const mountCall = libcFunction<
  (source: string, target: string, type: string | null, flags: number, data: string | null) => number
>('int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)');
const umount2Call = libcFunction<(target: string, flags: number) => number>(
  'int umount2(const char *target, int flags)',
);

const statfsCall = libcFunction<(path: string, found: Buffer) => number>('int statfs(const char *path, void *found)');

/** Flags of mount(2). Propagation flags stand alone in a call of their own. */
export const MountFlag = {
  readOnly: 1,
  noSuid: 2,
  noDevices: 4,
  noExecute: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
  strictAccessTime: 1 << 24,
} as const;

/** The kernel copies the options of one mount(2) into one page, terminator included. */
export const mountOptionsLimitBytes = 4095;

export interface MountCall {
  /** Device, directory, or any word for file systems without a source. */
  readonly source: string;
  readonly target: string;
  /** Absent for a bind mount, a remount or a change of propagation. */
  readonly type?: string;
  /** Sum of `MountFlag`. */
  readonly flags?: number;
  /** Options of the file system. */
  readonly options?: string;
}

/** mount(2). Throws `KernelError`; options that do not fit one page are `EINVAL` and never reach the kernel, which would cut them. */
export function mount({ source, target, type, flags, options }: MountCall): void {
  if (Buffer.byteLength(options ?? '') > mountOptionsLimitBytes) throw new KernelError('mount', 'EINVAL', target);
  check(mountCall(source, target, type ?? null, flags ?? 0, options ?? null), 'mount', target);
}

/** Which of `readOnly`, `noSuid`, `noDevices` and `noExecute` hold for the mount that `path` lies in (statfs(2)): their bits are those of `MountFlag`. */
export function mountFlagsOf(path: string): number {
  const found = Buffer.alloc(256); // struct statfs, which is smaller
  check(statfsCall(path, found), 'statfs', path);
  const flagsOffset = 80; // on 64-bit machines
  return Number(found.readBigUInt64LE(flagsOffset)) & 0xf;
}

/** Flags of umount2(2). */
export const UnmountFlag = { detach: 2, noFollow: 8 } as const;

/**
 * umount2(2), never following a symbolic link. Returns false when `target` is absent or no mount point. `flags` may hold
 * `UnmountFlag.detach` for a lazy unmount of what is busy.
 */
export function unmount(target: string, flags = 0): boolean {
  if (umount2Call(target, flags | UnmountFlag.noFollow) === 0) return true;
  const code = lastErrorCode();
  if (code === 'EINVAL' || code === 'ENOENT') return false;
  throw new KernelError('umount2', code, target);
}

/** One line of /proc/self/mountinfo. */
export interface MountPoint {
  readonly target: string;
  readonly type: string;
  readonly source: string;
  /** Options of the file system (`lowerdir=…`). */
  readonly options: string;
}

/** Every mount this process sees, in the order they were made (proc_pid_mountinfo(5)). */
export function listMounts(): readonly MountPoint[] {
  const unescape = (text: string) =>
    text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ');
      const [type = '', source = '', options = ''] = right.split(' ');
      return { target: unescape(left.split(' ')[4] ?? ''), type, source: unescape(source), options: unescape(options) };
    });
}
