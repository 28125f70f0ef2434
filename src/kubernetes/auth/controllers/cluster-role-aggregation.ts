/** A cluster role with an aggregation rule has the rules of all roles it selects. Upstream: `pkg/controller/clusterroleaggregation`. */
import { type Controller, type ControllerParts, wakes } from '../../controllers/controller.ts';
import { clusterRoles } from '../../resources.ts';
import { labelSelectorOf, matches } from '../../selector.ts';
import type { ClusterRole } from '../../types.ts';
import type { PolicyRule } from '../rbac/rules.ts';

export function clusterRoleAggregationController({ informers }: Pick<ControllerParts, 'informers'>): Controller {
  const roles = informers.of(clusterRoles);
  const isGathering = ({ aggregationRule }: ClusterRole) => aggregationRule !== undefined;
  return {
    name: 'clusterrole-aggregation-controller',
    wokenBy: [
      wakes(roles, ({ now, before }) =>
        roles
          .list()
          .filter((role) => isGathering(role) && (role === now || selects(role, now) || selects(role, before)))
          .map(({ metadata }) => metadata!.name!),
      ),
    ],
    reads: [[clusterRoles, roles]],
    async reconcile(name, { api, signal }) {
      const role = roles.get(name);
      if (!role || !isGathering(role)) return;
      const rules = gather(role, roles.list());
      if (JSON.stringify(rules) === JSON.stringify(role.rules ?? [])) return;
      await api.update(clusterRoles, { ...role, rules }, { signal });
    },
  };
}

function selects(role: ClusterRole, other: ClusterRole | undefined): boolean {
  if (!other || other.metadata?.name === role.metadata?.name) return false;
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  return selectors.some((selector) => matches(labelSelectorOf(selector), other.metadata?.labels));
}

/** Selector by selector, roles by name, each rule once. */
function gather(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] {
  const sorted = all.toSorted((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1));
  const found = new Map<string, PolicyRule>();
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? [])
    for (const other of sorted)
      if (other.metadata?.name !== role.metadata?.name && matches(labelSelectorOf(selector), other.metadata?.labels))
        for (const rule of other.rules ?? []) found.set(JSON.stringify(rule), rule);
  return [...found.values()];
}
