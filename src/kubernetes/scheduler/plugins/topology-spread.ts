import { labelSelectorOf, type LabelSelector, matches } from '../../selector.ts';
import type { Pod, PodSpec } from '../../types.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { NodeInfo } from '../node-info.ts';
import { type Filter, MAX_SCORE, type Plugin, type Refusal, type Scorer } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import { isTolerated, requiredNodes, withLabelKeys } from '../selection.ts';

type Constraint = NonNullable<PodSpec['topologySpreadConstraints']>[number];

const refusal: Refusal = { reasons: ["node(s) didn't match pod topology spread constraints"], isFinal: false };
const unlabelled: Refusal = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  isFinal: true,
};
const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

/** The selector by which pods without constraints of their own are spread; undefined for those that belong to nothing. */
export type SpreadSelector = (pod: Pod) => LabelSelector | undefined;

/** Keeps the numbers of alike pods in the places of a topology close to each other. */
export function podTopologySpread(defaultSelector: SpreadSelector): Plugin {
  return {
    name: 'PodTopologySpread',
    weight: 2,
    wokenBy: ['node-added', 'node-labels', 'pod-added', 'pod-labels', 'pod-removed'],
    filter(info, state) {
      const hard = info.pod.spec?.topologySpreadConstraints?.filter(isHard);
      return hard?.length ? new SpreadFilter(info, hard, state) : undefined;
    },
    score(info, state, nodes) {
      const soft = info.pod.spec?.topologySpreadConstraints?.filter((constraint) => !isHard(constraint));
      if (soft?.length) return scorerOf(info, { soft, state, nodes, isDefault: false });
      if (info.pod.spec?.topologySpreadConstraints?.length) return undefined;
      const selector = defaultSelector(info.pod);
      return selector && scorerOf(info, { soft: systemConstraints, state, nodes, isDefault: true, selector });
    },
  };
}

