/**
 * One concern of scheduling: which nodes a pod may not go to, and which it had better. A plugin is asked once for each pod, prepares what does not depend on the node, and answers with a
 * function of the node; undefined means that it has nothing to say of this pod.
 *
 * Names, reasons and weights are upstream's: users read them in events. Behaviour: kubernetes `pkg/scheduler/framework/plugins`.
 */
import type { ClusterState } from './cluster-state.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** Why a node will not do. */
export interface Refusal {
  readonly reasons: readonly string[];
  /** True if removing other pods from the node could not help. */
  readonly isFinal: boolean;
}

/** What a filter knows of one pod. */
export interface Filter {
  check(node: NodeInfo): Refusal | undefined;
  /** Counts as if `pod` were not (`-1`) or were again (`1`) on `node`, for filters that look beyond one node. */
  move?(pod: PodInfo, node: NodeInfo, by: 1 | -1): void;
}

export interface Scorer {
  score(node: NodeInfo): number;
  /** Brings the raw scores of the nodes in question to 0…100, in place. Default: they are already. */
  normalize?(scores: number[], nodes: readonly NodeInfo[]): void;
}

/** What happened, for waking pods that a plugin refused. */
export type ClusterEvent =
  | 'node-added'
  | 'node-allocatable'
  | 'node-labels'
  | 'node-taints'
  | 'pod-added'
  | 'pod-labels'
  | 'pod-removed'
  | 'claims'
  | 'namespaces';

export interface Plugin {
  readonly name: string;
  /** Weight of its score. Default 1. */
  readonly weight?: number;
  /** Events after which a pod that it refused may fit. */
  readonly wokenBy: readonly ClusterEvent[];
  /** A text refuses the pod on every node, without looking at them. */
  filter?(pod: PodInfo, state: ClusterState): Filter | string | undefined;
  score?(pod: PodInfo, state: ClusterState, nodes: readonly NodeInfo[]): Scorer | undefined;
}

export const MAX_SCORE = 100;

/** Brings scores to 0…100 by the highest; `reverse`: the highest becomes the lowest. */
export function normalizeByMaximum(scores: number[], reverse = false): void {
  const highest = Math.max(0, ...scores);
  for (const [index, score] of scores.entries()) {
    const scaled = highest === 0 ? 0 : Math.floor((MAX_SCORE * score) / highest);
    scores[index] = reverse ? MAX_SCORE - scaled : scaled;
  }
}
