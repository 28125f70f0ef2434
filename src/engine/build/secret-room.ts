import { mkdirSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '#base';
import { listMounts, mount, MountFlag, unmount, UnmountFlag } from '#kernel';

/** A directory in memory, for what must never reach a disk: secrets of a RUN, sockets of SSH agents. Disposing forgets it. */
export interface SecretRoom extends AsyncDisposable {
  readonly path: string;
}

/** Makes such directories: a tmpfs each, in names of our own so that what a dead process left is found. */
export class SecretRooms {
  readonly #directory: string;
  readonly #random: Random;

  constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  open(): SecretRoom {
    const path = join(this.#directory, this.#random.hex(16));
    mkdirSync(path, { recursive: true, mode: 0o711 });
    const flags = MountFlag.noSuid | MountFlag.noDevices | MountFlag.noExecute;
    mount({ source: 'tmpfs', target: path, type: 'tmpfs', flags, options: 'mode=0711,size=16m' });
    return {
      path,
      // oxlint-disable-next-line require-await -- a failure is to be a rejection
      [Symbol.asyncDispose]: async () => close(path),
    };
  }

  /** Unmounts and removes what is left. No build may run. */
  // oxlint-disable-next-line require-await -- a failure is to be a rejection
  async sweep(): Promise<void> {
    const mounted = listMounts().filter(({ target }) => target.startsWith(`${this.#directory}/`));
    for (const { target } of mounted) unmount(target, UnmountFlag.detach);
    mkdirSync(this.#directory, { recursive: true, mode: 0o711 });
    for (const name of readdirSync(this.#directory)) rmdirSync(join(this.#directory, name));
  }
}

function close(path: string): void {
  // Before the mount is let go: a container that still has it sees nothing any more.
  for (const name of readdirSync(path)) rmSync(join(path, name), { force: true });
  unmount(path, UnmountFlag.detach);
  rmdirSync(path);
}
