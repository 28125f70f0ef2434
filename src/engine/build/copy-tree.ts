import {
  chmodSync,
  constants,
  copyFileSync,
  lchownSync,
  mkdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  lstatSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DabbaError } from '#base';
import { deviceOf, FileType, getAttribute, listAttributes, makeNode, setAttribute, setTimes } from '#kernel';
import { statOf } from './beneath.ts';
import { changeMode, type ModeChange } from './mode.ts';
import { entriesOf, type Source, type TreeEntry } from './tree.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** How copied files look. What is undefined stays as in the source. */
export interface CopyLook {
  readonly owner?: Owner;
  readonly mode?: ModeChange;
  /** Of directories that are made on the way, nanoseconds since the epoch. */
  readonly madeAtNs: bigint;
}

/**
 * Writes files into an upper directory above a mounted view. Everything beneath the upper is made here: no path is ever followed through a
 * link, neither one of the image (destinations come resolved) nor one copied a moment ago (each directory is looked at before it is entered).
 */
export class UpperWriter {
  readonly #upper: string;
  readonly #view: string;
  readonly #look: CopyLook;
  /** Modification times of directories, set when their contents are complete. */
  readonly #directoryTimes = new Map<string, bigint>();

  constructor(upper: string, view: string, look: CopyLook) {
    this.#upper = upper;
    this.#view = view;
    this.#look = look;
    // The root of the upper is what a container sees as `/`.
    const root = lstatSync(view);
    lchownSync(upper, root.uid, root.gid);
    chmodSync(upper, root.mode & 0o7777);
  }

  /** Copies a file or the contents of a directory to `destination`, resolved and relative to the root. */
  copy(source: Source, destination: string): void {
    this.makeDirectory(dirname(`/${destination}`).slice(1));
    for (const entry of entriesOf(source)) {
      const from = join(source.root, source.path, entry.path);
      this.#copyEntry(entry, from, [destination, entry.path].filter(Boolean).join('/'));
    }
  }

  /** Writes a file that comes from the Dockerfile itself. */
  writeText(destination: string, text: string): void {
    this.makeDirectory(dirname(`/${destination}`).slice(1));
    const path = this.#freshPath(destination);
    writeFileSync(path, text, { flag: 'wx' });
    this.#finish(path, { uid: 0, gid: 0 }, this.#modeOf(0o644, false), this.#look.madeAtNs);
  }

  /** Makes a directory and those above it, in the upper too when the image has them: with the image's attributes. */
  makeDirectory(path: string): void {
    const parts = path.split('/').filter(Boolean);
    for (const [index] of parts.entries()) {
      const here = parts.slice(0, index + 1).join('/');
      if (this.#isDirectory(here)) continue;
      this.#makeOne(here, { uid: 0, gid: 0 }, 0o755, this.#look.madeAtNs);
    }
  }

  /** Says that what the view has at `path` is gone (kernel documentation, "Overlay Filesystem", "whiteouts"). */
  removeFromView(path: string): void {
    this.makeDirectory(dirname(`/${path}`).slice(1));
    makeNode(join(this.#upper, path), FileType.character, deviceOf(0n));
  }

  /** Makes a directory that looks as one elsewhere does. */
  makeDirectoryLike(path: string, like: string): void {
    this.makeDirectory(path);
    const stat = lstatSync(like, { bigint: true });
    const full = join(this.#upper, path);
    lchownSync(full, Number(stat.uid), Number(stat.gid));
    chmodSync(full, Number(stat.mode & 0o7777n));
    copyAttributes(like, full);
    this.#directoryTimes.set(path, stat.mtimeNs);
  }

  /** Sets the times of directories. Call once, at the end. */
  finish(): void {
    for (const [path, atNs] of [...this.#directoryTimes].reverse()) setTimes(join(this.#upper, path), atNs);
  }

  #copyEntry(entry: TreeEntry, from: string, to: string): void {
    if (entry.kind === 'directory') {
      if (this.#isDirectory(to)) return;
      this.#makeOne(to, entry, this.#modeOf(entry.mode, true), entry.modifiedAtNs);
      if (!this.#inView(to)) copyAttributes(from, join(this.#upper, to));
      return;
    }
    const path = this.#freshPath(to);
    if (entry.kind === 'file') copyFileSync(from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    else if (entry.kind === 'link') symlinkSync(entry.target ?? readlinkSync(from), path);
    else if (entry.kind === 'fifo') makeNode(path, FileType.fifo | entry.mode);
    else makeNode(path, entry.type | entry.mode, deviceOf(entry.device ?? 0n));
    const mode = entry.kind === 'link' ? undefined : this.#modeOf(entry.mode, false);
    this.#finish(path, entry, mode, entry.modifiedAtNs);
    // After chown, which drops file capabilities.
    copyAttributes(from, path);
  }

  #modeOf(mode: number, isDirectory: boolean): number {
    return this.#look.mode === undefined ? mode : changeMode(this.#look.mode, mode, isDirectory);
  }

  /** True if `path` is a directory of the upper by now. A file or link of the upper in its place is removed. */
  #isDirectory(path: string): boolean {
    if (path === '') return true;
    const stat = statOf(join(this.#upper, path));
    if (stat && !stat.isDirectory()) rmSync(join(this.#upper, path));
    return stat?.isDirectory() ?? false;
  }

  #inView(path: string) {
    const stat = statOf(join(this.#view, path));
    return stat?.isDirectory() ? lstatSync(join(this.#view, path), { bigint: true }) : undefined;
  }

  #makeOne(path: string, owner: Owner, mode: number, modifiedAtNs: bigint): void {
    const full = join(this.#upper, path);
    mkdirSync(full);
    const existing = this.#inView(path);
    if (existing) {
      lchownSync(full, Number(existing.uid), Number(existing.gid));
      chmodSync(full, Number(existing.mode & 0o7777n));
      copyAttributes(join(this.#view, path), full);
      this.#directoryTimes.set(path, existing.mtimeNs);
      return;
    }
    const { uid, gid } = this.#look.owner ?? owner;
    lchownSync(full, uid, gid);
    chmodSync(full, mode);
    this.#directoryTimes.set(path, modifiedAtNs);
  }

  /** The full path of a file about to be written, with nothing there. */
  #freshPath(path: string): string {
    if (path === '') throw new DabbaError('InvalidArgument', 'cannot copy a file over the root directory');
    const full = join(this.#upper, path);
    if (statOf(full)) rmSync(full, { recursive: true });
    return full;
  }

  #finish(path: string, owner: Owner, mode: number | undefined, modifiedAtNs: bigint): void {
    const { uid, gid } = this.#look.owner ?? owner;
    lchownSync(path, uid, gid);
    // After chown, which clears setuid and setgid.
    if (mode !== undefined) chmodSync(path, mode);
    setTimes(path, modifiedAtNs);
  }
}

/** File capabilities and the like. The overlay's own attributes belong to its layer and stay there. */
function copyAttributes(from: string, to: string): void {
  for (const name of listAttributes(from)) {
    if (name.startsWith('trusted.overlay.')) continue;
    const value = getAttribute(from, name);
    if (value) setAttribute(to, name, value);
  }
}
