import { constants, createReadStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError } from '#base';
import { resolveBeneath, statOf } from '../build/beneath.ts';

const documentLimitBytes = 8 * 1024 ** 2;

/** The files of an unpacked archive, which is hostile: links in it lead nowhere else, and only regular files are opened. */
export class ArchiveFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Bytes of a file, or undefined if there is none of that name. */
  sizeOf(name: string): number | undefined {
    const stats = statOf(this.#pathOf(name));
    return stats?.isFile() ? stats.size : undefined;
  }

  /** The content of a file. Throws `InvalidArgument` if there is none. */
  open(name: string): AsyncIterable<Buffer> {
    const path = this.#pathOf(name);
    if (!statOf(path)?.isFile()) throw absent(name);
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    return createReadStream(path, { fd: file, highWaterMark: 1024 ** 2 }) as AsyncIterable<Buffer>; // in byte mode
  }

  /** A document of at most 8 MiB. */
  async read(name: string): Promise<Buffer> {
    const sizeBytes = this.sizeOf(name);
    if (sizeBytes === undefined) throw absent(name);
    if (sizeBytes > documentLimitBytes)
      throw new DabbaError('ResourceExhausted', `"${name}" in the archive has ${sizeBytes} bytes`);
    return Buffer.concat(await Array.fromAsync(this.open(name)));
  }

  #pathOf(name: string): string {
    return join(this.#root, resolveBeneath(this.#root, name));
  }
}

function absent(name: string): DabbaError {
  return new DabbaError('InvalidArgument', `the archive lacks the file "${name}"`);
}
