import { statSync } from 'node:fs';
import { DabbaError } from '#base';
import {
  createNetworkNamespaceIn,
  createSandboxNamespaces,
  givePipe,
  openOwnerOf,
  openUserNamespaceOf,
  type IdMapping,
  type NetworkNamespace,
  type SandboxNamespaces,
  type UserNamespace,
} from '#kernel';
import type { ContainerCreate } from '../engine.ts';
import { rootOf } from '../mapped-owner.ts';
import type { Instance } from './instance.ts';
import type { Neighbours } from './lifecycle.ts';
import { networkDonor } from './links.ts';
import { runningDonor } from './namespaces.ts';

/** The user namespace of a container that is being started. The container keeps it alive from then on, so this is held until then. */
export interface StartUserNamespace extends Disposable {
  readonly ids: IdMapping;
  readonly user: UserNamespace;
  /** Owned by it, and unused so far; absent when the container has another's. */
  readonly network?: NetworkNamespace;
  /** What its root is on the machine. */
  readonly root: { readonly uid: number; readonly gid: number };
}

type Finding = Pick<Neighbours, 'find'>;

/** How a container maps ids; undefined when it has the machine's. */
export function mappingOf({ namespaces }: Pick<ContainerCreate, 'namespaces'>): IdMapping | undefined {
  return typeof namespaces?.user === 'object' ? namespaces.user : undefined;
}

/**
 * Opens the user namespace a container starts in, or makes it; undefined where none is asked for. Whoever shares a namespace with others has to share
 * the user namespace that owns it (user_namespaces(7)): the prepared network's, or that of the containers it joins. Throws `Conflict` when those map
 * other ids, or when they are of different ones.
 */
export async function openUserNamespace(
  instance: Instance,
  neighbours: Finding,
): Promise<StartUserNamespace | undefined> {
  const ids = mappingOf(instance.record.create);
  if (!ids) return undefined;
  const { network } = instance.record.create;
  const root = rootOf(ids);
  if (network.mode === 'namespace') return startIn({ ids, root, user: openOwnerOf(network.path) });
  const donor = donorOf(instance, neighbours, ids);
  if (!donor) return startIn({ ids, root, ...(await createSandboxNamespaces(ids)) });
  const user = openUserNamespaceOf(donor.state.process!.pid); // it runs, as `donorOf` saw
  if (network.mode !== 'bridge') return startIn({ ids, root, user });
  using opened = new DisposableStack();
  opened.use(user);
  const made = await createNetworkNamespaceIn(user);
  opened.move();
  return startIn({ ids, root, user, network: made.network }, made.user);
}

function startIn(
  parts: Pick<StartUserNamespace, 'ids' | 'root'> & Partial<SandboxNamespaces> & { readonly user: UserNamespace },
  ...others: readonly Disposable[]
): StartUserNamespace {
  const held = new DisposableStack();
  for (const each of [parts.user, parts.network, ...others]) held.use(each);
  const { ids, root, user, network } = parts;
  return { ids, root, user, ...(network && { network }), [Symbol.dispose]: () => held.dispose() };
}

/** The container whose user namespace is joined because others of its namespaces are. */
function donorOf(instance: Instance, neighbours: Finding, ids: IdMapping): Instance | undefined {
  const { namespaces = {} } = instance.record.create;
  const donors = [
    networkDonor(instance, neighbours),
    runningDonor('ipc', namespaces.ipc, neighbours),
    runningDonor('pid', namespaces.pid, neighbours),
  ].filter((donor) => donor !== undefined);
  const [first] = donors;
  for (const donor of donors) {
    if (JSON.stringify(mappingOf(donor.record.create)) !== JSON.stringify(ids))
      throw new DabbaError(
        'Conflict',
        `cannot join a namespace of container ${donor.id}: it has another user namespace`,
      );
    if (namespaceNumber(donor) !== namespaceNumber(first!))
      throw new DabbaError(
        'Conflict',
        `cannot join namespaces of containers ${first!.id} and ${donor.id}: they have different user namespaces`,
      );
  }
  return first;
}

const namespaceNumber = ({ state }: Instance) => statSync(`/proc/${state.process!.pid}/ns/user`).ino;

/**
 * Lets a process, which may run already, open its own pipes again (`/dev/stdout`): ours belong to root of the machine, and within its user namespace
 * runc may not give them away.
 */
export function ownStandardStreams(pid: number, owner: { readonly uid: number; readonly gid: number }): void {
  for (const descriptor of [0, 1, 2]) givePipe({ pid, descriptor }, owner);
}
