import { rm, stat, statfs, writeFile } from 'node:fs/promises';
import { isDiskFull } from '#base';

/** How full the file system of a directory is: of what is not kept for root, as df(1) counts. */
export async function usedPercentOf(directory: string): Promise<number> {
  const { blocks, bfree, bavail } = await statfs(directory);
  const used = blocks - bfree;
  return used + bavail === 0 ? 0 : (100 * used) / (used + bavail);
}

const RESERVED_BYTES = 1 << 20;

/** Room that is kept on the disk for records whose writing frees more of it: without it nothing could be removed once the disk is full. */
export class DiskReserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the room, if there is any; may be repeated. */
  async take(): Promise<void> {
    const kept = await stat(this.#path).catch(() => undefined);
    if (kept?.size === RESERVED_BYTES) return;
    try {
      await writeFile(this.#path, Buffer.alloc(RESERVED_BYTES), { mode: 0o600 });
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  /** Does `work`, which ends in less on the disk; when the disk is full, once more with the reserve given up. */
  async spend<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await rm(this.#path, { force: true });
      return await work();
    }
  }
}
