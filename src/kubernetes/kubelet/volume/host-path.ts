import { closeSync, constants, readlinkSync, statSync, type Stats } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { DabbaError, systemCode } from '#base';
import { KernelError, openBeneath } from '#kernel';

/** A directory or file of this machine that a volume stands for. */
export interface HostPlace {
  readonly path: string;
  readonly isReadOnly: boolean;
}

/** Views of the kernel, which the node shares with the machine; they may be read. Devices are guarded by the container's cgroup. */
const shared = [
  { path: '/proc', isReadOnly: true },
  { path: '/sys', isReadOnly: true },
  { path: '/dev', isReadOnly: false },
] as const;

/**
 * Where a hostPath volume lies. A node has a file system of its own, beneath `root`: pods meet the files of their node there, never those of the machine or of another node.
 * `type` is what there has to be, or is made ("hostPath volume types", Kubernetes documentation). Throws `FailedPrecondition` in upstream's words.
 */
export async function hostPlace(root: string, path: string, type = ''): Promise<HostPlace> {
  const absolute = posix.resolve('/', path);
  const view = shared.find((each) => absolute === each.path || absolute.startsWith(`${each.path}/`));
  if (view) return { path: absolute, isReadOnly: view.isReadOnly };
  const refuse = (what: string) =>
    new DabbaError('FailedPrecondition', `hostPath type check failed: ${path} is not ${what}`);
  if (type === 'DirectoryOrCreate' || type === '') await makeDirectory(root, absolute);
  if (type === 'FileOrCreate') await makeFile(root, absolute);
  const place = beneath(root, absolute);
  if (!place) throw refuse(expectations[type]?.what ?? 'there');
  const expected = expectations[type];
  if (expected && !expected.fits(statSync(place))) throw refuse(expected.what);
  return { path: place, isReadOnly: false };
}

const expectations: {
  readonly [type: string]: { readonly what: string; readonly fits: (stats: Stats) => boolean } | undefined;
} = {
  DirectoryOrCreate: { what: 'a directory', fits: (stats) => stats.isDirectory() },
  Directory: { what: 'a directory', fits: (stats) => stats.isDirectory() },
  FileOrCreate: { what: 'a file', fits: (stats) => stats.isFile() },
  File: { what: 'a file', fits: (stats) => stats.isFile() },
  Socket: { what: 'a socket file', fits: (stats) => stats.isSocket() },
  CharDevice: { what: 'a character device', fits: (stats) => stats.isCharacterDevice() },
  BlockDevice: { what: 'a block device', fits: (stats) => stats.isBlockDevice() },
};

/** The true place of a path beneath `root`, whatever links lie on the way; undefined when there is nothing. */
export function beneath(root: string, path: string): string | undefined {
  try {
    const fd = openBeneath(root, path, constants.O_RDONLY | 0o10000000); // O_PATH: a socket or a device is only named
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof KernelError && ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(error.code)) return undefined;
    throw error;
  }
}

/** Makes a directory beneath `root`, one part after the other, so that a link planted on the way leads nowhere else. Returns its true place. */
export async function makeDirectory(root: string, path: string, mode = 0o755): Promise<string> {
  let place = root;
  for (const part of path.split('/').filter(Boolean)) {
    const inner = join(place, part);
    try {
      await mkdir(inner, { mode });
      await chmod(inner, mode);
      place = inner;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      const known = beneath(root, join('/', place.slice(root.length), part));
      if (known === undefined) throw new DabbaError('FailedPrecondition', `${path} leads nowhere`, { cause: error });
      place = known;
    }
  }
  return place;
}

async function makeFile(root: string, path: string): Promise<void> {
  if (beneath(root, path) !== undefined) return;
  const directory = beneath(root, dirname(path));
  if (directory === undefined) return;
  await writeFile(join(directory, posix.basename(path)), '', { flag: 'wx', mode: 0o644 });
}