/** What spreads pods that ask for nothing: kubernetes `podtopologyspread/plugin.go`, "systemDefaultConstraints". */
const systemConstraints: readonly Constraint[] = [
  { topologyKey: HOSTNAME, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: ZONE, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
];

function isHard({ whenUnsatisfiable }: Constraint): boolean {
  return whenUnsatisfiable === 'DoNotSchedule';
}

/** Whether a node takes part in a constraint at all. */
function eligibility({ pod }: PodInfo, { nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' }: Constraint) {
  const isAllowed = nodeAffinityPolicy === 'Honor' ? requiredNodes(pod.spec!) : undefined;
  return ({ node, taints }: NodeInfo): boolean =>
    (!isAllowed || isAllowed(node!)) &&
    (nodeTaintsPolicy === 'Ignore' ||
      taints.every((taint) => taint.effect === 'PreferNoSchedule' || isTolerated(pod.spec?.tolerations, taint)));
}

interface Spread {
  readonly constraint: Constraint;
  readonly selector: LabelSelector;
  readonly isSelfIn: boolean;
  readonly isEligible: (node: NodeInfo) => boolean;
  /** Pods in each place that takes part. */
  readonly counts: Map<string, number>;
}

interface CountRequest {
  readonly constraints: readonly Constraint[];
  readonly state: ClusterState;
  /** Those whose places count. */
  readonly nodes: readonly NodeInfo[];
  /** In the place of the constraints' own; then nodes need not have every key. */
  readonly given?: LabelSelector | undefined;
}

/** Counts alike pods; only nodes that have every key of the pod's constraints take part. */
function countSpread(info: PodInfo, { constraints, state, nodes, given }: CountRequest): readonly Spread[] {
  const labels = info.pod.metadata?.labels;
  const spreads = constraints.map((constraint): Spread => {
    const selector = given ?? withLabelKeys(info.pod, labelSelectorOf(constraint.labelSelector), constraint);
    const isEligible = eligibility(info, constraint);
    return { constraint, selector, isEligible, isSelfIn: matches(selector, labels), counts: new Map() };
  });
  const hasKeys = (node: NodeInfo) => constraints.every(({ topologyKey }) => node.labels[topologyKey] !== undefined);
  const takesPart = (spread: Spread, node: NodeInfo) =>
    node.node !== undefined &&
    (given ? node.labels[spread.constraint.topologyKey] !== undefined : hasKeys(node)) &&
    spread.isEligible(node);
  for (const spread of spreads) {
    const { counts, selector, constraint } = spread;
    for (const node of nodes) if (takesPart(spread, node)) counts.set(node.labels[constraint.topologyKey]!, 0);
    for (const group of state.groups) {
      if (group.isTerminating || group.namespace !== info.namespace || !matches(selector, group.labels)) continue;
      for (const [node, count] of group.nodes) {
        const place = node.labels[constraint.topologyKey];
        if (place !== undefined && counts.has(place) && takesPart(spread, node))
          counts.set(place, counts.get(place)! + count);
      }
    }
  }
  return spreads;
}

class SpreadFilter implements Filter {
  readonly #info: PodInfo;
  readonly #spreads: readonly Spread[];
  /** The lowest count of each constraint, until something moves. */
  readonly #lowestOf = new Map<Constraint, number>();

  constructor(info: PodInfo, constraints: readonly Constraint[], state: ClusterState) {
    this.#info = info;
    this.#spreads = countSpread(info, { constraints, state, nodes: state.nodes });
  }

  check({ labels }: NodeInfo): Refusal | undefined {
    for (const { constraint, counts, isSelfIn } of this.#spreads) {
      const place = labels[constraint.topologyKey];
      if (place === undefined) return unlabelled;
      if ((counts.get(place) ?? 0) + Number(isSelfIn) - this.#lowest(constraint, counts) > constraint.maxSkew)
        return refusal;
    }
    return undefined;
  }

  #lowest(constraint: Constraint, counts: ReadonlyMap<string, number>): number {
    let lowest = this.#lowestOf.get(constraint);
    if (lowest === undefined) {
      lowest = counts.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...counts.values());
      this.#lowestOf.set(constraint, lowest);
    }
    return lowest;
  }

  move({ namespace, pod, isTerminating }: PodInfo, node: NodeInfo, by: 1 | -1): void {
    this.#lowestOf.clear();
    if (namespace !== this.#info.namespace || isTerminating) return;
    for (const { constraint, counts, selector, isEligible } of this.#spreads) {
      const place = node.labels[constraint.topologyKey];
      if (place !== undefined && counts.has(place) && isEligible(node) && matches(selector, pod.metadata?.labels))
        counts.set(place, counts.get(place)! + by);
    }
  }
}

interface ScoreRequest {
  readonly soft: readonly Constraint[];
  readonly state: ClusterState;
  readonly nodes: readonly NodeInfo[];
  /** Constraints of the system's own: nodes without a key are not ignored. */
  readonly isDefault: boolean;
  readonly selector?: LabelSelector;
}

function scorerOf(info: PodInfo, { soft, state, nodes, isDefault, selector }: ScoreRequest): Scorer {
  const spreads = countSpread(info, { constraints: soft, state, nodes, given: selector });
  const weights = spreads.map(({ counts }) => Math.log(counts.size + 2));
  const isIgnored = (node: NodeInfo) =>
    !isDefault && soft.some(({ topologyKey }) => node.labels[topologyKey] === undefined);
  return {
    score(node) {
      if (isIgnored(node)) return 0;
      let sum = 0;
      for (const [index, { constraint, counts }] of spreads.entries()) {
        const place = node.labels[constraint.topologyKey];
        if (place !== undefined) sum += (counts.get(place) ?? 0) * weights[index]! + constraint.maxSkew - 1;
      }
      return Math.round(sum);
    },
    // Fewer is better: the lowest count gets the full score.
    normalize(scores) {
      const counted = scores.filter((_, index) => !isIgnored(nodes[index]!));
      const [lowest, highest] = [Math.min(...counted), Math.max(...counted)];
      for (const [index, score] of scores.entries()) {
        if (isIgnored(nodes[index]!)) scores[index] = 0;
        else if (highest === 0) scores[index] = MAX_SCORE;
        else scores[index] = Math.floor((MAX_SCORE * (highest + lowest - score)) / highest);
      }
    },
  };
}
