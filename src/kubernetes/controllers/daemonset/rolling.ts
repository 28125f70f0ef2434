/** Replacing the daemons of an old template, a few at a time. Behaviour: kubernetes `pkg/controller/daemon/update.go`. */
import type { DaemonSet, Pod } from '../../types.ts';
import { scaledAmount } from '../amounts.ts';
import { byAge, isDeleting } from '../meta.ts';
import { isAvailable, isFinished } from '../pods.ts';
import { isUpdated } from './status.ts';

export interface RollingInput {
  readonly set: DaemonSet;
  /** Names of the nodes that should run the daemon. */
  readonly desired: readonly string[];
  readonly podsOn: ReadonlyMap<string, readonly Pod[]>;
  readonly hash: string;
  readonly nowMs: number;
}

export interface RollingMoves {
  readonly toDelete: readonly Pod[];
  /** Nodes on which a new daemon starts beside the old one. */
  readonly toSurge: readonly string[];
}

const nothing: RollingMoves = { toDelete: [], toSurge: [] };

/** What a rolling update may do now without leaving more nodes unserved than allowed. */
export function rollingMoves(input: RollingInput): RollingMoves {
  const { set, desired } = input;
  const { type = 'RollingUpdate', rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return nothing;
  const maxSurge = scaledAmount(rollingUpdate?.maxSurge ?? 0, desired.length, 'up');
  const wanted = scaledAmount(rollingUpdate?.maxUnavailable ?? 1, desired.length, 'up');
  const maxUnavailable = maxSurge === 0 && wanted === 0 ? 1 : wanted;
  const nodes = desired.map((name) => nodeOf(name, input));
  return maxSurge === 0 ? replace(nodes, maxUnavailable) : surge(nodes, { maxSurge, maxUnavailable });
}

interface NodeState {
  readonly name: string;
  readonly old: Pod | undefined;
  readonly fresh: Pod | undefined;
  readonly isOldAvailable: boolean;
  readonly isFreshAvailable: boolean;
}

function nodeOf(name: string, { set, podsOn, hash, nowMs }: RollingInput): NodeState {
  const pods = (podsOn.get(name) ?? []).filter((pod) => !isFinished(pod)).toSorted(byAge);
  const old = pods.find((pod) => !isUpdated(pod, hash));
  const fresh = pods.find((pod) => isUpdated(pod, hash));
  const isServing = (pod: Pod | undefined) =>
    pod !== undefined && !isDeleting(pod) && isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
  return { name, old, fresh, isOldAvailable: isServing(old), isFreshAvailable: isServing(fresh) };
}

/** The old goes first: those that serve nobody at once, of the others as many as may be missed. */
function replace(nodes: readonly NodeState[], maxUnavailable: number): RollingMoves {
  const isLeft = ({ old, fresh }: NodeState) => old && !fresh && !isDeleting(old);
  const unavailable = nodes.filter(
    ({ isOldAvailable, isFreshAvailable }) => !isOldAvailable && !isFreshAvailable,
  ).length;
  const broken = nodes.filter((node) => isLeft(node) && !node.isOldAvailable);
  const serving = nodes.filter((node) => isLeft(node) && node.isOldAvailable);
  const chosen = [...broken, ...serving.slice(0, Math.max(0, maxUnavailable - unavailable))];
  return { toDelete: chosen.map(({ old }) => old!), toSurge: [] };
}

/** The new comes first: beside as many old ones as may be doubled; the old goes when the new one serves. */
function surge(
  nodes: readonly NodeState[],
  { maxSurge, maxUnavailable }: { readonly maxSurge: number; readonly maxUnavailable: number },
): RollingMoves {
  const toDelete: Pod[] = [];
  const waiting: NodeState[] = [];
  let surging = 0;
  let unavailable = 0;
  for (const node of nodes) {
    if (!node.old) continue;
    if (node.fresh) {
      surging += Number(!node.isFreshAvailable);
      if (node.isFreshAvailable && !isDeleting(node.old)) toDelete.push(node.old);
    } else if (isDeleting(node.old) || !node.isOldAvailable) {
      unavailable++;
      if (unavailable <= maxUnavailable && !isDeleting(node.old)) toDelete.push(node.old);
      else waiting.push(node);
    } else waiting.push(node);
  }
  const room = Math.max(0, maxSurge - surging);
  return { toDelete, toSurge: waiting.slice(0, room).map(({ name }) => name) };
}
