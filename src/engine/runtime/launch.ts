import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DabbaError, systemCode } from '#base';
import { identifyProcess, setDomainName, type ProcessIdentity } from '#kernel';
import { ownerOnMachine } from '../mapped-owner.ts';
import { readAccounts } from './accounts.ts';
import { createMonitored } from './conmon.ts';
import { initMounts, underInit } from './init.ts';
import type { Instance } from './instance.ts';
import type { Neighbours } from './lifecycle.ts';
import { linkEnvironment } from './link-environment.ts';
import { clearMapped, mapMounts, mountMappedRoot, unmountMapped } from './mapped-mounts.ts';
import { joinNamespaces, type JoinedNamespaces } from './namespaces.ts';
import { placeMounts } from './mount-places.ts';
import { prepareNetwork, releaseNetwork, type PreparedNetwork } from './network.ts';
import type { ContainerFolder } from './record.ts';
import type { Runtime } from './runtime.ts';
import { joinEnvironment } from './spec/process.ts';
import { buildSpec, writeSpec } from './spec/spec.ts';
import { releaseSharedMemory, sharedMemoryMounts } from './shared-memory.ts';
import type { PlacedMount } from './spec/mounts.ts';
import { resolveUser } from './spec/user.ts';
import { mappingOf, openUserNamespace, ownStandardStreams, type StartUserNamespace } from './user-namespace.ts';

/** A run that has begun. */
export interface Launched {
  readonly monitor: ProcessIdentity;
  readonly process: ProcessIdentity;
  readonly startedAt: number;
  readonly address?: NonNullable<PreparedNetwork['address']>;
}

/**
 * The start of a container, step by step: root, network, bundle, conmon with `runc create`, attachments, `runc start`. Everything it makes is
 * named after the container, so `clear` undoes any part of it, also after a crash.
 */
export async function launch(
  runtime: Runtime,
  instance: Instance,
  neighbours: Pick<Neighbours, 'find'>,
): Promise<Launched> {
  const { folder } = instance;
  // The bundle lies in memory, where work takes less time than a turn of the thread pool.
  rmSync(folder.bundle, { recursive: true, force: true });
  mkdirSync(folder.bundle, { mode: 0o711 });
  await mountRoot(runtime, instance);
  using userNamespace = await openUserNamespace(instance, neighbours);
  const network = await prepareNetwork(runtime, instance, neighbours, userNamespace?.network);
  const mounts = [...sharedMemoryMounts(instance, neighbours), ...initMounts(instance.record)];
  const namespaces = joinNamespaces(instance.record.create, neighbours);
  const environment = linkEnvironment(runtime, instance, neighbours);
  await using views = new AsyncDisposableStack();
  const bundle = { network, namespaces, userNamespace, mounts, environment, views };
  const owner = await writeBundle(runtime, instance, bundle);
  const pid = await createMonitored(runtime.monitor, monitorRequest(instance));
  // The container has its root in a mount namespace of its own by now. On the machine it would make every further start read a longer mount table.
  await runtime.images.snapshots.unmount(folder.merged);
  if (owner) settleIn(instance, pid, owner);
  const process = identify(pid, 'container process');
  const monitor = identify(Number(readFileSync(monitorPidFile(folder), 'utf8')), 'conmon');
  instance.connectAttachments();
  const startedAt = runtime.clock.now(); // before it can end, which may be before `runc start` returns
  await runtime.runc.start(instance.id, process);
  return { monitor, process, startedAt, ...(network.address && { address: network.address }) };
}

/** Removes what a run leaves: runc's record and cgroup, the mounted root, the network, last the bundle. May be repeated. */
export async function clear(runtime: Runtime, instance: Instance): Promise<void> {
  await Promise.all([runtime.runc.delete(instance.id, instance.cgroupPath), release(runtime, instance)]);
  // The bundle goes last: where there is one, a restarted engine clears again.
  rmSync(instance.folder.bundle, { recursive: true, force: true });
}

/** True if a run was left without being cleared. */
export async function wasCutOff({ folder }: Instance): Promise<boolean> {
  return (await readOptional(join(folder.bundle, 'config.json'))) !== undefined;
}

/** The part of `clear` that holds the container's own files and address. */
export async function release(runtime: Runtime, instance: Instance): Promise<void> {
  releaseSharedMemory(instance);
  if (mappingOf(instance.record.create)) clearMapped(instance.folder.mapped);
  await Promise.all([
    runtime.images.snapshots.unmount(instance.folder.merged),
    releaseNetwork(runtime, instance.record),
    ...volumesOf(instance).map((name) => runtime.volumes.close(name, instance.id)),
  ]);
}

