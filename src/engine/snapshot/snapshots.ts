import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { type Clock, DabbaError, type Digest, type Logger, type Random, systemCode } from '#base';
import { mount, MountFlag, mountMapped, takeFileOwner, unmount, UnmountFlag, type UserNamespace } from '#kernel';
import type { MappedIds, MountRequest, Snapshots, View } from '../image/internals.ts';
import { LayerStore } from './layers.ts';
import { checkMountable, mountOverlay, type OverlayMount } from './overlay.ts';
import { Trash } from './trash.ts';

export interface SnapshotsOptions {
  /** Made when absent; holds `layers/ l/ empty/ mount-points/ views/ temporary/ trash/`. One process at a time uses it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Opens the unpacked layers below a directory. Unmounts views and moves away temporary directories that a dead process left. */
export async function openSnapshots(options: SnapshotsOptions): Promise<OverlaySnapshots> {
  checkMountable(options.directory);
  const snapshots = new OverlaySnapshots(options);
  await snapshots.start();
  return snapshots;
}

/** `Snapshots` over overlayfs. */
export class OverlaySnapshots implements Snapshots, AsyncDisposable {
  readonly #directory: string;
  readonly #random: Random;
  readonly #trash: Trash;
  /** Overlays that are mounted unmapped, by place; those of a process before us are nobody's to mount again. */
  readonly #overlays = new Map<string, OverlayMount>();
  readonly layers: LayerStore;

