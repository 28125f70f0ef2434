/** Which pods go first when there are too many. Behaviour: kubernetes `pkg/controller`, "ActivePodsWithRanks". */
import type { Pod } from '../../types.ts';
import { instantOf } from '../meta.ts';
import { isReady, readyAt } from '../pods.ts';

const COST = 'controller.kubernetes.io/pod-deletion-cost';
const phases = ['Pending', 'Unknown', 'Running'];

/** The `count` pods to delete. `related` are all pods of the same purpose: nodes that hold many of them give up one first. */
export function podsToDelete(
  pods: readonly Pod[],
  related: readonly Pod[],
  count: number,
  nowMs: number,
): readonly Pod[] {
  if (count >= pods.length) return pods;
  const onNode = new Map<string, number>();
  for (const { spec } of related) if (spec?.nodeName) onNode.set(spec.nodeName, (onNode.get(spec.nodeName) ?? 0) + 1);
  const rank = (pod: Pod) => onNode.get(pod.spec?.nodeName ?? '') ?? 0;
  const criteria: readonly ((pod: Pod) => number)[] = [
    (pod) => Number(Boolean(pod.spec?.nodeName)),
    (pod) => phases.indexOf(pod.status?.phase ?? ''),
    (pod) => Number(isReady(pod)),
    costOf,
    (pod) => -rank(pod),
    // Ages are compared by magnitude, so that pods made together are not always taken in the same order.
    (pod) => (isReady(pod) ? magnitude(nowMs - readyAt(pod)) : 0),
    (pod) => -restartsOf(pod),
    (pod) => magnitude(nowMs - instantOf(pod.metadata?.creationTimestamp)),
  ];
  return pods
    .toSorted((a, b) => {
      for (const criterion of criteria) {
        const difference = criterion(a) - criterion(b);
        if (difference) return difference;
      }
      return (a.metadata?.uid ?? '') < (b.metadata?.uid ?? '') ? -1 : 1;
    })
    .slice(0, count);
}

function costOf({ metadata }: Pod): number {
  const cost = Number(metadata?.annotations?.[COST] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}

function restartsOf({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}

function magnitude(ms: number): number {
  return Math.floor(Math.log2(Math.max(1, ms / 1000)));
}
