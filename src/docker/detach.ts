import { DabbaError } from '#base';

/** Docker's: ctrl-p, ctrl-q. */
const defaultKeys = [16, 17];

/** Reads detach keys: `ctrl-a`, `ctrl-@`, `ctrl-[` and single characters, with commas between. Throws `InvalidArgument`. */
export function readDetachKeys(text: string | null): readonly number[] {
  if (text === null || text === '') return defaultKeys;
  return text.split(',').map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) - 64;
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    throw new DabbaError('InvalidArgument', `Invalid detach keys (${text}) provided`);
  });
}

/** Takes the detach keys out of what a client types. Keys that begin like them are held back until it is known. */
export class DetachWatch {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What is to go on to the process, and whether the client has asked to detach. */
  read(data: Buffer): { readonly passed: Buffer; readonly isDetached: boolean } {
    const passed: number[] = [];
    for (const byte of data) {
      if (byte !== this.#keys[this.#matched]) {
        passed.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) passed.push(byte);
      else if (++this.#matched === this.#keys.length) return { passed: Buffer.from(passed), isDetached: true };
    }
    return { passed: Buffer.from(passed), isDetached: false };
  }
}
