import {
  closeSync,
  renameSync,
  writeFileSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** Largest file, and how many are kept: 256 MiB of the latest records in all. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const MAX_FILES = 32;

/**
 * Lines in files of limited size, oldest file deleted first. Appending is synchronous, one write a batch: the kernel has the lines when it returns,
 * so the death of this process loses none of them.
 */
export class TrailFiles {
  readonly #directory: string;
  #current: { readonly fd: number; sizeBytes: number } | undefined;

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
  }

  append(lines: string): void {
    const bytes = Buffer.from(lines);
    const file = this.#fileFor(bytes.length);
    let written = 0;
    while (written < bytes.length) written += writeSync(file.fd, bytes, written);
    file.sizeBytes += bytes.length;
  }

  /** Names of the files, newest first. */
  names(): string[] {
    return readdirSync(this.#directory)
      .filter((name) => /^\d{8}\.jsonl$/.test(name))
      .sort()
      .reverse();
  }

  /** The whole lines of a file, oldest first; none if it has been deleted meanwhile. */
  read(name: string): string[] {
    try {
      const lines = readFileSync(join(this.#directory, name), 'utf8').split('\n');
      // What follows the last line's end is empty, or a line that a crash cut short.
      return lines.slice(0, -1);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  /** Drops every line that `isKept` does not want; files left empty go. */
  retain(isKept: (line: string) => boolean): void {
    this.close();
    for (const name of this.names()) {
      const path = join(this.#directory, name);
      const kept = this.read(name).filter((line) => line !== '' && isKept(line));
      if (kept.length) {
        writeFileSync(`${path}.new`, `${kept.join('\n')}\n`, { mode: 0o600, flush: true });
        renameSync(`${path}.new`, path);
      } else unlinkSync(path);
    }
  }

  close(): void {
    if (!this.#current) return;
    fsyncSync(this.#current.fd);
    closeSync(this.#current.fd);
    this.#current = undefined;
  }

  #fileFor(sizeBytes: number): { readonly fd: number; sizeBytes: number } {
    if (this.#current && this.#current.sizeBytes + sizeBytes <= MAX_FILE_BYTES) return this.#current;
    const names = this.names();
    const isFirst = this.#current === undefined;
    this.close();
    // After a start the newest file is gone on with; one that is full is left as it is.
    const newest = Number(names[0]?.slice(0, 8) ?? 0);
    const opened = this.#open(isFirst ? Math.max(newest, 1) : newest + 1);
    if (opened.sizeBytes + sizeBytes > MAX_FILE_BYTES && opened.sizeBytes > 0) {
      closeSync(opened.fd);
      this.#current = this.#open(newest + 1);
    } else this.#current = opened;
    for (const name of names.slice(MAX_FILES - 1)) unlinkSync(join(this.#directory, name));
    return this.#current;
  }

  #open(number: number): { readonly fd: number; sizeBytes: number } {
    const fd = openSync(join(this.#directory, `${String(number).padStart(8, '0')}.jsonl`), 'a', 0o600);
    const { size } = fstatSync(fd);
    // Ends a line that a crash may have cut short; readers skip the empty one otherwise.
    if (size > 0) writeSync(fd, '\n');
    return { fd, sizeBytes: size };
  }
}