  constructor({ directory, clock, random, logger }: SnapshotsOptions) {
    this.#directory = directory;
    this.#random = random;
    this.#trash = new Trash(join(directory, 'trash'), { clock, random, logger });
    this.layers = new LayerStore(directory, { trash: this.#trash, logger });
  }

  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await this.#trash.start();
    await this.layers.start();
    for (const name of ['empty/0', 'empty/1', 'views', 'temporary'])
      await mkdir(join(this.#directory, name), { recursive: true, mode: 0o755 });
    await makeMountPoints(this.#path('mount-points'));
    for (const name of await readdir(this.#path('views'))) await this.#closeView(this.#path('views', name));
    for (const name of await readdir(this.#path('temporary'))) await this.discard(this.#path('temporary', name));
  }

  async mount(request: MountRequest): Promise<void> {
    this.#mount(request, []);
  }

  /** At once: the call that mounts holds this thread anyway, for the same file system. */
  #mount({ chainId, target, writable, hasMountPoints, mapped }: MountRequest, above: readonly string[]): void {
    const chain = this.layers.chain(chainId);
    if (!chain) throw new DabbaError('NotFound', `layer ${chainId} or one beneath it is not here`);
    for (const path of [target, writable?.upper, writable?.work]) if (path !== undefined) checkMountable(path);
    mkdirSync(target, { recursive: true, mode: 0o755 });
    if (isMountPoint(target)) return;
    if (writable) {
      makeDirectory(writable.upper, 0o755); // it is the root directory a container sees
      makeDirectory(writable.work, 0o700);
    }
    const links = [...above, ...chain.map(({ link }) => link)];
    if (hasMountPoints) links.push(this.#path('mount-points'));
    // overlayfs wants something beneath an upper, and at least two directories where there is no upper.
    const least = writable ? 1 : 2;
    const lower = [
      ...links,
      ...[this.#path('empty', '0'), this.#path('empty', '1')].slice(0, Math.max(0, least - links.length)),
    ];
    const overlay = { target, linkDirectory: this.layers.linkDirectory, lower, writable };
    if (mapped) return this.#mountMapped(overlay, mapped);
    mountOverlay(overlay);
    this.#overlays.set(target, overlay);
  }

  async mountMapped(
    source: string,
    target: string,
    { isRecursive, ...mapped }: MappedIds & { readonly isRecursive: boolean },
  ): Promise<void> {
    const overlay = [...this.#overlays.values()].find((each) => `${source}/`.startsWith(`${each.target}/`));
    if (!overlay) return mountMapped({ source, target, userNamespace: mapped.userNamespace, isRecursive });
    if (overlay.writable) await this.unmount(overlay.target);
    const view = this.#path('views', this.#random.hex(16));
    mkdirSync(view);
    try {
      this.#mountMapped({ ...overlay, target: view }, mapped);
      mount({ source: join(view, relative(overlay.target, source)), target, flags: MountFlag.bind });
    } finally {
      await this.#closeView(view);
    }
  }

  /**
   * Mounts an overlay of layers with mapped ids: all of them, and what is written, are seen through one mapped mount of our directory, which is needed
   * no longer once the overlay has it.
   */
  #mountMapped(overlay: OverlayMount, { userNamespace, root, workplace }: MappedIds): void {
    const moved = (path: string) => join(workplace, relative(this.#directory, path));
    const { target, linkDirectory, lower, writable } = overlay;
    mountMappedLayers(this.#directory, workplace, userNamespace);
    try {
      // The overlay makes files of its own as whoever mounted it (kernel documentation, "Overlay Filesystem", Permission model).
      using _ = takeFileOwner(root);
      mountOverlay({
        target,
        linkDirectory: moved(linkDirectory),
        lower: lower.map((name) => (isAbsolute(name) ? moved(name) : name)),
        writable: writable && { upper: moved(writable.upper), work: moved(writable.work) },
      });
    } finally {
      unmount(workplace, UnmountFlag.detach);
    }
  }

  async unmount(target: string): Promise<void> {
    this.#overlays.delete(target);
    try {
      unmount(target);
    } catch (error) {
      if (systemCode(error) !== 'EBUSY') throw error;
      unmount(target, UnmountFlag.detach); // somebody still looks at it; it goes when they do
    }
  }

  async openView(chainId: Digest | undefined, upper?: string): Promise<View> {
    const path = this.#path('views', this.#random.hex(16));
    if (upper !== undefined) checkMountable(upper);
    const above = upper === undefined ? [] : [upper];
    this.#mount({ chainId, target: path, hasMountPoints: upper !== undefined }, above);
    return { path, [Symbol.asyncDispose]: () => this.#closeView(path) };
  }

  discard(directory: string): Promise<void> {
    return this.#trash.discard(directory);
  }

  async makeTemporary(): Promise<string> {
    const path = this.#path('temporary', this.#random.hex(16));
    makeDirectory(path, 0o755);
    return path;
  }

  /** Frees the space of what was discarded, now. */
  emptyTrash(): Promise<void> {
    return this.#trash.empty();
  }

  async #closeView(path: string): Promise<void> {
    await this.unmount(path);
    try {
      await rmdir(path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }

  #path(...names: readonly string[]): string {
    return join(this.#directory, ...names);
  }

  /** Lets go of timers. Mounts and layers stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trash[Symbol.asyncDispose]();
  }
}

/** Throws `FailedPrecondition` where layers lie on a file system that maps no ids. */
function mountMappedLayers(source: string, target: string, userNamespace: UserNamespace): void {
  try {
    mountMapped({ source, target, userNamespace });
  } catch (cause) {
    if (systemCode(cause) !== 'EINVAL') throw cause;
    const wanted = 'user namespaces want Linux 5.19 and e.g. ext4, xfs or btrfs';
    throw new DabbaError('FailedPrecondition', `the file system of ${source} maps no ids: ${wanted}`, { cause });
  }
}

function makeDirectory(path: string, mode: number): void {
  if (mkdirSync(path, { recursive: true, mode }) !== undefined) chmodSync(path, mode); // whatever the umask
}

/** What runc makes in a root file system to mount over. Beneath the image it costs nothing, and is never part of a layer. */
async function makeMountPoints(root: string): Promise<void> {
  for (const name of ['proc', 'sys', 'dev', 'etc']) {
    makeDirectory(join(root, name), 0o755);
  }
  for (const name of ['hostname', 'hosts', 'resolv.conf'])
    await writeFile(join(root, 'etc', name), '', { mode: 0o755, flag: 'a' });
}

/** True if another file system begins at `path`. */
function isMountPoint(path: string): boolean {
  return lstatSync(path).dev !== lstatSync(dirname(path)).dev;
}
