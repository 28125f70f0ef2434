import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DabbaError, systemCode } from '#base';
import {
  isProcessAlive,
  KernelError,
  mount,
  MountFlag,
  openBeneath,
  unmount,
  UnmountFlag,
  type IdMapping,
  type ProcessIdentity,
} from '#kernel';
import { resolveBeneath } from '../build/beneath.ts';
import type { Instance } from './instance.ts';
import { placeMounts } from './mount-places.ts';
import type { ContainerRecord } from './record.ts';
import type { Runtime } from './runtime.ts';
import type { PlacedMount } from './spec/mounts.ts';
import type { Turns } from './turns.ts';
import { mappingOf } from './user-namespace.ts';

/** The root directory of a container, to be looked at from outside. Only with `ThreadRoot`: the container may change it meanwhile. */
export interface OpenRoot extends AsyncDisposable {
  readonly path: string;
  /** What is seen there are the machine's ids for those of the container. */
  readonly ids?: IdMapping;
}

/** A root with what is known of its container. */
export interface ContainerRoot extends OpenRoot {
  readonly record: ContainerRecord;
  /** Its read/write layer. */
  readonly upper: string;
  /** Tells the world what was done with it, in Docker's words. */
  publish(action: string, attributes?: { readonly [name: string]: string }): void;
}

/**
 * Opens a container's root: `own` is its image and its read/write layer; `whole` is what its processes see, volumes and other mounts included. A
 * container that does not run is mounted for it, and cannot start until the root is closed.
 */
export async function openRoot(runtime: Runtime, instance: Instance, view: 'own' | 'whole'): Promise<OpenRoot> {
  const turn = await takeTurn(instance.turns);
  const opened = new AsyncDisposableStack();
  runtime.openStreams.add(opened);
  opened.defer(() => void runtime.openStreams.delete(opened));
  opened.defer(() => turn[Symbol.dispose]());
  try {
    if (instance.isRemoved) throw new DabbaError('NotFound', `No such container: ${instance.id}`);
    const { isRunning } = instance;
    const path = isRunning
      ? await openRunning(runtime, instance, view, opened)
      : await openStopped(runtime, instance, view, opened);
    if (isRunning) turn[Symbol.dispose]();
    const ids = isRunning && view === 'whole' ? mappingOf(instance.record.create) : undefined;
    return { path, ...(ids && { ids }), [Symbol.asyncDispose]: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** Unmounts the root of a container that does not run, with all that is mounted in it: the looker died. */
export function releaseRoot({ folder }: Instance): void {
  unmount(folder.merged, UnmountFlag.detach);
}

async function openRunning(
  { images }: Runtime,
  { state, record, folder }: Instance,
  view: 'own' | 'whole',
  opened: AsyncDisposableStack,
): Promise<string> {
  if (view === 'own') return opened.use(await images.snapshots.openView(record.chainId, folder.upper)).path;
  return opened.use(openProcessRoot(state.process)).path;
}

/** The root directory as a container's process sees it. Throws `Conflict` when that has just ended. */
export function openProcessRoot(process: ProcessIdentity | undefined): Disposable & { readonly path: string } {
  try {
    const root = openSync(`/proc/${process?.pid}/root`, constants.O_RDONLY | constants.O_DIRECTORY);
    // Had it ended before, the number might be another process's by now. Held open, the root stays its own.
    if (process && isProcessAlive(process))
      return { path: `/proc/self/fd/${root}`, [Symbol.dispose]: () => closeSync(root) };
    closeSync(root);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  throw new DabbaError('Conflict', 'the container ended at this moment: try again');
}

async function openStopped(
  runtime: Runtime,
  instance: Instance,
  view: 'own' | 'whole',
  opened: AsyncDisposableStack,
): Promise<string> {
  const { snapshots } = runtime.images;
  await instance.clearing;
  const { record, folder } = instance;
  const writable = { upper: folder.upper, work: folder.work };
  opened.defer(() => releaseRoot(instance));
  await snapshots.mount({ chainId: record.chainId, target: folder.merged, writable, hasMountPoints: true });
  if (view === 'own') return folder.merged;
  const placed = await placeMounts(runtime, record.mounts, { root: folder.merged, views: opened });
  const outerFirst = [...placed].sort((left, right) => left.target.split('/').length - right.target.split('/').length);
  for (const each of outerFirst) if (each.kind === 'bind') bind(each, folder.merged);
  return folder.merged;
}

/** Binds what a volume or the machine has over a container's path, which is made if it is not there. */
function bind(placed: Extract<PlacedMount, { readonly kind: 'bind' }>, root: string): void {
  const isDirectory = statSync(placed.source).isDirectory();
  const target = openTarget(root, placed.target, isDirectory);
  try {
    // By descriptor: the path might lead elsewhere by now, for others may write to the same volume.
    const path = `/proc/self/fd/${target}`;
    mount({ source: placed.source, target: path, flags: MountFlag.bind | MountFlag.recursive });
  } finally {
    closeSync(target);
  }
  if (!placed.isReadOnly) return;
  const mounted = openBeneath(root, placed.target);
  try {
    const flags = MountFlag.bind | MountFlag.remount | MountFlag.readOnly;
    mount({ source: 'none', target: `/proc/self/fd/${mounted}`, flags });
  } finally {
    closeSync(mounted);
  }
}

function openTarget(root: string, target: string, isDirectory: boolean): number {
  try {
    return openBeneath(root, target);
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== 'ENOENT') throw error;
  }
  const path = join(root, resolveBeneath(root, target));
  mkdirSync(isDirectory ? path : dirname(path), { recursive: true });
  if (!isDirectory) writeFileSync(path, '');
  const file = openBeneath(root, target);
  if (fstatSync(file).isDirectory() === isDirectory) return file;
  closeSync(file);
  throw new DabbaError('Conflict', `"${target}" in the container changed while it was mounted`);
}

/** Waits for the container's turn and keeps it until disposed, which may be repeated. */
async function takeTurn(turns: Turns): Promise<Disposable> {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  void turns.run(() => {
    begun.resolve();
    return ended.promise;
  });
  await begun.promise;
  return { [Symbol.dispose]: () => ended.resolve() };
}
