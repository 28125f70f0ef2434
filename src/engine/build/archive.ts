import { closeSync, openSync, readSync } from 'node:fs';
import { statOf } from './beneath.ts';

/** First bytes of the archives that ADD unpacks: plain tar (its mark stands at 257), gzip, zstd. */
const marks: readonly { readonly at: number; readonly bytes: readonly number[] }[] = [
  { at: 257, bytes: [0x75, 0x73, 0x74, 0x61, 0x72] },
  { at: 0, bytes: [0x1f, 0x8b] },
  { at: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd] },
];

/** True if a file is, by its content, an archive that ADD unpacks. */
export function isArchive(path: string): boolean {
  if (!statOf(path)?.isFile()) return false;
  const head = Buffer.alloc(512);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return marks.some(({ at, bytes }) => bytes.every((byte, index) => head[at + index] === byte));
}