function volumesOf({ record }: Instance): readonly string[] {
  return record.mounts.flatMap((mount) => (mount.kind === 'volume' ? [mount.name] : []));
}

/** How a run ended. */
export interface RunEnd {
  readonly exitCode: number;
  readonly isOutOfMemory: boolean;
  readonly finishedAt: number;
}

/** What conmon left of a run whose monitor is gone, be it long ago; undefined if it left nothing. */
export async function readExit(runtime: Runtime, instance: Instance): Promise<RunEnd | undefined> {
  const exitFile = join(instance.folder.bundle, 'exit');
  const [exit, oom] = await Promise.all([readOptional(exitFile), readOptional(join(instance.folder.bundle, 'oom'))]);
  if (exit === undefined) return undefined;
  const { mtimeMs } = await stat(exitFile);
  const isOutOfMemory = oom !== undefined || runtime.cgroups.outOfMemoryKills(instance.cgroupPath) > 0;
  // File times come from a coarser clock than ours and may lie a tick behind it.
  const finishedAt = Math.max(Math.floor(mtimeMs), instance.state.startedAt ?? 0);
  return { exitCode: Number(exit), isOutOfMemory, finishedAt };
}

async function mountRoot({ images }: Runtime, { record, folder }: Instance): Promise<void> {
  const writable = { upper: folder.upper, work: folder.work };
  await images.snapshots.mount({ chainId: record.chainId, target: folder.merged, writable, hasMountPoints: true });
}

/** What a container with mapped ids needs once it is made: its streams are its user's, and its mounts no longer the machine's. */
function settleIn(
  { folder, record }: Instance,
  pid: number,
  owner: { readonly uid: number; readonly gid: number },
): void {
  ownStandardStreams(pid, owner);
  const { domainname, namespaces } = record.create;
  if (domainname !== undefined && namespaces?.uts !== 'host') setDomainName(pid, domainname);
  unmountMapped(folder.mapped);
}

/** Returns who the container's first process is on the machine, where its ids are mapped. */
async function writeBundle(
  runtime: Runtime,
  instance: Instance,
  {
    network,
    namespaces,
    userNamespace,
    mounts,
    environment,
    views,
  }: {
    readonly network: PreparedNetwork;
    readonly namespaces: JoinedNamespaces;
    readonly userNamespace: StartUserNamespace | undefined;
    readonly mounts: readonly PlacedMount[];
    /** What its own environment comes before. */
    readonly environment: readonly string[];
    /** What stays mounted until the container has it. */
    readonly views: AsyncDisposableStack;
  },
): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  const { record, folder } = instance;
  const user = resolveUser(record.process.user, readAccounts(folder.merged), record.create.supplementaryGroups);
  const owner = userNamespace && ownerOnMachine(userNamespace.ids, user);
  const placed = [...(await placeMounts(runtime, record.mounts, { root: folder.merged, views })), ...mounts];
  const rootPath = userNamespace ? await mountMappedRoot(runtime, instance, userNamespace) : folder.merged;
  const spec = buildSpec({
    create: record.create,
    process: {
      ...record.process,
      args: underInit(record),
      environment: joinEnvironment(environment, record.process.environment),
      isTty: record.create.isTty ?? false,
    },
    user,
    hostname: record.hostname,
    rootPath,
    mounts: userNamespace ? await mapMounts(runtime, instance, userNamespace, placed) : placed,
    files: network.files,
    cgroupPath: instance.cgroupPath,
    networkNamespace: network.namespace,
    namespaces,
    userNamespace: userNamespace && { path: userNamespace.user.path, ids: userNamespace.ids },
    isCgroup2: runtime.cgroups.isVersion2,
    architecture: process.arch,
    limits: runtime.limits,
  });
  writeFileSync(join(folder.bundle, 'config.json'), writeSpec(spec), { mode: 0o600 });
  return owner;
}

function monitorRequest({ id, record, folder }: Instance) {
  const { isTty = false, isStdinOpen = false, isStdinOnce = false } = record.create;
  return {
    containerId: id,
    name: record.name,
    bundle: folder.bundle,
    monitorPidFile: monitorPidFile(folder),
    log: record.create.log?.isOff ? undefined : folder.log,
    isTty,
    isStdinOpen,
    isStdinKept: isStdinOpen && !isStdinOnce,
  };
}

function monitorPidFile(folder: ContainerFolder): string {
  return join(folder.bundle, 'conmon.pid');
}

function identify(pid: number, role: string): ProcessIdentity {
  const identity = identifyProcess(pid);
  if (!identity) throw new DabbaError('Unavailable', `the ${role} (process ${pid}) ended at once`);
  return identity;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
