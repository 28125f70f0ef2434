import { readdirSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '#base';
import { deviceOf } from '#kernel';
import type { OciDevice } from './oci.ts';

/** Directories of /dev that are file systems or links of their own, never copied into a container. */
const skipped = new Set([
  'pts',
  'shm',
  'mqueue',
  'fd',
  'console',
  'ptmx',
  'null',
  'zero',
  'full',
  'random',
  'urandom',
  'tty',
]);

/** Every device node of the machine, for a privileged container; the standard ones runc makes itself. */
export function hostDevices(
  directory = '/dev',
): readonly (OciDevice & { readonly access: string; readonly source: string })[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (directory === '/dev' && skipped.has(entry.name)) return [];
    if (entry.isDirectory()) return hostDevices(path);
    return entry.isCharacterDevice() || entry.isBlockDevice() ? deviceAt(path) : [];
  });
}

function deviceAt(path: string): readonly (OciDevice & { readonly access: string; readonly source: string })[] {
  try {
    const stat = lstatSync(path, { bigint: true });
    const type = stat.isBlockDevice() ? 'b' : 'c';
    const fileMode = Number(stat.mode) & 0o7777;
    return [
      {
        path,
        type,
        ...deviceOf(stat.rdev),
        fileMode,
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        source: path,
        access: 'rwm',
      },
    ];
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []; // unplugged meanwhile
    throw error;
  }
}
