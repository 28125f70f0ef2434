import { closeSync, constants, createReadStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError } from '#base';
import type { OpenFile } from '../layer/archives.ts';
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
  read(name: string): AsyncIterable<Buffer> {
    const fd = this.#open(name);
    return createReadStream('', { fd, highWaterMark: 1024 ** 2 }) as AsyncIterable<Buffer>; // in byte mode
  }

  /** A file, open until it is disposed of. Throws `InvalidArgument` if there is none. */
  open(name: string): OpenFile & Disposable {
    const fd = this.#open(name);
    return { fd, [Symbol.dispose]: () => closeSync(fd) };
  }

  #open(name: string): number {
    const path = this.#pathOf(name);
    if (!statOf(path)?.isFile()) throw absent(name);
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  }

  /** A document of at most 8 MiB. */
  async readDocument(name: string): Promise<Buffer> {
    const sizeBytes = this.sizeOf(name);
    if (sizeBytes === undefined) throw absent(name);
    if (sizeBytes > documentLimitBytes)
      throw new DabbaError('ResourceExhausted', `"${name}" in the archive has ${sizeBytes} bytes`);
    return Buffer.concat(await Array.fromAsync(this.read(name)));
  }

  #pathOf(name: string): string {
    return join(this.#root, resolveBeneath(this.#root, name));
  }
}

function absent(name: string): DabbaError {
  return new DabbaError('InvalidArgument', `the archive lacks the file "${name}"`);
}
