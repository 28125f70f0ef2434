import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '#base';
import { KernelError, check, libcFunction } from './libc.ts';
import { MountFlag, UnmountFlag, mount, unmount } from './mount.ts';

const unshareCall = libcFunction<(flags: number) => number>('int unshare(int flags)');
const setnsCall = libcFunction<(descriptor: number, kind: number) => number>('int setns(int fd, int nstype)');

const CLONE_NEWNET = 0x40000000;
/** f_type of nsfs, the file system of bind-mounted namespaces (linux/magic.h). */
const NSFS_MAGIC = 0x6e736673;
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

let homeDescriptor: number | undefined;

/** The namespace this process was started in. Opened before the first excursion, never closed. */
function home(): number {
  return (homeDescriptor ??= openSync(OWN_NAMESPACE, 'r'));
}

/** Runs `action` away from home and comes back. Not being able to come back leaves the thread lost: nothing it does would be right. */
function awayFromHome<T>(leave: () => void, action: () => T): T {
  const back = home();
  leave();
  try {
    const result = action();
    if (result instanceof Promise) throw new Error('only synchronous work may run in another network namespace');
    return result;
  } finally {
    if (setnsCall(back, CLONE_NEWNET) < 0) process.abort();
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
    return awayFromHome(() => check(setnsCall(this.descriptor, CLONE_NEWNET), 'setns', this.path), action);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.descriptor);
    this.#isOpen = false;
  }
}

/** Makes a network namespace and mounts it at `path`. Throws `KernelError` `EEXIST` when something is there already. */
export function createNetworkNamespace(path: string): NetworkNamespace {
  return mountNamespace(path, () =>
    awayFromHome(
      () => check(unshareCall(CLONE_NEWNET), 'unshare', path),
      () => mountFrom(OWN_NAMESPACE, path),
    ),
  );
}

/** Mounts an open network namespace at `path`, where it is opened once more. Throws `KernelError` `EEXIST` when something is there already. */
export function nameNetworkNamespace(path: string, { descriptor }: NetworkNamespace): NetworkNamespace {
  return mountNamespace(path, () => mountFrom(`/proc/self/fd/${descriptor}`, path));
}

function mountFrom(source: string, path: string): NetworkNamespace {
  mount({ source, target: path, flags: MountFlag.bind });
  return new NetworkNamespace(path, openSync(source, 'r'));
}

function mountNamespace(path: string, mountIt: () => NetworkNamespace): NetworkNamespace {
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
  if (!isNetworkNamespace(path)) return undefined;
  return new NetworkNamespace(path, openSync(path, 'r'));
}

/** True if a namespace is mounted at `path`: a file left over from before a reboot is none. */
export function isNetworkNamespace(path: string): boolean {
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
