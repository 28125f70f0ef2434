/** The rows of `rbac.authorization.k8s.io`. */
import type * as types from '../../types.ts';
import type { Draft } from '../draft.ts';
import type { Column, Resource } from '../resource.ts';
import { age, nameColumn } from './columns.ts';
import { column, row } from './row.ts';

const group = 'rbac.authorization.k8s.io';
const created: Column<types.Role> = column('Created At', ({ metadata }) => metadata?.creationTimestamp ?? '', {
  type: 'date',
});

type Binding = Pick<types.RoleBinding, 'metadata' | 'roleRef' | 'subjects'>;

const subjectsOf = (
  kind: string,
  { subjects }: Binding,
  write: (subject: { readonly name: string; readonly namespace?: string }) => string,
) =>
  (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(write)
    .join(', ');

const bindingColumns: readonly Column<Binding>[] = [
  nameColumn,
  column('Role', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  age,
  column('Users', (binding) => subjectsOf('User', binding, ({ name }) => name), { priority: 1 }),
  column('Groups', (binding) => subjectsOf('Group', binding, ({ name }) => name), { priority: 1 }),
  column(
    'ServiceAccounts',
    (binding) => subjectsOf('ServiceAccount', binding, ({ namespace, name }) => `${namespace}/${name}`),
    { priority: 1 },
  ),
];

/** The group of references, which manifests leave out. Source: `pkg/apis/rbac/v1/defaults.go`. */
function defaultBinding({ roleRef, subjects }: Pick<Draft<types.RoleBinding>, 'roleRef' | 'subjects'>): void {
  if (roleRef) roleRef.apiGroup ||= group;
  for (const subject of subjects ?? [])
    if (!subject.apiGroup && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = group;
}

const strategy = { isCreatedOnUpdate: true };

export const rbacRows: readonly Resource[] = [
  row<types.Role>(group, 'Role', 'roles', { strategy, columns: [nameColumn, created] }),
  row<types.RoleBinding>(group, 'RoleBinding', 'rolebindings', {
    strategy: { ...strategy, default: defaultBinding },
    columns: bindingColumns,
  }),
  row<types.ClusterRole>(group, 'ClusterRole', 'clusterroles', {
    isClusterWide: true,
    strategy,
    columns: [nameColumn, created],
  }),
  row<types.ClusterRoleBinding>(group, 'ClusterRoleBinding', 'clusterrolebindings', {
    isClusterWide: true,
    strategy: { ...strategy, default: defaultBinding },
    columns: bindingColumns,
  }),
];
