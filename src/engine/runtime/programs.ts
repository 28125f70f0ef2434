import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, systemCode } from '#base';
import { standardEnvironment } from '#kernel';

/** Absolute path of an installed program; conmon wants one for runc. Throws `FailedPrecondition` naming what is missing. */
export function findProgram(...names: readonly [string, ...string[]]): string {
  for (const name of names)
    for (const directory of standardEnvironment.PATH.split(':')) {
      const path = join(directory, name);
      if (isExecutable(path)) return path;
    }
  throw new DabbaError('FailedPrecondition', `${names.join(' or ')} is not installed (see "dabba doctor")`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}
