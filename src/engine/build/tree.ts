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
import { parseIgnoreRules } from './ignore.ts';

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
  readonly sizeBytes: number;
  readonly target?: string;
  readonly device?: bigint;
  /** Type bits of the mode, for devices. */
  readonly type: number;
}

/** A file or directory to copy from, beneath a root. Plain data: it goes to worker threads. */
export interface Source {
  readonly root: string;
  /** Resolved, relative to the root. */
  readonly path: string;
  /** The name it was asked for by; a file copied into a directory keeps it. */
  readonly name: string;
  /** Text of the `.dockerignore` that holds for the root. */
  readonly ignore?: string;
  /** Patterns of `--exclude`, a line each, for paths beneath `excludeBase`: what the place itself is called there. */
  readonly exclude?: string;
  readonly excludeBase?: string;
}

/**
 * The entries of a source, parents before children, names in byte order. What is ignored is passed over, unless a directory holds something
 * that is not; sockets are never copied. Nothing at all is yielded for a source that is ignored altogether.
 */
export function* entriesOf(source: Source): Generator<TreeEntry, void> {
  const { ignore = '', exclude = '', excludeBase = '' } = source;
  const [ignored, excluded] = [parseIgnoreRules(ignore), parseIgnoreRules(exclude)];
  const isIgnored = (inRoot: string, relative: string) => {
    const named = [excludeBase, relative].filter(Boolean).join('/');
    return (inRoot !== '' && ignored.isIgnored(inRoot)) || (named !== '' && excluded.isIgnored(named));
  };
  yield* walk(source, isIgnored, '', []);
}

type IsIgnored = (inRoot: string, relative: string) => boolean;

/** `waiting`: ignored directories above, to be yielded once something in them is wanted. */
function* walk(
  source: Source,
  isIgnoredAt: IsIgnored,
  relative: string,
  waiting: TreeEntry[],
): Generator<TreeEntry, void> {
  const inRoot = [source.path, relative].filter(Boolean).join('/');
  const entry = readEntry(join(source.root, inRoot), relative);
  if (!entry) return;
  const isIgnored = isIgnoredAt(inRoot, relative);
  if (isIgnored && entry.kind !== 'directory') return;
  waiting.push(entry);
  if (!isIgnored) yield* waiting.splice(0);
  if (entry.kind !== 'directory') return;
  const names = readdirSync(join(source.root, inRoot)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) yield* walk(source, isIgnoredAt, relative === '' ? name : `${relative}/${name}`, waiting);
  if (waiting.at(-1) === entry) waiting.pop();
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
    sizeBytes: Number(stat.size),
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
  for (const source of sources) {
    hash.update(`source ${JSON.stringify(source.name)}\n`);
    for (const entry of entriesOf(source)) {
      const owner = hasOwners ? [entry.uid, entry.gid] : [];
      const { target, device } = entry;
      hash.update(`${JSON.stringify([entry.path, entry.kind, entry.mode, ...owner, target, device?.toString()])}\n`);
      if (entry.kind === 'file') hashFile(hash, join(source.root, source.path, entry.path));
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
