import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { DabbaError, systemCode } from '#base';
import type { PathStat } from '../files.ts';

/** What is at a path beneath the thread's root directory; undefined if there is nothing. Throws `InvalidArgument` for `file/`. */
export function statPath(path: string): PathStat | undefined {
  try {
    const stats = lstatSync(path, { bigint: true });
    return {
      name: posix.basename(path),
      sizeBytes: Number(stats.size),
      mode: Number(stats.mode),
      modifiedAtNs: stats.mtimeNs,
      linkTarget: stats.isSymbolicLink() ? targetOf(path) : '',
    };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG')
      throw new DabbaError('InvalidArgument', `"${path}": ${reasons[code]}`, { cause: error });
    throw error;
  }
}

const reasons = {
  ENOTDIR: 'not a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
} as const;

/** The end of all links, or of the first one if that leads nowhere. */
function targetOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return readLinkFrom(path);
  }
}

function readLinkFrom(path: string): string {
  return posix.resolve(posix.dirname(path), readlinkSync(path));
}
