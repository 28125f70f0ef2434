import { chownSync, mkdirSync, rmdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, systemCode } from '#base';
import { KernelError, MountFlag, mountFlagsOf, namesInSync, unmount, UnmountFlag } from '#kernel';
import type { Instance } from './instance.ts';
import type { Runtime } from './runtime.ts';
import type { PlacedMount } from './spec/mounts.ts';
import type { StartUserNamespace } from './user-namespace.ts';

type BindMount = Extract<PlacedMount, { readonly kind: 'bind' }>;

/**
 * Mounts the root of a container anew, with mapped ids, and returns where: in a place that the container's own root can reach. What had to be
 * looked at or made in it by the machine's root is done by then.
 */
export async function mountMappedRoot(
  { images }: Runtime,
  { record, folder }: Instance,
  { user, root }: StartUserNamespace,
): Promise<string> {
  await images.snapshots.unmount(folder.merged);
  const target = make(folder.mapped, rootPlace(folder.mapped));
  // Not the machine's own users, for whom its set-user-ID programs are a way to its ids.
  chownSync(folder.mapped, 0, root.gid);
  const workplace = make(folder.mapped, workplaceOf(folder.mapped));
  await images.snapshots.mount({
    chainId: record.chainId,
    target,
    writable: { upper: folder.upper, work: folder.work },
    hasMountPoints: true,
    mapped: { userNamespace: user, root, workplace },
  });
  return target;
}

/** Mounts whose files have the container's ids, each by way of a mount that maps them; others stay as they are. Throws `FailedPrecondition` where a file system cannot. */
export async function mapMounts(
  runtime: Runtime,
  instance: Instance,
  namespace: StartUserNamespace,
  mounts: readonly PlacedMount[],
): Promise<readonly PlacedMount[]> {
  const mapped: PlacedMount[] = [];
  for (const [index, mount] of mounts.entries()) {
    if (mount.kind !== 'bind') mapped.push(mount);
    else {
      const place = mount.isMapped ? await mapMount(runtime, instance, namespace, { ...mount, index }) : mount;
      mapped.push(withLockedFlags(place));
    }
  }
  return mapped;
}

/** A user namespace may not take away what a mount that came into it forbids (mount_namespaces(7)): runc is not to try. */
function withLockedFlags(mount: BindMount): BindMount {
  const flags = mountFlagsOf(mount.source);
  const words = { nosuid: MountFlag.noSuid, nodev: MountFlag.noDevices, noexec: MountFlag.noExecute };
  const options = Object.entries(words).flatMap(([word, flag]) => (flags & flag ? [word] : []));
  return { ...mount, options, isReadOnly: mount.isReadOnly || (flags & MountFlag.readOnly) !== 0 };
}

async function mapMount(
  { images }: Runtime,
  { folder }: Instance,
  { user, root }: StartUserNamespace,
  { index, ...mount }: BindMount & { readonly index: number },
): Promise<BindMount> {
  const { source, isShallow = false } = mount;
  const place = join(privateDirectory(folder.mapped), String(index));
  const target = make(folder.mapped, place, statSync(source).isDirectory());
  const workplace = make(folder.mapped, workplaceOf(folder.mapped));
  try {
    const options = { userNamespace: user, root, workplace, isRecursive: !isShallow };
    await images.snapshots.mountMapped(source, target, options);
    return { ...mount, source: target };
  } catch (cause) {
    if (!(cause instanceof KernelError && cause.code === 'EINVAL')) throw cause;
    throw new DabbaError(
      'FailedPrecondition',
      `failed to map the ids of ${source}, to be mounted at ${mount.target}: its file system does not support it`,
      { cause },
    );
  }
}

/** Unmounts all of it: a container that runs has mounts of its own. The places stay, for runc changes to its root's before it adds a process. */
export function unmountMapped(directory: string): void {
  for (const path of placesIn(directory)) while (unmount(path, UnmountFlag.detach));
}

/** Undoes all of it. May be repeated. Nothing beneath a mount is ever touched. */
export function clearMapped(directory: string): void {
  unmountMapped(directory);
  for (const path of placesIn(directory))
    if (statSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  for (const each of [privateDirectory(directory), directory]) removeDirectory(each);
}

/** Where the container's own root can go, for it changes to its root there. */
const rootPlace = (directory: string) => join(directory, 'root');
/** Where none but the machine's root can: everybody with one of the ids would be the owner of what is mounted there. */
const privateDirectory = (directory: string) => join(directory, 'private');
const workplaceOf = (directory: string) => join(privateDirectory(directory), 'work');

function placesIn(directory: string): readonly string[] {
  const inPrivate = namesInSync(privateDirectory(directory)).map((name) => join(privateDirectory(directory), name));
  return namesInSync(directory).includes('root') ? [rootPlace(directory), ...inPrivate] : inPrivate;
}

function make(directory: string, path: string, isDirectory = true): string {
  mkdirSync(directory, { recursive: true, mode: 0o710 });
  mkdirSync(privateDirectory(directory), { recursive: true, mode: 0o700 });
  if (isDirectory) mkdirSync(path, { recursive: true });
  else writeFileSync(path, '');
  return path;
}

function removeDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
