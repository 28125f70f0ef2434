import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { DabbaError, isDiskFull, systemCode } from '#base';
import { FileType, makeNode, setAttribute, setTimes, setTimesOf, ThreadRoot } from '#kernel';
import { ownerOnMachine } from '../mapped-owner.ts';
import type { OntoTree } from './archives.ts';
import { fsPath, kernelPath, textOf, type ByteName } from './names.ts';
import type { TarHeader } from './tar-header.ts';
import type { TarHandler } from './tar-reader.ts';
import {
  isWhiteout,
  opaqueAttribute,
  opaqueMarker,
  privateAttributes,
  whiteoutMetaPrefix,
  whiteoutPrefix,
} from './whiteout.ts';

const createNew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes the members of an archive beneath a directory (OCI image specification, "Applying Changesets"). It opens nothing that exists:
 * what is in the way is removed first, so no member writes through a link or into a device that an earlier one made.
 *
 * It must run on a thread whose root directory is the tree (`ThreadRoot`): that, not the checks here, confines it.
 */
export class TreeWriter implements TarHandler {
  readonly #base: ByteName;
  readonly #isLayer: boolean;
  readonly #onto: OntoTree | undefined;
  /** Times of directories wait until nothing is made in them any more. */
  readonly #directoryTimes = new Map<ByteName, bigint>();
  /** Working directory of this thread, once it is one of the tree's. */
  #directory: ByteName | undefined;
  #open: { readonly file: number; readonly path: ByteName; readonly header: TarHeader } | undefined;
  /**
   * False while a new file is known to come out as it is asked for: owned by root, with its mode. Default ACLs, set-group-ID directories
   * and mount options may say otherwise, so the first file is looked at. Two system calls a file are a tenth of the time.
   */
  #isOwnershipSet = true;
  #isFirstFile: boolean;
  /** A directory of the archive hands something down to what is made in it. */
  #hasInheritance = false;
  /** Bytes of all files so far. */
  contentBytes = 0;

