import type { ClusterState } from './cluster-state.ts';
import type { NodeInfo } from './node-info.ts';
import type { Nominations } from './nominations.ts';
import type { Filter, Plugin, Refusal } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';

/** What one pass over the nodes found for a pod. */
export type Outcome =
  | { readonly kind: 'fits'; readonly node: NodeInfo }
  | {
      readonly kind: 'refused';
      /** Why no node needed to be looked at. */
      readonly everywhere?: string;
      readonly refusals: ReadonlyMap<NodeInfo, Refusal>;
      /** Names of the plugins that refused. */
      readonly refusedBy: ReadonlySet<string>;
      readonly filters: readonly NamedFilter[];
      readonly nodeCount: number;
    };

export interface NamedFilter {
  readonly plugin: string;
  readonly filter: Filter;
}

export interface PassOptions {
  readonly state: ClusterState;
  readonly plugins: readonly Plugin[];
  readonly nominations: Nominations;
  /** A float in [0, 1), to choose among the best. */
  readonly fraction: () => number;
}

/** With fewer nodes than this all are looked at. */
const FEWEST_NODES = 100;

/**
 * Finds nodes for pods, one pass at a time, all of it synchronous over the state as it is. In a large cluster a pass ends when enough nodes fit, and the next one begins where it ended.
 * Behaviour: kubernetes `pkg/scheduler/schedule_one.go`.
 */
export class Passes {
  readonly #options: PassOptions;
  #start = 0;

  constructor(options: PassOptions) {
    this.#options = options;
  }

  find(pod: PodInfo): Outcome {
    const { state, plugins } = this.#options;
    const { nodes } = state;
    const filters: NamedFilter[] = [];
    for (const plugin of plugins) {
      const filter = plugin.filter?.(pod, state);
      if (typeof filter === 'string')
        return refused({ everywhere: filter, refusedBy: new Set([plugin.name]), filters, nodeCount: nodes.length });
      if (filter) filters.push({ plugin: plugin.name, filter });
    }
    const refusals = new Map<NodeInfo, Refusal>();
    const refusedBy = new Set<string>();
    const enough = enoughOf(nodes.length);
    const fitting: NodeInfo[] = [];
    let looked = 0;
    for (; looked < nodes.length && fitting.length < enough; looked++) {
      const node = nodes[(this.#start + looked) % nodes.length]!;
      const failed = this.#check(pod, node, filters);
      if (!failed) fitting.push(node);
      else {
        refusals.set(node, failed.refusal);
        refusedBy.add(failed.plugin);
      }
    }
    if (nodes.length) this.#start = (this.#start + looked) % nodes.length;
    if (!fitting.length) return refused({ refusals, refusedBy, filters, nodeCount: nodes.length });
    return { kind: 'fits', node: this.#best(pod, fitting) };
  }

  /** The first refusal, with the pods that are promised a place on the node counted and, since affinity may lean on them, not counted. */
  #check(pod: PodInfo, node: NodeInfo, filters: readonly NamedFilter[]) {
    const promised = this.#options.nominations.before(pod, node.name);
    if (promised.length) {
      move(promised, { node, filters, by: 1 });
      const failed = firstRefusal(node, filters);
      move(promised, { node, filters, by: -1 });
      if (failed) return failed;
    }
    return firstRefusal(node, filters);
  }

  #best(pod: PodInfo, nodes: readonly NodeInfo[]): NodeInfo {
    if (nodes.length === 1) return nodes[0]!;
    const { plugins, state, fraction } = this.#options;
    const totals = new Float64Array(nodes.length);
    for (const plugin of plugins) {
      const scorer = plugin.score?.(pod, state, nodes);
      if (!scorer) continue;
      const scores = nodes.map((node) => scorer.score(node));
      scorer.normalize?.(scores, nodes);
      const { weight = 1 } = plugin;
      for (let index = 0; index < scores.length; index++) totals[index]! += weight * scores[index]!;
    }
    let highest = Number.NEGATIVE_INFINITY;
    for (const total of totals) if (total > highest) highest = total;
    const best = nodes.filter((_, index) => totals[index] === highest);
    // Of equally good ones each is as likely.
    return best[Math.floor(fraction() * best.length)]!;
  }
}

function refused(fields: Partial<Extract<Outcome, { kind: 'refused' }>> & { readonly nodeCount: number }): Outcome {
  return { kind: 'refused', refusals: new Map(), refusedBy: new Set(), filters: [], ...fields };
}

export function firstRefusal(
  node: NodeInfo,
  filters: readonly NamedFilter[],
): { readonly plugin: string; readonly refusal: Refusal } | undefined {
  for (const { plugin, filter } of filters) {
    const refusal = filter.check(node);
    if (refusal) return { plugin, refusal };
  }
  return undefined;
}

/** Lets filters see pods come or go, for a question of what would be. */
export function move(
  pods: readonly PodInfo[],
  { node, filters, by }: { readonly node: NodeInfo; readonly filters: readonly NamedFilter[]; readonly by: 1 | -1 },
): void {
  for (const pod of pods) {
    if (by === 1) node.add(pod);
    else node.remove(pod);
    for (const { filter } of filters) filter.move?.(pod, node, by);
  }
}

/** How many fitting nodes are enough to choose from: half of them in clusters of a hundred, ever fewer in larger ones. */
export function enoughOf(nodeCount: number): number {
  if (nodeCount < FEWEST_NODES) return nodeCount;
  const percentage = Math.max(5, 50 - Math.floor(nodeCount / 125));
  return Math.max(FEWEST_NODES, Math.floor((nodeCount * percentage) / 100));
}
