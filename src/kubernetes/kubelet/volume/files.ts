import { chmod, chown, mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DabbaError, systemCode } from '#base';

/** A file of a projected volume. */
export interface ProjectedFile {
  readonly data: Buffer;
  readonly mode: number;
  /** Whose it is; default root. */
  readonly uid?: number;
}

/** Files of a volume by their relative paths. */
export type Projection = ReadonlyMap<string, ProjectedFile>;

const dataLink = '..data';

/**
 * Puts `files` into `directory` so that a reader sees either all of the old or all of the new ones: they lie in a directory of their own, `..data` leads there and is replaced
 * in one step, and every name in the volume leads through it. Behaviour: kubelet `AtomicWriter`. Returns true if anything changed.
 */
export async function writeAtomically(
  directory: string,
  files: Projection,
  { stamp, fsGroup }: { readonly stamp: string; readonly fsGroup: number | undefined },
): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const before = await currentData(directory);
  if (before !== undefined && (await holds(join(directory, before), files))) {
    await linkNames(directory, files);
    return false;
  }
  const data = `..${stamp}`;
  await rm(join(directory, data), { recursive: true, force: true });
  await writeAll(join(directory, data), files, fsGroup);
  await rm(join(directory, '..data_tmp'), { force: true });
  await symlink(data, join(directory, '..data_tmp'));
  await rename(join(directory, '..data_tmp'), join(directory, dataLink));
  await linkNames(directory, files);
  await removeStale(directory, { files, data });
  return true;
}

/** Refuses names that would lead out of the volume, or into the writer's own. Throws `InvalidArgument`. */
export function checkPath(path: string): string {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts[0]!.startsWith('..'))
    throw new DabbaError('InvalidArgument', `invalid path in a volume: "${path}"`);
  return path;
}

async function currentData(directory: string): Promise<string | undefined> {
  try {
    return await readlink(join(directory, dataLink));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function holds(directory: string, files: Projection): Promise<boolean> {
  try {
    const found = await readdir(directory, { recursive: true, withFileTypes: true });
    if (found.filter((entry) => entry.isFile()).length !== files.size) return false;
    for (const [path, { data }] of files) if (!data.equals(await readFile(join(directory, path)))) return false;
    return true;
  } catch (error) {
    // A file where there was a directory, or the other way round.
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}

async function writeAll(directory: string, files: Projection, fsGroup: number | undefined): Promise<void> {
  await makeDirectory(directory, fsGroup);
  for (const [path, { data, mode, uid = 0 }] of files) {
    const target = join(directory, path);
    if (path.includes('/')) await makeDirectory(dirname(target), fsGroup);
    await writeFile(target, data);
    // A group that may read what its owner may, as kubelet's `SetVolumeOwnership` does for volumes that are only read.
    await chmod(target, fsGroup === undefined ? mode : mode | 0o440);
    if (uid !== 0 || fsGroup !== undefined) await chown(target, uid, fsGroup ?? 0);
  }
}

async function makeDirectory(path: string, fsGroup: number | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  if (fsGroup === undefined) return;
  await chown(path, 0, fsGroup);
  await chmod(path, 0o2755);
}

/** The first parts of the files' paths are what a user of the volume sees. */
function names(files: Projection): ReadonlySet<string> {
  return new Set(Array.from(files.keys(), (path) => path.split('/', 1)[0]!));
}

async function linkNames(directory: string, files: Projection): Promise<void> {
  for (const name of names(files)) {
    try {
      await symlink(`${dataLink}/${name}`, join(directory, name));
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
  }
}

async function removeStale(
  directory: string,
  { files, data }: { readonly files: Projection; readonly data: string },
): Promise<void> {
  const kept = new Set([...names(files), dataLink, data]);
  for (const name of await readdir(directory))
    if (!kept.has(name)) await rm(join(directory, name), { recursive: true, force: true });
}
