import type { ClusterState } from '../cluster-state.ts';
import type { NodeInfo } from '../node-info.ts';
import { type Filter, MAX_SCORE, type Plugin, type Refusal } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import type { PodSelection } from '../selection.ts';

const affinityRefusal: Refusal = { reasons: ["node(s) didn't match pod affinity rules"], isFinal: true };
const antiRefusal: Refusal = { reasons: ["node(s) didn't match pod anti-affinity rules"], isFinal: false };
const existingRefusal: Refusal = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  isFinal: false,
};

/** How many pods there are in each place of one topology: a zone, a host. */
class Places {
  readonly key: string;
  readonly #counts = new Map<string, number>();
  total = 0;

  constructor(key: string) {
    this.key = key;
  }

  add(node: NodeInfo, by: number): void {
    const place = node.labels[this.key];
    if (place === undefined) return;
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + by);
    this.total += by;
  }

  at(node: NodeInfo): number {
    return this.#counts.get(node.labels[this.key] ?? '') ?? 0;
  }
}

/** Counts the pods that each selection takes, by groups of equal labels. */
function countPods(selections: readonly PodSelection[], state: ClusterState, takesAll = false): readonly Places[] {
  const places = selections.map(({ topologyKey }) => new Places(topologyKey));
  if (!selections.length) return places;
  for (const { namespace, labels, nodes } of state.groups) {
    const taken = selections.map(({ takes }) => takes(namespace, labels));
    if (takesAll && !taken.every(Boolean)) continue;
    for (const [index, place] of places.entries())
      if (taken[index]) for (const [node, count] of nodes) place.add(node, count);
  }
  return places;
}

export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  weight: 2,
  wokenBy: ['node-added', 'node-labels', 'pod-added', 'pod-labels', 'pod-removed', 'namespaces'],
  filter(info, state) {
    const existing = existingAntiAffinity(info, state);
    if (!info.affinity && !existing.size) return undefined;
    return new AffinityFilter(info, state, existing);
  },
  score: (info, state) => scorerOf(info, state),
};

/** Places that running pods keep others like this one away from. */
function existingAntiAffinity({ namespace, pod }: PodInfo, state: ClusterState): Map<string, Places> {
  const places = new Map<string, Places>();
  for (const { affinity, nodes } of state.affinityGroups.values())
    for (const { topologyKey, takes } of affinity.requiredAnti)
      if (takes(namespace, pod.metadata?.labels))
        for (const [node, count] of nodes) placesOf(places, topologyKey).add(node, count);
  return places;
}

function placesOf(all: Map<string, Places>, key: string): Places {
  let places = all.get(key);
  if (!places) all.set(key, (places = new Places(key)));
  return places;
}

class AffinityFilter implements Filter {
  readonly #info: PodInfo;
  readonly #existing: Map<string, Places>;
  readonly #required: readonly PodSelection[];
  readonly #affine: readonly Places[];
  readonly #anti: readonly PodSelection[];
  readonly #antiPlaces: readonly Places[];

  constructor(info: PodInfo, state: ClusterState, existing: Map<string, Places>) {
    this.#info = info;
    this.#existing = existing;
    this.#required = info.affinity?.required ?? [];
    this.#anti = info.affinity?.requiredAnti ?? [];
    // A pod counts for affinity only if every term takes it.
    this.#affine = countPods(this.#required, state, true);
    this.#antiPlaces = countPods(this.#anti, state);
  }

  check(node: NodeInfo): Refusal | undefined {
    if (!this.#isAffine(node)) return affinityRefusal;
    if (this.#antiPlaces.some((places) => places.at(node) > 0)) return antiRefusal;
    for (const places of this.#existing.values()) if (places.at(node) > 0) return existingRefusal;
    return undefined;
  }

  move({ namespace, pod, affinity }: PodInfo, node: NodeInfo, by: 1 | -1): void {
    const labels = pod.metadata?.labels;
    if (this.#required.length && this.#required.every(({ takes }) => takes(namespace, labels)))
      for (const places of this.#affine) places.add(node, by);
    for (const [index, { takes }] of this.#anti.entries())
      if (takes(namespace, labels)) this.#antiPlaces[index]!.add(node, by);
    for (const { topologyKey, takes } of affinity?.requiredAnti ?? [])
      if (takes(this.#info.namespace, this.#info.pod.metadata?.labels))
        placesOf(this.#existing, topologyKey).add(node, by);
  }

  #isAffine(node: NodeInfo): boolean {
    if (!this.#required.length) return true;
    if (this.#required.some(({ topologyKey }) => node.labels[topologyKey] === undefined)) return false;
    if (this.#affine.every((places) => places.at(node) > 0)) return true;
    // The first of a group that wants to be together has nobody to join but itself.
    const { namespace, pod } = this.#info;
    return (
      this.#affine.every(({ total }) => total === 0) &&
      this.#required.every(({ takes }) => takes(namespace, pod.metadata?.labels))
    );
  }
}

/** Weight of other pods' required affinity when this pod looks for a place: upstream's `hardPodAffinityWeight`. */
const HARD_WEIGHT = 1;

function scorerOf(
  { affinity, namespace, pod }: PodInfo,
  state: ClusterState,
): ReturnType<NonNullable<Plugin['score']>> {
  const preferred = affinity?.preferred ?? [];
  const avoided = affinity?.preferredAnti ?? [];
  if (!preferred.length && !avoided.length && !state.affinityGroups.size) return undefined;
  const terms: { places: Places; weight: number }[] = [
    ...countPods(preferred, state).map((places, index) => ({ places, weight: preferred[index]!.weight })),
    ...countPods(avoided, state).map((places, index) => ({ places, weight: -avoided[index]!.weight })),
  ];
  const theirs = new Map<string, Places>();
  for (const { affinity: other, nodes } of state.affinityGroups.values()) {
    const count = (selections: readonly PodSelection[], weightOf: (selection: PodSelection) => number) => {
      for (const selection of selections)
        if (selection.takes(namespace, pod.metadata?.labels))
          for (const [node, pods] of nodes)
            placesOf(theirs, selection.topologyKey).add(node, pods * weightOf(selection));
    };
    count(other.required, () => HARD_WEIGHT);
    count(other.preferred, ({ weight }) => weight);
    count(other.preferredAnti, ({ weight }) => -weight);
  }
  for (const places of theirs.values()) terms.push({ places, weight: 1 });
  if (!terms.length) return undefined;
  return {
    score: (node) => terms.reduce((sum, { places, weight }) => sum + weight * places.at(node), 0),
    normalize(scores) {
      const [lowest, highest] = [Math.min(...scores), Math.max(...scores)];
      for (const [index, score] of scores.entries())
        scores[index] = highest > lowest ? Math.floor((MAX_SCORE * (score - lowest)) / (highest - lowest)) : 0;
    },
  };
}
