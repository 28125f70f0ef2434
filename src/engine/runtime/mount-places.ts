import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { DabbaError, systemCode } from '#base';
import type { ContainerCreate, ImageConfig } from '../engine.ts';
import type { Volumes } from '../volume/volumes.ts';
import type { RecordedMount } from './record.ts';
import type { PlacedMount } from './spec/mounts.ts';

/**
 * The mounts of a new container: those asked for, with their volumes made, and an anonymous volume for every path the image declares and
 * nobody mounted over. Throws `InvalidArgument` for an unfit target, a duplicate, or a bind source that is not there.
 */
export async function recordMounts(
  volumes: Volumes,
  create: ContainerCreate,
  image: ImageConfig,
): Promise<readonly RecordedMount[]> {
  const mounts: RecordedMount[] = [];
  const taken = new Set<string>();
  for (const mount of create.mounts ?? []) {
    const target = parseTarget(mount.target);
    if (taken.has(target)) throw new DabbaError('InvalidArgument', `Duplicate mount point: ${target}`);
    taken.add(target);
    if (mount.kind === 'bind') await checkSource(mount.source);
    if (mount.kind !== 'volume') mounts.push({ ...mount, target });
    // An empty name asks for an anonymous volume (`docker run -v /path`).
    else mounts.push(await recordVolume(volumes, mount.name || undefined, target, mount.isReadOnly ?? false));
  }
  for (const path of Object.keys(image.Volumes ?? {})) {
    const target = parseTarget(path);
    if (!taken.has(target)) mounts.push(await recordVolume(volumes, undefined, target, false));
  }
  return mounts;
}

/** Where each mount's files are on this machine. Empty volumes are filled from the image first. */
export async function placeMounts(
  volumes: Volumes,
  mounts: readonly RecordedMount[],
  root: string,
): Promise<readonly PlacedMount[]> {
  const placed: PlacedMount[] = [];
  for (const mount of mounts) {
    if (mount.kind === 'tmpfs') placed.push(mount);
    else if (mount.kind === 'bind') placed.push({ ...mount, isReadOnly: mount.isReadOnly ?? false });
    else {
      const volume = await volumes.create(mount.name);
      await volumes.fillFrom(volume, root, mount.target);
      placed.push({ kind: 'bind', source: volume.path, target: mount.target, isReadOnly: mount.isReadOnly ?? false });
    }
  }
  return placed;
}

async function recordVolume(
  volumes: Volumes,
  name: string | undefined,
  target: string,
  isReadOnly: boolean,
): Promise<RecordedMount> {
  const volume = await volumes.create(name);
  return { kind: 'volume', name: volume.name, target, isReadOnly, isAnonymous: name === undefined };
}

function parseTarget(path: string): string {
  const target = posix.resolve('/', path);
  if (!path.startsWith('/'))
    throw new DabbaError('InvalidArgument', `invalid mount path: '${path}' mount path must be absolute`);
  if (target === '/') throw new DabbaError('InvalidArgument', `invalid mount config: destination can't be '/'`);
  return target;
}

async function checkSource(source: string): Promise<void> {
  if (!posix.isAbsolute(source))
    throw new DabbaError('InvalidArgument', `invalid mount path: '${source}' mount path must be absolute`);
  try {
    await stat(source);
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new DabbaError(
        'InvalidArgument',
        `invalid mount config for type "bind": bind source path does not exist: ${source}`,
      );
    throw error;
  }
}
