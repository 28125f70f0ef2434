import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path';
import type { IgnoreRules } from './ignore.ts';

/** One file of a tree that is to be copied. */
export interface TreeEntry {
  /** Relative to the place that is copied; empty for that place itself. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'fifo' | 'device';
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedAtNs: bigint;
  readonly target?: string;
  readonly device?: bigint;
  /** Type bits of the mode, for devices. */
  readonly type: number;
}

/** A tree to copy from: a file or directory beneath a root. */
export interface Source {
  readonly root: string;
  /** Resolved, relative to the root. */
  readonly path: string;
  /** The name it was asked for by; a file copied into a directory keeps it. */
  readonly name: string;
  readonly entries: readonly TreeEntry[];
}

/**
 * The entries of a file or directory, parents before children, names in byte order. What `ignore` leaves out is passed over, unless a
 * directory holds something that is not; sockets are never copied.
 */
export function listTree(root: string, path: string, ignore?: IgnoreRules): TreeEntry[] {
  const walk = (relative: string): TreeEntry[] => {
    const inRoot = [path, relative].filter(Boolean).join('/');
    const entry = readEntry(join(root, inRoot), relative);
    if (!entry) return [];
    const isIgnored = inRoot !== '' && ignore?.isIgnored(inRoot) === true;
    if (entry.kind !== 'directory') return isIgnored ? [] : [entry];
    const children = readdirSync(join(root, inRoot))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .flatMap((name) => walk(relative === '' ? name : `${relative}/${name}`));
    return isIgnored && children.length === 0 ? [] : [entry, ...children];
  };
  return walk('');
}

function readEntry(path: string, relative: string): TreeEntry | undefined {
  const stat = lstatSync(path, { bigint: true });
  const kind = kindOf(stat);
  if (kind === undefined) return undefined;
  return {
    path: relative,
    kind,
    mode: Number(stat.mode & 0o7777n),
    type: Number(stat.mode & 0o170000n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    modifiedAtNs: stat.mtimeNs,
    ...(kind === 'link' ? { target: readlinkSync(path) } : {}),
    ...(kind === 'device' ? { device: stat.rdev } : {}),
  };
}

function kindOf(stat: BigIntStats): TreeEntry['kind'] | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'link';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isBlockDevice() || stat.isCharacterDevice()) return 'device';
  return undefined;
}

/** A digest of names, kinds, modes, owners and contents; times do not count, so that a fresh checkout finds its cache. */
export function digestSources(sources: readonly Source[], hasOwners: boolean): string {
  const hash = createHash('sha256');
  for (const { root, path, name, entries } of sources) {
    hash.update(`source ${JSON.stringify(name)}\n`);
    for (const entry of entries) {
      const owner = hasOwners ? [entry.uid, entry.gid] : [];
      const { target, device } = entry;
      hash.update(`${JSON.stringify([entry.path, entry.kind, entry.mode, ...owner, target, device?.toString()])}\n`);
      if (entry.kind === 'file') hashFile(hash, join(root, path, entry.path));
    }
  }
  return hash.digest('hex');
}

const pieceBytes = 1 << 20;
let piece: Buffer | undefined;

function hashFile(hash: Hash, path: string): void {
  piece ??= Buffer.allocUnsafe(pieceBytes);
  const inner = createHash('sha256');
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let count; (count = readSync(file, piece, 0, pieceBytes, null)) > 0;) inner.update(piece.subarray(0, count));
  } finally {
    closeSync(file);
  }
  hash.update(inner.digest());
}
