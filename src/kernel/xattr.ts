import { check, KernelError, lastErrorCode, libcFunction } from './libc.ts';

type Path = string | Buffer;

const lsetxattr = libcFunction<(path: Path, name: string, value: Buffer, size: number, flags: number) => number>(
  'int lsetxattr(const char *path, const char *name, const void *value, unsigned long size, int flags)',
);
const lgetxattr = libcFunction<(path: Path, name: Path, value: Buffer, size: number) => number>(
  'long lgetxattr(const char *path, const char *name, void *value, unsigned long size)',
);
const llistxattr = libcFunction<(path: Path, list: Buffer | null, size: number) => number>(
  'long llistxattr(const char *path, void *list, unsigned long size)',
);

/** Largest value and largest list of names the kernel keeps (XATTR_SIZE_MAX, XATTR_LIST_MAX). */
const limitBytes = 65536;
let scratch: Buffer | undefined;

/** Paths are text, or NUL-terminated bytes where a name is not UTF-8 (`pathOf`). None of these follows a symbolic link at the end. */

/** Sets an extended attribute of the file itself. */
export function setAttribute(path: Path, name: string, value: Buffer): void {
  check(lsetxattr(path, name, value, value.length, 0), 'lsetxattr', `${name} of ${nameOf(path)}`);
}

/** The value of an extended attribute, or undefined if the file has none of that name. */
export function getAttribute(path: Path, name: string): Buffer | undefined {
  scratch ??= Buffer.alloc(limitBytes);
  const size = lgetxattr(path, name, scratch, limitBytes);
  if (size >= 0) return Buffer.from(scratch.subarray(0, size));
  const code = lastErrorCode();
  if (code === 'ENODATA' || code === 'EOPNOTSUPP') return undefined;
  throw new KernelError('lgetxattr', code, `${name} of ${nameOf(path)}`);
}

/** Names of the file's extended attributes, in byte order; empty where the file system has none. */
export function listAttributes(path: Path): readonly string[] {
  const size = llistxattr(path, null, 0);
  if (size === 0) return [];
  if (size < 0 && lastErrorCode() === 'EOPNOTSUPP') return [];
  check(size, 'llistxattr', nameOf(path));
  scratch ??= Buffer.alloc(limitBytes);
  const used = check(llistxattr(path, scratch, limitBytes), 'llistxattr', nameOf(path));
  return scratch
    .toString('latin1', 0, used)
    .split('\0')
    .filter((name) => name !== '')
    .sort();
}

function nameOf(path: Path): string {
  return typeof path === 'string' ? path : path.toString('latin1').replace(/\0$/, '');
}
