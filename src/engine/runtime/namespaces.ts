import { DabbaError } from '#base';
import type { ContainerCreate, NamespaceOf } from '../engine.ts';
import type { Neighbours } from './lifecycle.ts';

/** The process and IPC namespaces of an OCI configuration: a member with a path is joined, one without is new, an absent one the machine's. */
export type JoinedNamespaces = readonly { readonly type: string; readonly path?: string }[];

/** Where a container's processes and IPC live. Throws `Conflict` when it is to share those of a container that does not run. */
export function joinNamespaces(
  { namespaces = {} }: ContainerCreate,
  neighbours: Pick<Neighbours, 'find'>,
): JoinedNamespaces {
  return [...joined('pid', namespaces.pid, neighbours), ...joined('ipc', namespaces.ipc, neighbours)];
}

function joined(
  type: 'pid' | 'ipc',
  of: NamespaceOf | undefined,
  neighbours: Pick<Neighbours, 'find'>,
): JoinedNamespaces {
  if (of === undefined) return [{ type }];
  if (of === 'host') return [];
  const { id, isRunning, state } = neighbours.find(of.container);
  if (!isRunning || !state.process)
    throw new DabbaError(
      'Conflict',
      `cannot join ${type.toUpperCase()} namespace of container ${id}: it is not running`,
    );
  return [{ type, path: `/proc/${state.process.pid}/ns/${type}` }];
}
