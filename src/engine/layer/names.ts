/**
 * A file name or path as the kernel and tar know it: bytes in no particular encoding. Each character is one byte (latin1), so
 * plain ASCII reads as itself, comparison is byte order, and names that are not UTF-8 survive.
 */
export type ByteName = string;

const ascii = /^[\0-\x7f]*$/; // oxlint-disable-line no-control-regex -- the test is "every byte below 128"

/** Text as the bytes it is stored as. */
export function byteName(text: string): ByteName {
  return ascii.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** For messages and for callers that want text. */
export function textOf(name: ByteName): string {
  return ascii.test(name) ? name : Buffer.from(name, 'latin1').toString('utf8');
}

/** The argument for `node:fs`. */
export function fsPath(name: ByteName): string | Buffer {
  return ascii.test(name) ? name : Buffer.from(name, 'latin1');
}

/** The argument for `#kernel`, which wants bytes to end in NUL. */
export function kernelPath(name: ByteName): string | Buffer {
  return ascii.test(name) ? name : Buffer.from(`${name}\0`, 'latin1');
}

/** Byte order, the same on every machine. */
export function compareNames(left: ByteName, right: ByteName): number {
  return left < right ? -1 : Number(left > right);
}