  /** `base` is the directory to write in, absolute within the thread's root. */
  constructor(base: ByteName, form: 'layer' | 'archive', onto?: OntoTree) {
    this.#onto = onto;
    this.#base = base === '/' ? '' : base;
    this.#isLayer = form === 'layer';
    this.#isFirstFile = this.#isLayer;
    if (this.#base !== '') mkdirSync(fsPath(this.#base), { recursive: true, mode: 0o755 });
  }

  entry(member: TarHeader): void {
    const header = this.#ownedHeader(member);
    const path = this.#resolve(header.name);
    try {
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (this.#isLayer && name.startsWith(whiteoutPrefix)) this.#whiteout(path, name);
      else if (path === this.#base) this.#root(header);
      else {
        if (this.#onto?.isKindKept) this.#checkKind(path, header);
        this.#make(path, header);
      }
    } catch (error) {
      throw memberFault(header, error);
    }
  }

  #ownedHeader(member: TarHeader): TarHeader {
    const { owner, ids } = this.#onto ?? {};
    const header = owner ? { ...member, ...owner } : member;
    return ids ? { ...header, ...ownerOnMachine(ids, header) } : header;
  }

  data(chunk: Buffer): void {
    if (!this.#open) return;
    try {
      this.#write(chunk, this.#open.file);
    } catch (error) {
      throw memberFault(this.#open.header, error);
    }
  }

  #write(chunk: Buffer, file: number): void {
    for (let written = 0; written < chunk.length;) written += writeSync(file, chunk, written, chunk.length - written);
    this.contentBytes += chunk.length;
  }

  entryEnd(): void {
    if (!this.#open) return;
    const { file, path, header } = this.#open;
    try {
      if (this.#isFirstFile) this.#lookAt(file, header);
      // Ownership first: changing it clears setuid and setgid.
      const isOwned = this.#isOwnershipSet || header.uid !== 0 || header.gid !== 0;
      if (isOwned) fchownSync(file, header.uid, header.gid);
      if (isOwned || header.mode > 0o777) fchmodSync(file, header.mode);
      this.#attributes(path, header);
      setTimesOf(file, header.modifiedAtNs);
    } catch (error) {
      throw memberFault(header, error);
    } finally {
      this.close();
    }
  }

  /** Call after the last member. */
  finish(): void {
    // The latest made is innermost.
    for (const [path, atNs] of [...this.#directoryTimes].reverse())
      try {
        setTimes(kernelPath(path), atNs);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error; // a later member took its place
      }
  }

  /** Lets go of a file left open by a failure. */
  close(): void {
    if (this.#open) closeSync(this.#open.file);
    this.#open = undefined;
  }

  /** Absolute path of a member; names that would climb are refused rather than clamped, as Docker does. */
  #resolve(name: ByteName): ByteName {
    const plain = plainPath(name);
    if (plain !== undefined) return `${this.#base}/${plain}`;
    const parts: string[] = [];
    for (const part of name.split('/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') parts.push(part);
      else if (parts.pop() === undefined)
        throw new DabbaError('InvalidArgument', `archive member "${textOf(name)}" climbs out of its root`);
    }
    return parts.length === 0 ? this.#base : `${this.#base}/${parts.join('/')}`;
  }

  /** Docker's words (`noOverwriteDirNonDir`). */
  #checkKind(path: ByteName, { type }: TarHeader): void {
    const existing = lstatSync(fsPath(path), { throwIfNoEntry: false });
    if (existing === undefined || existing.isDirectory() === (type === 'directory')) return;
    const [old, young] = existing.isDirectory() ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
    throw new DabbaError('InvalidArgument', `cannot overwrite ${old} "${textOf(path)}" with ${young}`);
  }

  #make(path: ByteName, header: TarHeader): void {
    switch (header.type) {
      case 'file': {
        const file = this.#place(path, () => openSync(fsPath(this.#near(path)), createNew, header.mode & 0o777));
        this.#open = { file, path, header };
        return;
      }
      case 'directory':
        this.#makeDirectory(path, header);
        return;
      case 'hardlink': {
        const target = fsPath(this.#resolve(header.linkName));
        this.#place(path, () => linkSync(target, fsPath(path)));
        return; // the file's metadata came with its first name
      }
      case 'symlink':
        this.#place(path, () => symlinkSync(fsPath(header.linkName), fsPath(path)));
        lchownSync(fsPath(path), header.uid, header.gid);
        break;
      case 'character':
      case 'block':
      case 'fifo':
        this.#place(path, () =>
          makeNode(kernelPath(path), FileType[header.type as keyof typeof FileType] | header.mode, header.device),
        );
        lchownSync(fsPath(path), header.uid, header.gid);
        chmodSync(fsPath(path), header.mode);
        break;
    }
    this.#attributes(path, header);
    setTimes(kernelPath(path), header.modifiedAtNs);
  }

  /** Runs `make`, first making room: missing parents are created, and what stands at the path already is removed. */
  #place<Made>(path: ByteName, make: () => Made): Made {
    try {
      return make();
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EEXIST') {
        remove(path);
        this.#directory = undefined; // what stood in the way may have been part of its path
      } else if (code === 'ENOENT') this.#makeParent(path);
      else throw error;
    }
    return make();
  }

  /**
   * The shortest name for a new file: members of one directory follow one another, so it becomes the working directory and the kernel need not
   * walk there again. Only in a tree that nobody else moves directories in.
   */
  #near(path: ByteName): ByteName {
    if (!this.#isLayer) return path;
    const slash = path.lastIndexOf('/');
    const directory = path.slice(0, slash);
    if (directory !== this.#directory) {
      ThreadRoot.changeDirectory(directory === '' ? '/' : kernelPath(directory));
      this.#directory = directory;
    }
    return path.slice(slash + 1);
  }

  #makeParent(path: ByteName): void {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (parent !== '') mkdirSync(fsPath(parent), { recursive: true, mode: 0o755 });
  }

  #makeDirectory(path: ByteName, header: TarHeader): void {
    const mode = header.mode & 0o777;
    let isNew = true;
    const make = () => mkdirSync(fsPath(path), mode);
    try {
      make();
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') {
        this.#makeParent(path);
        make();
      } else if (code !== 'EEXIST') throw error;
      else {
        const existing = lstatSync(fsPath(path), { bigint: true });
        if (!existing.isDirectory()) {
          unlinkSync(fsPath(path));
          this.#directory = undefined;
          make();
          // The directory beneath was deleted by this layer before this one was made.
          if (this.#isLayer && isWhiteout(existing)) setOpaque(path);
        } else isNew = false;
      }
    }
    this.#directoryMetadata(path, header, isNew);
  }

  #lookAt(file: number, header: TarHeader): void {
    const { uid, gid, mode } = fstatSync(file);
    this.#isOwnershipSet = this.#hasInheritance || uid !== 0 || gid !== 0 || (mode & 0o777) !== (header.mode & 0o777);
    this.#isFirstFile = false;
  }

  #root(header: TarHeader): void {
    if (header.type !== 'directory') throw new DabbaError('InvalidArgument', 'its root is not a directory');
    if (this.#onto) return;
    this.#directoryMetadata(this.#base === '' ? '/' : this.#base, header, false);
  }

  #directoryMetadata(path: ByteName, header: TarHeader, isNew: boolean): void {
    const isOwned = !isNew || this.#isOwnershipSet || header.uid !== 0 || header.gid !== 0;
    if (isOwned) lchownSync(fsPath(path), header.uid, header.gid);
    if (isOwned || header.mode > 0o777) chmodSync(fsPath(path), header.mode);
    this.#attributes(path, header);
    if ((header.mode & 0o2000) !== 0 || header.attributes.has('system.posix_acl_default'))
      this.#hasInheritance = this.#isOwnershipSet = true;
    this.#directoryTimes.delete(path);
    this.#directoryTimes.set(path, header.modifiedAtNs);
  }

