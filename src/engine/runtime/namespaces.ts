import { DabbaError } from '#base';
import type { ContainerCreate, SharedNamespaces } from '../engine.ts';
import type { Instance } from './instance.ts';
import type { Neighbours } from './lifecycle.ts';

/** The process and IPC namespaces of an OCI configuration: a member with a path is joined, one without is new, an absent one the machine's. */
export type JoinedNamespaces = readonly { readonly type: string; readonly path?: string }[];

type Finding = Pick<Neighbours, 'find'>;
type Shared = SharedNamespaces['pid' | 'ipc'];

/** Where a container's processes and IPC live. Throws `Conflict` when it is to share those of a container that does not run. */
export function joinNamespaces({ namespaces = {} }: ContainerCreate, neighbours: Finding): JoinedNamespaces {
  return [...joined('pid', namespaces.pid, neighbours), ...joined('ipc', namespaces.ipc, neighbours)];
}

/** The container whose IPC is shared with this one. Throws `Conflict` unless that one was made to share it. */
export function ipcDonor({ namespaces }: ContainerCreate, neighbours: Finding): Instance | undefined {
  const ipc = namespaces?.ipc;
  if (typeof ipc !== 'object' || 'path' in ipc) return undefined;
  const donor = neighbours.find(ipc.container);
  if (donor.record.create.namespaces?.ipc === 'shareable') return donor;
  throw new DabbaError(
    'Conflict',
    `cannot join IPC of container ${donor.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );
}

function joined(type: 'pid' | 'ipc', of: Shared, neighbours: Finding): JoinedNamespaces {
  if (of === undefined || of === 'shareable') return [{ type }];
  if (typeof of === 'object' && 'path' in of) return [{ type, path: of.path }];
  const donor = runningDonor(type, of, neighbours);
  return donor ? [{ type, path: `/proc/${donor.state.process!.pid}/ns/${type}` }] : []; // it runs
}

/** The container whose processes or IPC are shared, if it is a container's. Throws `Conflict` unless that one runs. */
export function runningDonor(type: 'pid' | 'ipc', of: Shared, neighbours: Finding): Instance | undefined {
  if (typeof of !== 'object' || 'path' in of) return undefined;
  const donor = neighbours.find(of.container);
  if (donor.isRunning && donor.state.process) return donor;
  throw new DabbaError(
    'Conflict',
    `cannot join ${type.toUpperCase()} namespace of container ${donor.id}: it is not running`,
  );
}
