import { type FileHandle, open } from 'node:fs/promises';
import { constants } from 'node:fs';

/** Digits of a position; always the same number, so that writing one is one small overwrite that a crash cannot tear in two. */
const DIGITS = 20;

/** How far a container's log has been delivered, on disk. */
export class PositionFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #value: number;

  private constructor(file: FileHandle, value: number) {
    this.#file = file;
    this.#value = value;
  }

  static async open(path: string): Promise<PositionFile> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    return new PositionFile(file, Number(await file.readFile('utf8')));
  }

  get value(): number {
    return this.#value;
  }

  /** Durable when it resolves. */
  async write(value: number): Promise<void> {
    await this.#file.write(String(value).padStart(DIGITS, '0'), 0);
    await this.#file.datasync();
    this.#value = value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
