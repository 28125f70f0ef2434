import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, systemCode } from '#base';

/** As the kernel: more links than this on one path is a loop. */
const linkLimit = 40;

/**
 * Where `path` leads when `root` is taken for `/`: relative to `root`, no `..`, no symbolic links. Nothing outside `root` is ever looked at.
 * What does not exist yet is taken as written. The tree must be our own: nobody else may change it meanwhile.
 */
export function resolveBeneath(root: string, path: string, last: 'follow' | 'keep' = 'follow'): string {
  if (path.includes('\0'))
    throw new DabbaError('InvalidArgument', `${JSON.stringify(path)} is no path: it has a NUL in it`);
  const waiting = path.split('/').reverse();
  const resolved: string[] = [];
  let links = 0;
  while (waiting.length > 0) {
    const part = waiting.pop()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved.pop();
      continue;
    }
    const here = join(root, ...resolved, part);
    const isLast = waiting.every((rest) => rest === '' || rest === '.');
    if (!statOf(here)?.isSymbolicLink() || (isLast && last === 'keep')) {
      resolved.push(part);
      continue;
    }
    if (++links > linkLimit) throw new DabbaError('InvalidArgument', `too many symbolic links in "${path}"`);
    const target = readlinkSync(here);
    if (target.startsWith('/')) resolved.length = 0;
    waiting.push(...target.split('/').reverse());
  }
  return resolved.join('/');
}

/** lstat(2), or undefined if there is nothing. */
export function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    // No file system has a name that is too long for the kernel.
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}
