import { closeSync, constants, fstatSync, readFileSync } from 'node:fs';
import { DabbaError } from '#base';
import { KernelError, openBeneath } from '#kernel';
import type { Accounts } from './spec/user.ts';

const largestFileBytes = 4 * 1024 * 1024;

/** The account files of a container's root, read without ever leaving it. */
export function readAccounts(root: string): Accounts {
  return { passwd: readBeneath(root, '/etc/passwd'), group: readBeneath(root, '/etc/group') };
}

/** The text of a regular file beneath `root`, empty when there is none. */
function readBeneath(root: string, path: string): string {
  let fd: number;
  try {
    fd = openBeneath(root, path, constants.O_RDONLY);
  } catch (error) {
    if (error instanceof KernelError && ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(error.code)) return '';
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return '';
    if (stat.size > largestFileBytes)
      throw new DabbaError('InvalidArgument', `${path} of the image is ${stat.size} bytes`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
