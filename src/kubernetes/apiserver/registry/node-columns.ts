import type { Node } from '../../types.ts';
import type { Column } from '../resource.ts';
import { age, nameColumn } from './columns.ts';
import { column } from './row.ts';

/** `kubectl get nodes`. Source: `printers.go`, "printNode". */
export const nodeColumns: readonly Column<Node>[] = [
  nameColumn,
  column('Status', statusOf),
  column('Roles', rolesOf),
  age,
  column('Version', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
  column('Internal-IP', (node) => addressOf(node, 'InternalIP'), { priority: 1 }),
  column('External-IP', (node) => addressOf(node, 'ExternalIP'), { priority: 1 }),
  column('OS-Image', ({ status }) => status?.nodeInfo?.osImage || '<unknown>', { priority: 1 }),
  column('Kernel-Version', ({ status }) => status?.nodeInfo?.kernelVersion || '<unknown>', { priority: 1 }),
  column('Container-Runtime', ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>', {
    priority: 1,
  }),
];

function statusOf({ status, spec }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const word = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return spec?.unschedulable ? `${word},SchedulingDisabled` : word;
}

const rolePrefix = 'node-role.kubernetes.io/';

function rolesOf({ metadata }: Node): string {
  const roles = Object.entries(metadata?.labels ?? {}).flatMap(([label, value]) => {
    if (label.startsWith(rolePrefix)) return label.slice(rolePrefix.length) || [];
    return label === 'kubernetes.io/role' && value ? value : [];
  });
  return roles.toSorted().join(',') || '<none>';
}

function addressOf({ status }: Node, type: string): string {
  return status?.addresses?.find((address) => address.type === type)?.address ?? '<none>';
}
