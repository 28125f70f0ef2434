import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from 'node:fs';
import { DabbaError, systemCode } from '#base';
import { deviceOf, getAttribute, insideId, listAttributes, type IdMapping } from '#kernel';
import type { ArchiveEntry, PackRequest } from './archives.ts';
import { type ByteName, byteName, compareNames, fsPath, kernelPath, textOf } from './names.ts';
import { noAttributes, noDevice, paddingOf, type TarHeader, type TarType } from './tar-header.ts';
import { encodeHeader, endOfArchive } from './tar-writer.ts';
import { isWhiteout, opaqueAttribute, opaqueMarker, whiteoutPrefix } from './whiteout.ts';

const chunkBytes = 1024 ** 2;
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Turns a tree, or listed files of it, into tar bytes, the same for the same tree: sorted names, whole seconds, no names of owners, no
 * access times. Runs on a thread whose root directory is the tree.
 */
export class TreeReader {
  readonly #content: PackRequest['content'];
  readonly #except: ReadonlySet<ByteName>;
  readonly #ids: IdMapping | undefined;
  readonly #latestNs: bigint | undefined;
  /** First name of each file with several, by inode. */
  readonly #links = new Map<bigint, ByteName>();
  readonly #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  #used = 0;
  contentBytes = 0;

  constructor({ content, ids, except = [], timestamp }: Pick<PackRequest, 'content' | 'ids' | 'except' | 'timestamp'>) {
    this.#ids = ids;
    this.#content = content;
    this.#except = new Set(except.map(byteName));
    this.#latestNs = timestamp === undefined ? undefined : BigInt(timestamp) * 1_000_000_000n;
  }

