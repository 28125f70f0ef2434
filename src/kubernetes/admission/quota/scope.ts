/** Which objects a quota with scopes is about: pods alone, by how long they run, how much they ask for and how important they are. */
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { pods } from '../../resources.ts';
import type { Pod, ResourceQuota } from '../../types.ts';
import { isOf } from '../plugin.ts';
import { requirementsIn } from '../pod-resources.ts';

type Expression = NonNullable<
  NonNullable<NonNullable<ResourceQuota['spec']>['scopeSelector']>['matchExpressions']
>[number];

export function isInScope({ spec }: ResourceQuota, type: ResourceType, object: KubernetesObject): boolean {
  const expressions: readonly Expression[] = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (expressions.length === 0) return true;
  return isOf(type, pods) && expressions.every((expression) => holds(expression, object as Pod));
}

function holds({ scopeName, operator, values = [] }: Expression, pod: Pod): boolean {
  switch (scopeName) {
    case 'Terminating':
      return isTerminating(pod);
    case 'NotTerminating':
      return !isTerminating(pod);
    case 'BestEffort':
      return isBestEffort(pod);
    case 'NotBestEffort':
      return !isBestEffort(pod);
    case 'PriorityClass':
      return isNamed(pod.spec?.priorityClassName, operator, values);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(pod);
    default:
      return false;
  }
}

function isTerminating({ spec }: Pod): boolean {
  return spec?.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds >= 0;
}

function isBestEffort({ spec }: Pod): boolean {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].every((container) => {
    const { requests, limits } = requirementsIn(container);
    return ['cpu', 'memory'].every((name) => isNothing(requests[name]) && isNothing(limits[name]));
  });
}

function isNothing(amount: string | undefined): boolean {
  return amount === undefined || /^0+\D*$/.test(amount);
}

function isNamed(name: string | undefined, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'Exists':
      return !!name;
    case 'DoesNotExist':
      return !name;
    case 'In':
      return !!name && values.includes(name);
    default:
      return !name || !values.includes(name);
  }
}

function crossesNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) => {
    const terms = [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
        ({ podAffinityTerm }) => podAffinityTerm,
      ),
    ];
    return terms.some(({ namespaces, namespaceSelector }) => !!namespaces?.length || namespaceSelector !== undefined);
  });
}
