import { lchown, lstat, readdir, chmod } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Gives a volume to a pod's `fsGroup`: the group may do what the owner may, and what is made in there later is the group's too. With `OnRootMismatch` a volume whose root is right is
 * left alone. Behaviour: kubelet `SetVolumeOwnership`.
 */
export async function giveToGroup(
  path: string,
  { gid, policy = 'Always' }: { readonly gid: number; readonly policy?: string },
): Promise<void> {
  const root = await lstat(path);
  const isRight = root.gid === gid && (root.mode & 0o2770) === 0o2770;
  if (policy === 'OnRootMismatch' && isRight) return;
  await give(path, gid);
}

async function give(path: string, gid: number): Promise<void> {
  const stats = await lstat(path);
  await lchown(path, stats.uid, gid);
  if (stats.isSymbolicLink()) return;
  await chmod(path, (stats.mode & 0o7777) | 0o660 | (stats.isDirectory() ? 0o2110 : 0));
  if (stats.isDirectory()) for (const name of await readdir(path)) await give(join(path, name), gid);
}
