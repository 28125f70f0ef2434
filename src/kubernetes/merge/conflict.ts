/** The refusal of an apply that would change what others own. Source: apimachinery `util/managedfields/internal/conflict.go`. */
import { StatusError } from '../status.ts';
import { showPath } from './fields-v1.ts';
import type { Manager } from './managed-fields.ts';

export interface Conflict {
  readonly manager: Manager;
  readonly path: readonly string[];
}

/** 409: `Apply failed with 1 conflict: conflict with "a": .data.k`. */
export function applyConflict(conflicts: readonly Conflict[]): StatusError {
  return new StatusError('Conflict', messageOf(conflicts), {
    details: {
      causes: conflicts.map(({ manager, path }) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${showManager(manager)}`,
        field: showPath(path),
      })),
    },
  });
}

function messageOf(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first && conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${showManager(first.manager)}: ${showPath(first.path)}`;
  const groups = [...Map.groupBy(conflicts, ({ manager }) => showManager(manager))].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const lines = groups.flatMap(([manager, members]) => [
    `conflicts with ${manager}:`,
    ...members.map(({ path }) => `- ${showPath(path)}`),
  ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

/** `"kubectl-edit" using apps/v1 at 2024-01-01T00:00:00Z`; of those who apply, the name alone. */
function showManager({ manager, operation, apiVersion, subresource, time }: Manager): string {
  const name = JSON.stringify(manager) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : '');
  if (operation === 'Apply') return name;
  return time ? `${name} using ${apiVersion} at ${time}` : `${name} using ${apiVersion}`;
}
