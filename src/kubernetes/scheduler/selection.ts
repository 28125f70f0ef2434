/** Selecting nodes and pods as pod specs do. Behaviour: kubernetes `component-helpers/scheduling/corev1`. */
import { labelSelectorOf, type LabelSelector, matches, type Requirement } from '../selector.ts';
import type { Node, Pod, PodSpec } from '../types.ts';

type Labels = Readonly<Record<string, string>>;
type Affinity = NonNullable<PodSpec['affinity']>;
type NodeSelectorTerm = NonNullable<
  NonNullable<Affinity['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>['nodeSelectorTerms'][number];
type PodTerm = NonNullable<
  NonNullable<Affinity['podAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>[number];
export type Toleration = NonNullable<PodSpec['tolerations']>[number];
export type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number];

export type NodePredicate = (node: Node) => boolean;

/** The nodes that one term of a node selector takes in; a term that says nothing takes in none. */
export function nodeTermPredicate(term: NodeSelectorTerm): NodePredicate {
  const labels = (term.matchExpressions ?? []).map(({ key, operator, values }) => requirement(key, operator, values));
  const fields = (term.matchFields ?? []).map(({ key, operator, values }) => requirement(key, operator, values));
  if (!labels.length && !fields.length) return () => false;
  const selector: LabelSelector = { requirements: labels };
  const byField: LabelSelector = { requirements: fields };
  return ({ metadata }) =>
    matches(selector, metadata?.labels) &&
    (!fields.length || matches(byField, { 'metadata.name': metadata?.name ?? '' }));
}

function requirement(key: string, operator: string, values: readonly string[] = []): Requirement {
  const operators = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'absent', Gt: 'gt', Lt: 'lt' } as const;
  return { key, operator: operators[operator as keyof typeof operators] ?? 'in', values };
}

/** The nodes that a pod may run on by its selector and required affinity; undefined if it does not care. */
export function requiredNodes({ nodeSelector, affinity }: PodSpec): NodePredicate | undefined {
  const labels = Object.entries(nodeSelector ?? {});
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!labels.length && !terms) return undefined;
  const predicates = terms?.map(nodeTermPredicate);
  return (node) =>
    labels.every(([name, value]) => node.metadata?.labels?.[name] === value) &&
    (!predicates || predicates.some((predicate) => predicate(node)));
}

/** Nodes that a pod likes, with how much. */
export function preferredNodes({
  affinity,
}: PodSpec): readonly { readonly weight: number; readonly isIn: NodePredicate }[] {
  const terms = affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return terms.map(({ weight, preference }) => ({
    weight,
    isIn: Object.keys(preference).length ? nodeTermPredicate(preference) : () => true,
  }));
}

/** One term of pod (anti-)affinity. */
export interface PodSelection {
  readonly topologyKey: string;
  readonly weight: number;
  /** Whether a pod with these labels in this namespace is meant. */
  readonly takes: (namespace: string, labels: Labels | undefined) => boolean;
}

/** Labels of namespaces, for terms that select by them. */
export type NamespaceLabels = (namespace: string) => Labels | undefined;

export function podSelection(pod: Pod, term: PodTerm, weight: number, labelsOf: NamespaceLabels): PodSelection {
  const selector = withLabelKeys(pod, labelSelectorOf(term.labelSelector), term);
  const named = new Set(term.namespaces ?? []);
  const byLabel = term.namespaceSelector ? labelSelectorOf(term.namespaceSelector) : undefined;
  if (!named.size && !byLabel) named.add(pod.metadata?.namespace ?? '');
  const isMeant = (namespace: string) =>
    named.has(namespace) || (byLabel !== undefined && matches(byLabel, labelsOf(namespace) ?? {}));
  return {
    topologyKey: term.topologyKey,
    weight,
    takes: (namespace, labels) => matches(selector, labels) && isMeant(namespace),
  };
}

/** `matchLabelKeys` ask for the values that the pod itself has. */
export function withLabelKeys(
  { metadata }: Pod,
  selector: LabelSelector,
  keys: { readonly matchLabelKeys?: readonly string[]; readonly mismatchLabelKeys?: readonly string[] },
): LabelSelector {
  const labels = metadata?.labels ?? {};
  const requirements = (names: readonly string[] | undefined, operator: 'in' | 'notin') =>
    (names ?? []).filter((key) => key in labels).map((key): Requirement => ({ key, operator, values: [labels[key]!] }));
  const more = [...requirements(keys.matchLabelKeys, 'in'), ...requirements(keys.mismatchLabelKeys, 'notin')];
  return more.length ? { ...selector, requirements: [...selector.requirements, ...more] } : selector;
}

export function tolerates({ key, operator = 'Equal', value = '', effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return Boolean(key) && value === (taint.value ?? '');
}

export function isTolerated(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;
}
