import { mkdir, stat } from 'node:fs/promises';
import { closeSync, constants, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { DabbaError, systemCode } from '#base';
import type { ContainerCreate, ImageConfig, Mount } from '../engine.ts';
import { KernelError, openBeneath } from '#kernel';
import type { ImageInternals } from '../image/internals.ts';
import { isBind } from '../volume/device.ts';
import type { VolumeSet } from '../volume/volumes.ts';
import type { ContainerRecord, RecordedMount } from './record.ts';
import type { PlacedMount } from './spec/mounts.ts';

type BindMount = Extract<Mount, { readonly kind: 'bind' }>;
type VolumeMount = Extract<Mount, { readonly kind: 'volume' }>;
type ImageMount = Extract<Mount, { readonly kind: 'image' }>;

/** Where mounts come from. */
export interface MountSources {
  readonly images: Pick<ImageInternals, 'resolveForRun' | 'snapshots'>;
  readonly volumes: VolumeSet;
}

/**
 * The mounts of a new container: those asked for, with their volumes made, those of other containers (`inherited`), and an anonymous volume for
 * every path the image declares and nobody mounted over. Throws `InvalidArgument` for an unfit target, a duplicate, or a bind source that is
 * not there, `NotFound` for an image that is not.
 */
export async function recordMounts(
  { images, volumes }: MountSources,
  create: ContainerCreate,
  image: ImageConfig,
  inherited: readonly RecordedMount[],
): Promise<readonly RecordedMount[]> {
  const mounts: RecordedMount[] = [];
  const taken = new Set<string>();
  for (const mount of create.mounts ?? []) {
    const target = parseTarget(mount.target);
    if (taken.has(target)) throw new DabbaError('InvalidArgument', `Duplicate mount point: ${target}`);
    taken.add(target);
    if (mount.kind === 'bind') await checkSource(mount);
    if (mount.kind === 'volume') mounts.push(await recordVolume(volumes, { ...mount, target }));
    else if (mount.kind === 'image') mounts.push(await recordImage(images, { ...mount, target }));
    else mounts.push({ ...mount, target });
  }
  for (const mount of inherited) {
    if (taken.has(mount.target)) continue;
    taken.add(mount.target);
    mounts.push(mount);
  }
  for (const path of Object.keys(image.Volumes ?? {})) {
    const target = parseTarget(path);
    if (!taken.has(target)) mounts.push(await recordVolume(volumes, { kind: 'volume', name: '', target }));
  }
  return mounts;
}

/**
 * Where each mount's files are on this machine. Empty volumes are filled from the image, mounted at `root`, first. Images are mounted until `views` is
 * disposed: once a container has them in its own mount namespace, the machine needs them no more.
 */
export async function placeMounts(
  { images, volumes }: MountSources,
  mounts: readonly RecordedMount[],
  { root, views }: { readonly root: string; readonly views: AsyncDisposableStack },
): Promise<readonly PlacedMount[]> {
  const placed: PlacedMount[] = [];
  for (const mount of mounts) {
    if (mount.kind === 'tmpfs') placed.push(mount);
    else if (mount.kind === 'bind') placed.push({ ...mount, isReadOnly: mount.isReadOnly ?? false });
    else if (mount.kind === 'image') {
      const { target, subpath, chainId, isDataOnly } = mount;
      const { path } = views.use(await images.snapshots.openView(chainId));
      const source = subpath === undefined ? path : beneath(path, subpath, `image ${mount.image}`);
      placed.push({
        kind: 'bind',
        source,
        target,
        isReadOnly: true,
        isMapped: true,
        ...(isDataOnly && { isDataOnly }),
      });
    } else {
      const volume = await volumes.create({ name: mount.name });
      volumes.open(volume);
      if (!mount.isCopyLess && !mount.isReadOnly) await volumes.fillFrom(volume, root, mount.target);
      const source =
        mount.subpath === undefined ? volume.path : beneath(volume.path, mount.subpath, `volume ${volume.name}`);
      // What a volume binds is the machine's own.
      const isMapped = !isBind(volume.options);
      placed.push({ kind: 'bind', source, target: mount.target, isReadOnly: mount.isReadOnly ?? false, isMapped });
    }
  }
  return placed;
}

/** Those of a container's mounts that are images. */
export function imageMounts({ mounts }: Pick<ContainerRecord, 'mounts'>) {
  return mounts.filter((mount) => mount.kind === 'image');
}

async function recordVolume(volumes: VolumeSet, mount: VolumeMount): Promise<RecordedMount> {
  const { labels, options, ...rest } = mount;
  const volume = await volumes.create({
    ...(mount.name !== '' && { name: mount.name }),
    ...(labels && { labels }),
    ...(options && { options }),
  });
  return { ...rest, name: volume.name, isAnonymous: mount.name === '' };
}

async function recordImage(images: MountSources['images'], mount: ImageMount): Promise<RecordedMount> {
  const { image, chainId } = await images.resolveForRun(mount.image);
  return { ...mount, imageId: image.id, ...(chainId && { chainId }) };
}

/** The true place of a path within a volume or an image. What is in it is others' work: links that lead out of it lead nowhere. */
function beneath(root: string, subpath: string, what: string): string {
  try {
    const fd = openBeneath(root, posix.join('/', subpath), constants.O_RDONLY);
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof KernelError && ['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(error.code))
      throw new DabbaError('FailedPrecondition', `cannot access path ${subpath} of ${what}`, { cause: error });
    throw error;
  }
}

function parseTarget(path: string): string {
  const target = posix.resolve('/', path);
  if (!path.startsWith('/'))
    throw new DabbaError('InvalidArgument', `invalid mount path: '${path}' mount path must be absolute`);
  if (target === '/') throw new DabbaError('InvalidArgument', `invalid mount config: destination can't be '/'`);
  return target;
}

async function checkSource({ source, isSourceMade }: BindMount): Promise<void> {
  if (!posix.isAbsolute(source))
    throw new DabbaError('InvalidArgument', `invalid mount path: '${source}' mount path must be absolute`);
  try {
    await stat(source);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && isSourceMade)
      return void (await mkdir(source, { recursive: true, mode: 0o755 }));
    if (systemCode(error) === 'ENOENT')
      throw new DabbaError(
        'InvalidArgument',
        `invalid mount config for type "bind": bind source path does not exist: ${source}`,
      );
    throw error;
  }
}
