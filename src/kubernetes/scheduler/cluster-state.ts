import type { Node, Pod } from '../types.ts';
import { NodeInfo } from './node-info.ts';
import { type PodAffinity, podInfoOf, type PodInfo } from './pod-info.ts';
import type { NamespaceLabels } from './selection.ts';

/** Pods that look the same to every selector, and how many of them each node has. */
export interface PodGroup {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly isTerminating: boolean;
  readonly nodes: Map<NodeInfo, number>;
}

/** Pods with the same labels and the same affinity, and how many of them each node has. */
export interface AffinityGroup {
  readonly affinity: PodAffinity;
  readonly nodes: Map<NodeInfo, number>;
}

/**
 * All that scheduling looks at, kept up to date as things change: nodes with what is on them, pods counted by their labels, and pods that have been given a node which the server
 * has not confirmed yet (*assumed*). Changes are a few additions each; a pass over it allocates nothing for what is not asked.
 */
export class ClusterState {
  /** Nodes that exist, in order of their names by zone, so that a pass takes zones in turn. */
  #ordered: readonly NodeInfo[] | undefined;
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #pods = new Map<string, { readonly info: PodInfo; readonly node: NodeInfo }>();
  readonly #assumed = new Set<string>();
  readonly #groups = new Map<string, PodGroup>();
  readonly #affinityGroups = new Map<string, AffinityGroup>();
  /** How many nodes have each image. */
  readonly imageNodes = new Map<string, number>();
  readonly #labelsOf: NamespaceLabels;

  constructor(labelsOf: NamespaceLabels) {
    this.#labelsOf = labelsOf;
  }

  get nodes(): readonly NodeInfo[] {
    return (this.#ordered ??= inTurns([...this.#nodes.values()].filter(({ node }) => node)));
  }

  get groups(): Iterable<PodGroup> {
    return this.#groups.values();
  }

  /** Pods whose own affinity terms others must heed. */
  get affinityGroups(): ReadonlyMap<string, AffinityGroup> {
    return this.#affinityGroups;
  }

  get podCount(): number {
    return this.#pods.size;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  infoOf(pod: Pod): PodInfo {
    return podInfoOf(pod, this.#labelsOf);
  }

  setNode(node: Node): void {
    const info = this.#node(node.metadata!.name!);
    const isMoved = !info.node || zoneOf(info.node) !== zoneOf(node);
    for (const image of info.images.keys()) count(this.imageNodes, image, -1);
    info.set(node);
    for (const image of info.images.keys()) count(this.imageNodes, image, 1);
    if (isMoved) this.#ordered = undefined;
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    for (const image of info.images.keys()) count(this.imageNodes, image, -1);
    info.set(undefined);
    if (info.pods.size === 0) this.#nodes.delete(name);
    this.#ordered = undefined;
  }

  /** Takes in what the server says of a pod that has a node and has not ended; an assumption about it is over. */
  setPod(pod: Pod): void {
    const { uid } = pod.metadata!;
    const known = this.#pods.get(uid!);
    this.#assumed.delete(uid!);
    if (known && known.info.pod === pod) return;
    if (known) this.#take(known.info, known.node);
    this.#put(this.infoOf(pod), this.#node(pod.spec!.nodeName!));
  }

  removePod(uid: string): void {
    const known = this.#pods.get(uid);
    this.#assumed.delete(uid);
    if (known) this.#take(known.info, known.node);
  }

  /** Counts a pod on the node that was chosen for it, before the server knows. */
  assume(info: PodInfo, node: NodeInfo): void {
    this.#assumed.add(info.uid);
    this.#put(info, node);
  }

  /** Takes an assumption back, unless the server has confirmed it. */
  forget(uid: string): void {
    if (this.#assumed.has(uid)) this.removePod(uid);
  }

  isKnown(uid: string): boolean {
    return this.#pods.has(uid);
  }

  #node(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (!info) this.#nodes.set(name, (info = new NodeInfo(name)));
    return info;
  }

  #put(info: PodInfo, node: NodeInfo): void {
    node.add(info);
    this.#pods.set(info.uid, { info, node });
    this.#countAffinity(info, node, 1);
    let group = this.#groups.get(info.group);
    if (!group) {
      const { namespace, isTerminating, pod } = info;
      group = { namespace, isTerminating, labels: pod.metadata?.labels, nodes: new Map() };
      this.#groups.set(info.group, group);
    }
    count(group.nodes, node, 1);
  }

  #take(info: PodInfo, node: NodeInfo): void {
    node.remove(info);
    this.#pods.delete(info.uid);
    this.#countAffinity(info, node, -1);
    const group = this.#groups.get(info.group)!;
    count(group.nodes, node, -1);
    if (group.nodes.size === 0) this.#groups.delete(info.group);
    if (!node.node && node.pods.size === 0) this.#nodes.delete(node.name);
  }

  #countAffinity({ affinity, affinityGroup }: PodInfo, node: NodeInfo, by: 1 | -1): void {
    if (!affinity || affinityGroup === undefined) return;
    let group = this.#affinityGroups.get(affinityGroup);
    if (!group) this.#affinityGroups.set(affinityGroup, (group = { affinity, nodes: new Map() }));
    count(group.nodes, node, by);
    if (group.nodes.size === 0) this.#affinityGroups.delete(affinityGroup);
  }
}

function count<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum) counts.set(key, sum);
  else counts.delete(key);
}

export function zoneOf({ metadata }: Node): string {
  const labels = metadata?.labels ?? {};
  return `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`;
}

/** One node of each zone, then the next of each, as upstream's node tree does. */
function inTurns(nodes: readonly NodeInfo[]): readonly NodeInfo[] {
  const zones = [...Map.groupBy(nodes, ({ node }) => zoneOf(node!)).values()];
  const longest = Math.max(0, ...zones.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => zones.flatMap((zone) => zone[index] ?? [])).flat();
}