  /** The archive in pieces. Each is valid only until the next is asked for. */
  *read(): Generator<Buffer, void> {
    if (typeof this.#content === 'string') yield* this.#directory('/', '');
    else if ('path' in this.#content) yield* this.#at(this.#content.path, byteName(this.#content.name));
    else for (const entry of this.#content) yield* this.#listed(entry);
    yield* this.#put(endOfArchive);
    if (this.#used > 0) yield this.#chunk.subarray(0, this.#used);
  }

  *#directory(path: ByteName, prefix: ByteName): Generator<Buffer, void> {
    const names = readdirSync(fsPath(path), { encoding: 'latin1' }).sort(compareNames);
    const parent = path.endsWith('/') ? path : `${path}/`;
    for (const name of names)
      if (!this.#except.has(parent + name)) yield* this.#member(parent + name, prefix + name, name);
  }

  /** What is at one path, under another name. */
  *#at(path: string, name: ByteName): Generator<Buffer, void> {
    const whole = byteName(path.endsWith('/.') ? path.slice(0, -1) : path);
    const stats = lstatSync(fsPath(whole), { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) throw new DabbaError('NotFound', `"${path}" does not exist`);
    if (!stats.isDirectory()) {
      yield* this.#member(whole, name, name);
      return;
    }
    const prefix = name === '/' ? '/' : `${name}/`;
    yield* this.#put(encodeHeader(this.#headerOf(whole, prefix, stats, 'directory')));
    yield* this.#directory(whole, prefix);
  }

  *#member(path: ByteName, name: ByteName, lastName: ByteName): Generator<Buffer, void> {
    const stats = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) return; // deleted since the directory was read
    const isUpper = this.#content === 'upper';
    if (isUpper && isWhiteout(stats)) {
      yield* this.#put(marker(name.slice(0, name.length - lastName.length) + whiteoutPrefix + lastName));
      return;
    }
    const type = typeOf(stats);
    if (type === undefined) return;
    if (type === 'directory') {
      yield* this.#put(encodeHeader(this.#headerOf(path, `${name}/`, stats, type)));
      if (isUpper && getAttribute(kernelPath(path), opaqueAttribute)?.toString() === 'y')
        yield* this.#put(marker(`${name}/${opaqueMarker}`));
      yield* this.#directory(path, `${name}/`);
      return;
    }
    const header = this.#headerOf(path, name, stats, type);
    const first = type === 'file' && stats.nlink > 1n ? this.#links.get(stats.ino) : undefined;
    if (first !== undefined) {
      yield* this.#put(
        encodeHeader({ ...header, type: 'hardlink', linkName: first, sizeBytes: 0, attributes: noAttributes }),
      );
      return;
    }
    if (type === 'file' && stats.nlink > 1n) this.#links.set(stats.ino, name);
    yield* this.#whole(path, header);
  }

  *#listed(entry: ArchiveEntry): Generator<Buffer, void> {
    const name = byteName(entry.name);
    if ('isDirectory' in entry) {
      const modifiedAtNs = this.#latestNs ?? 0n;
      const { mode, uid, gid } = entry;
      yield* this.#put(encodeHeader({ ...blank, name: `${name}/`, type: 'directory', mode, uid, gid, modifiedAtNs }));
      return;
    }
    const path = byteName(entry.source.startsWith('/') ? entry.source : `/${entry.source}`);
    const stats = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) throw new DabbaError('NotFound', `"${entry.source}" does not exist`);
    const type = typeOf(stats);
    if (type === undefined) throw new DabbaError('InvalidArgument', `"${entry.source}" is a socket`);
    const own = this.#headerOf(path, type === 'directory' ? `${name}/` : name, stats, type);
    const { mode = own.mode, uid = own.uid, gid = own.gid } = entry;
    yield* this.#whole(path, { ...own, mode, uid, gid });
  }

  /** Header and content. */
  *#whole(path: ByteName, header: TarHeader): Generator<Buffer, void> {
    yield* this.#put(encodeHeader(header));
    if (header.sizeBytes === 0) return;
    const file = openSync(fsPath(path), readOnly);
    try {
      for (let left = header.sizeBytes; left > 0;) {
        if (this.#used === chunkBytes) yield* this.#flush();
        const count = readSync(file, this.#chunk, this.#used, Math.min(left, chunkBytes - this.#used), null);
        if (count === 0) throw new DabbaError('Conflict', `"${textOf(path)}" became shorter while it was read`);
        this.#used += count;
        left -= count;
      }
    } finally {
      closeSync(file);
    }
    this.contentBytes += header.sizeBytes;
    yield* this.#put(Buffer.alloc(paddingOf(header.sizeBytes)));
  }

  #headerOf(path: ByteName, name: ByteName, stats: BigIntStats, type: TarType): TarHeader {
    const seconds = stats.mtimeNs - (stats.mtimeNs % 1_000_000_000n);
    return {
      name,
      type,
      mode: Number(stats.mode) & 0o7777,
      ...this.#ownerOf(stats),
      sizeBytes: type === 'file' ? Number(stats.size) : 0,
      modifiedAtNs: this.#latestNs !== undefined && seconds > this.#latestNs ? this.#latestNs : seconds,
      linkName: type === 'symlink' ? readlinkSync(fsPath(path), { encoding: 'latin1' }) : '',
      device: type === 'character' || type === 'block' ? deviceOf(stats.rdev) : noDevice,
      attributes: attributesOf(path),
    };
  }

  /** What has no id within a mapping is seen there as the kernel's `nobody` (/proc/sys/kernel/overflowuid). */
  #ownerOf(stats: BigIntStats): Pick<TarHeader, 'uid' | 'gid'> {
    const [uid, gid] = [Number(stats.uid), Number(stats.gid)];
    if (!this.#ids) return { uid, gid };
    return { uid: insideId(this.#ids.users, uid) ?? 65_534, gid: insideId(this.#ids.groups, gid) ?? 65_534 };
  }

  *#put(bytes: Buffer): Generator<Buffer, void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#used === chunkBytes) yield* this.#flush();
      const count = bytes.copy(this.#chunk, this.#used, at);
      this.#used += count;
      at += count;
    }
  }

  *#flush(): Generator<Buffer, void> {
    yield this.#chunk.subarray(0, this.#used);
    this.#used = 0;
  }
}

const blank: TarHeader = {
  name: '',
  type: 'file',
  mode: 0,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  modifiedAtNs: 0n,
  linkName: '',
  device: noDevice,
  attributes: noAttributes,
};

/** An empty member whose name is its meaning. */
function marker(name: ByteName): Buffer {
  return encodeHeader({ ...blank, name });
}

/** Undefined for a socket, which no archive holds. */
function typeOf(stats: BigIntStats): TarType | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'character';
  if (stats.isBlockDevice()) return 'block';
  return undefined;
}

/** The attributes that mean the same on another machine: file capabilities and the users' own. */
function attributesOf(path: ByteName): ReadonlyMap<string, Buffer> {
  let names: readonly string[];
  try {
    names = listAttributes(kernelPath(path));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return noAttributes;
  }
  const kept = names.filter(
    (name) => name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.')),
  );
  if (kept.length === 0) return noAttributes;
  return new Map(kept.map((name) => [name, getAttribute(kernelPath(path), name) ?? Buffer.alloc(0)]));
}
