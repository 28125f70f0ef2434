import { readdirSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { statOf } from '../build/beneath.ts';

/** What the runtime makes in a root file system to mount over. */
const runtimeStubs = [
  '/proc',
  '/sys',
  '/dev/console',
  '/dev/pts',
  '/dev/shm',
  '/dev/mqueue',
  '/dev',
  '/etc/resolv.conf',
  '/etc/hostname',
  '/etc/hosts',
];

/**
 * Paths of an upper that are there only for the mount points made in it: empty files and directories that the image (`lower`) does not
 * have, and parents that hold nothing else. What a directory holds comes before it.
 */
export function findStubs(upper: string, lower: string, targets: readonly string[]): readonly string[] {
  const stubs = new Set<string>();
  for (const target of [...runtimeStubs, ...targets].sort((left, right) => right.length - left.length))
    for (let path = target; path !== '/' && path !== '.'; path = dirname(path)) {
      if (!isPlain(upper, path)) break;
      const above = statOf(join(upper, path));
      const below = statOf(join(lower, path));
      const isEmpty = above?.isDirectory()
        ? readdirSync(join(upper, path)).every((name) => stubs.has(join(path, name)))
        : above?.isFile() && above.size === 0;
      if (!above || !isEmpty || (below && !isSameDirectory(above, below))) break;
      stubs.add(path);
    }
  return [...stubs];
}

/** A directory of the image is in the upper only because a mount point was made in it. */
function isSameDirectory(above: Stats, below: Stats): boolean {
  const hasSameRights = above.mode === below.mode && above.uid === below.uid && above.gid === below.gid;
  return above.isDirectory() && below.isDirectory() && hasSameRights;
}

/** True if no name on the way is a link, which would lead out of the upper. */
function isPlain(root: string, path: string): boolean {
  for (let parent = dirname(path); parent !== '/'; parent = dirname(parent))
    if (!statOf(join(root, parent))?.isDirectory()) return false;
  return true;
}
