import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { algorithmOf, hexOf, isDigest, isDiskFull, DabbaError, type Digest } from '#base';

/** Where things lie below the store's directory. */
export class Layout {
  readonly directory: string;
  constructor(directory: string) {
    this.directory = directory;
  }

  get uploads(): string {
    return join(this.directory, 'uploads');
  }

  get blobs(): string {
    return join(this.directory, 'blobs');
  }

  blob(digest: Digest): string {
    const hex = hexOf(digest);
    return join(this.blobs, algorithmOf(digest), hex.slice(0, 2), hex);
  }

  /** The file of an upload, or undefined if `id` is none that we gave out: it comes from a URL. */
  upload(id: string): string | undefined {
    return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? join(this.uploads, id) : undefined;
  }
}

/** The digest a blob file's name stands for, or undefined for a stranger's file. */
export function digestOfName(algorithm: string, hex: string): Digest | undefined {
  const text = `${algorithm}:${hex}`;
  return isDigest(text) ? text : undefined;
}

/** Makes the names in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}

/** Makes `directory` with its missing parents, each durable in its own parent. */
export async function makeDurableDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (first === undefined) return;
  for (let made = directory; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first) return;
  }
}

/** Words a full disk as the port does; anything else stays as it is. */
export function diskError(error: unknown, what: string): unknown {
  if (!isDiskFull(error)) return error;
  return new DabbaError('ResourceExhausted', `no space left on the disk for ${what}`, { cause: error });
}
