/** Why a pod found no place, in upstream's words: users and tools read them in conditions and events. Behaviour: kubernetes `scheduler/framework/types.go`, "FitError". */
import type { Outcome } from './pass.ts';

export const NO_NODES = 'no nodes available to schedule pods';

/** `0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: …`. */
export function refusalMessage(
  { everywhere, refusals, nodeCount }: Extract<Outcome, { kind: 'refused' }>,
  preemption?: string,
): string {
  if (nodeCount === 0) return NO_NODES;
  const reasons = everywhere ?? countReasons([...refusals.values()].flatMap(({ reasons }) => reasons));
  return [`0/${nodeCount} nodes are available: ${reasons}.`, preemption && `preemption: ${preemption}`]
    .filter(Boolean)
    .join(' ');
}

/** `1 Insufficient memory, 2 Insufficient cpu`, in order. */
export function countReasons(reasons: readonly string[]): string {
  return [...Map.groupBy(reasons, (reason) => reason)]
    .map(([reason, { length }]) => `${length} ${reason}`)
    .sort()
    .join(', ');
}
