import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '#base';
import { KernelError, check, libcFunction } from './libc.ts';
import { MountFlag, UnmountFlag, mount, unmount } from './mount.ts';

const unshareCall = libcFunction<(flags: number) => number>('int unshare(int flags)');
const setnsCall = libcFunction<(descriptor: number, kind: number) => number>('int setns(int fd, int nstype)');

const [CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET] = [0x04000000, 0x08000000, 0x40000000] as const;
/** f_type of nsfs, the file system of bind-mounted namespaces (linux/magic.h). */
const NSFS_MAGIC = 0x6e736673;
/** Where a thread's own namespace of a kind is found. */
const own = {
  [CLONE_NEWNET]: '/proc/thread-self/ns/net',
  [CLONE_NEWIPC]: '/proc/thread-self/ns/ipc',
  [CLONE_NEWUTS]: '/proc/thread-self/ns/uts',
} as const;
type Kind = keyof typeof own;

const homes = new Map<Kind, number>();

/** The namespace this process was started in. Opened before the first excursion, never closed. */
function home(kind: Kind): number {
  const known = homes.get(kind) ?? openSync(own[kind], 'r');
  homes.set(kind, known);
  return known;
}

/** Runs `action` away from home and comes back. Not being able to come back leaves the thread lost: nothing it does would be right. */
function awayFromHome<T>(kind: Kind, leave: () => void, action: () => T): T {
  const back = home(kind);
  leave();
  try {
    const result = action();
    if (result instanceof Promise) throw new Error('only synchronous work may run in another namespace');
    return result;
  } finally {
    if (setnsCall(back, kind) < 0) process.abort();
  }
}

/** An open network namespace. It lives as long as it is mounted, open here, or has a process or socket in it. */
export class NetworkNamespace implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Valid until disposed; for handing over to the kernel. */
  readonly descriptor: number;
  #isOpen = true;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.descriptor = descriptor;
  }

  /**
   * Calls `action` with this thread inside the namespace, and comes back whatever happens. Sockets made, programs spawned and
   * /proc/sys/net written inside belong to the namespace. `action` must be synchronous: file calls of `node:fs/promises` run elsewhere.
   */
  run<T>(action: () => T): T {
    if (!this.#isOpen) throw new Error(`the network namespace ${this.path} was closed`);
    return inside(CLONE_NEWNET, this, action);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.descriptor);
    this.#isOpen = false;
  }
}

/** Makes a network namespace and mounts it at `path`. Throws `KernelError` `EEXIST` when something is there already. */
export function createNetworkNamespace(path: string): NetworkNamespace {
  return mountNamespace(path, () => away(CLONE_NEWNET, path, () => mountFrom(own[CLONE_NEWNET], path)));
}

/** Mounts an open network namespace at `path`, where it is opened once more. Throws `KernelError` `EEXIST` when something is there already. */
export function nameNetworkNamespace(path: string, { descriptor }: NetworkNamespace): NetworkNamespace {
  return mountNamespace(path, () => mountFrom(`/proc/self/fd/${descriptor}`, path));
}

/**
 * Makes an IPC namespace, or takes that of a process, and mounts it at `path`, for processes to be begun in; nothing when one is there already. It goes
 * with its mount and its last process.
 */
export function ensureIpcNamespace(path: string, pid?: number): void {
  if (isNamespace(path)) return;
  // Of an earlier boot.
  rmSync(path, { force: true });
  const mountIt = (source: string) => mount({ source, target: path, flags: MountFlag.bind });
  mountNamespace(path, () => {
    if (pid === undefined) away(CLONE_NEWIPC, path, () => mountIt(own[CLONE_NEWIPC]));
    else mountIt(`/proc/${pid}/ns/ipc`);
  });
}

/**
 * Sets the NIS domain name that a process sees, in the UTS namespace it is in. Only the machine's root may write it: the kernel asks for that user
 * whatever namespace the name is of. Throws `ENOENT` when the process has ended.
 */
export function setDomainName(pid: number, name: string): void {
  const path = `/proc/${pid}/ns/uts`;
  const descriptor = openSync(path, 'r');
  try {
    inside(CLONE_NEWUTS, { descriptor, path }, () => writeFileSync('/proc/sys/kernel/domainname', name));
  } finally {
    closeSync(descriptor);
  }
}

/** Calls `action` inside an open namespace. */
function inside<T>(
  kind: Kind,
  { descriptor, path }: { readonly descriptor: number; readonly path: string },
  action: () => T,
): T {
  return awayFromHome(kind, () => check(setnsCall(descriptor, kind), 'setns', path), action);
}

/** Calls `action` inside a new namespace. */
function away<T>(kind: Kind, path: string, action: () => T): T {
  return awayFromHome(kind, () => check(unshareCall(kind), 'unshare', path), action);
}

function mountFrom(source: string, path: string): NetworkNamespace {
  mount({ source, target: path, flags: MountFlag.bind });
  return new NetworkNamespace(path, openSync(source, 'r'));
}

function mountNamespace<T>(path: string, mountIt: () => T): T {
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(path, '', { flag: 'wx', mode: 0o444 });
  } catch (error) {
    throw systemCode(error) === 'EEXIST' ? new KernelError('open', 'EEXIST', path) : error;
  }
  try {
    return mountIt();
  } catch (error) {
    removeNetworkNamespace(path);
    throw error;
  }
}

/** Opens the network namespace mounted at `path`, or answers undefined when none is. */
export function openNetworkNamespace(path: string): NetworkNamespace | undefined {
  if (!isNamespace(path)) return undefined;
  return new NetworkNamespace(path, openSync(path, 'r'));
}

/** True if a namespace, of whatever kind, is mounted at `path`: a file left over from before a reboot is none. */
export function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Unmounts the namespace and removes its file. Removing an absent one succeeds. What runs inside keeps it alive, nameless. */
export function removeNetworkNamespace(path: string): void {
  while (unmount(path, UnmountFlag.detach)); // a crash between two mounts may have left one above the other
  rmSync(path, { force: true });
}
