import { DabbaError } from '#base';
import type { ByteName } from './names.ts';

/** One member of a tar archive, whichever dialect wrote it (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"). */
export interface TarHeader {
  /** As in the archive: it may be absolute, hold `..` or end in `/`. */
  readonly name: ByteName;
  readonly type: TarType;
  /** Permissions with setuid, setgid and sticky: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for everything but files. */
  readonly sizeBytes: number;
  readonly modifiedAtNs: bigint;
  /** Target of a symbolic link; earlier member a hard link joins; else empty. */
  readonly linkName: ByteName;
  readonly device: Device;
  /** Extended attributes by name. */
  readonly attributes: ReadonlyMap<string, Buffer>;
}

export interface Device {
  readonly major: number;
  readonly minor: number;
}

export type TarType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export const typeFlags: { readonly [type in TarType]: string } = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

export const blockBytes = 512;

/** Where each field of a header block lies: offset and length. */
export const field = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const satisfies { readonly [name: string]: readonly [offset: number, length: number] };

export type Field = readonly [offset: number, length: number];

export const noAttributes: ReadonlyMap<string, Buffer> = new Map();
export const noDevice: Device = { major: 0, minor: 0 };

/** Bytes that fill content up to a whole block. */
export function paddingOf(sizeBytes: number): number {
  return (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
}

/** Sum of a header's bytes with the checksum field taken as blanks. */
export function checksumOf(block: Buffer): number {
  const [start, length] = field.checksum;
  let sum = length * 32;
  // Four at a time takes half the time, and this is done for each member.
  for (let at = 0; at < blockBytes; at += 4) sum += block[at]! + block[at + 1]! + block[at + 2]! + block[at + 3]!;
  for (let at = start; at < start + length; at++) sum -= block[at]!;
  return sum;
}

/** `checksumOf`, as some writers did it, who took bytes as signed. */
export function signedChecksumOf(block: Buffer): number {
  const [start, length] = field.checksum;
  const isLarge = (byte: number, index: number) => byte > 127 && (index < start || index >= start + length);
  return checksumOf(block) - 256 * block.filter(isLarge).length;
}

/** The archive itself is at fault. */
export function tarFault(what: string): DabbaError {
  return new DabbaError('InvalidArgument', `invalid tar archive: ${what}`);
}
