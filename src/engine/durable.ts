import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces a file so that a crash leaves the old bytes or the new ones; resolves when durable. One writer at a time for each path. */
export async function replaceFile(path: string, bytes: string | Uint8Array): Promise<void> {
  const draft = `${path}.new`;
  await writeDurably(draft, bytes);
  await rename(draft, path);
  await syncDirectory(dirname(path));
}

/** Writes a file and syncs its bytes, not yet its name. */
export async function writeDurably(path: string, bytes: string | Uint8Array): Promise<void> {
  await using file = await open(path, 'w', 0o600);
  await file.writeFile(bytes);
  await file.sync();
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}
