import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '#base';

/** Bytes of the files beneath a directory, each inode once, other file systems left out. What vanishes meanwhile counts nothing. */
export async function treeBytes(directory: string): Promise<number> {
  const seen = new Set<string>();
  const root = await lstat(directory).catch(ifAbsent);
  return root ? await bytesBeneath(directory, root.dev, seen) : 0;
}

async function bytesBeneath(directory: string, device: number, seen: Set<string>): Promise<number> {
  let sizeBytes = 0;
  const entries = await opendir(directory).catch(ifAbsent);
  for await (const entry of entries ?? []) {
    const path = join(directory, entry.name);
    const stats = await lstat(path).catch(ifAbsent);
    if (!stats || stats.dev !== device) continue;
    if (stats.isDirectory()) sizeBytes += await bytesBeneath(path, device, seen);
    else if (stats.nlink === 1 || !seen.has(String(stats.ino))) sizeBytes += stats.size;
    if (stats.nlink > 1) seen.add(String(stats.ino));
  }
  return sizeBytes;
}

function ifAbsent(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return;
  throw error;
}