  #whiteout(path: ByteName, name: ByteName): void {
    const directory = path.slice(0, -name.length - 1);
    if (name === opaqueMarker) {
      if (directory !== '') mkdirSync(fsPath(directory), { recursive: true, mode: 0o755 });
      setOpaque(directory === '' ? '/' : directory);
      return;
    }
    if (name.startsWith(whiteoutMetaPrefix)) return; // AUFS's own bookkeeping
    const hidden = name.slice(whiteoutPrefix.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw new DabbaError('InvalidArgument', `"${textOf(name)}" hides nothing`);
    const target = `${directory}/${hidden}`;
    try {
      this.#makeWhiteout(target);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      // A whiteout speaks of the layers beneath alone: what this layer has of that name stays, and of a directory only this layer's part.
      if (lstatSync(fsPath(target)).isDirectory()) setOpaque(target);
    }
  }

  #makeWhiteout(path: ByteName): void {
    const make = () => makeNode(kernelPath(path), FileType.character);
    try {
      make();
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      this.#makeParent(path);
      make();
    }
  }

  #attributes(path: ByteName, header: TarHeader): void {
    for (const [name, value] of header.attributes) {
      // They would make overlayfs look elsewhere.
      if (privateAttributes.some((prefix) => name.startsWith(prefix))) continue;
      try {
        setAttribute(kernelPath(path), name, value);
      } catch (error) {
        // As Docker does: what this file system or kernel does not keep is left out.
        if (!['EOPNOTSUPP', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
      }
    }
  }
}

/** The path of a member whose name has no part that is `.` or `..` or empty, but for a `./` before it and a `/` behind: of nearly all. */
function plainPath(name: ByteName): ByteName | undefined {
  const path = name.slice(name.startsWith('./') ? 2 : 0, name.endsWith('/') ? -1 : undefined);
  const isPlain =
    path !== '' && !path.startsWith('/') && !path.startsWith('.') && !path.includes('/.') && !path.includes('//');
  return isPlain ? path : undefined;
}

/** `rmSync` is for directories alone: its errors carry no code. */
function remove(path: ByteName): void {
  if (lstatSync(fsPath(path)).isDirectory()) rmSync(fsPath(path), { recursive: true, force: true });
  else unlinkSync(fsPath(path));
}

function setOpaque(path: ByteName): void {
  setAttribute(kernelPath(path), opaqueAttribute, Buffer.from('y'));
}

const faultsOfArchive = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EPERM', 'EMLINK', 'EINVAL']);

/** A failure as the caller should see it: full disks and hostile archives are told apart from broken assumptions. */
function memberFault(header: TarHeader, error: unknown): unknown {
  const subject = `archive member "${textOf(header.name)}"`;
  const code = systemCode(error);
  if (isDiskFull(error))
    return new DabbaError('ResourceExhausted', `${subject}: no space left on the disk`, { cause: error });
  if (code === 'EROFS') return new DabbaError('PermissionDenied', `${subject}: the file system is read-only`);
  if (code === 'EBUSY') return new DabbaError('Conflict', `${subject} cannot take the place of a mount point`);
  if (code !== undefined && faultsOfArchive.has(code))
    return new DabbaError('InvalidArgument', `${subject} cannot be made: ${code}`, { cause: error });
  return error;
}
