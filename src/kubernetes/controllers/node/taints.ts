/** What a node's conditions mean for who may be on it. Behaviour: kubernetes `pkg/controller/nodelifecycle`. */
import type { Node } from '../../types.ts';
import type { Taint } from '../../scheduler/selection.ts';
import { conditionOf } from '../conditions.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';
export const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** Conditions that keep new pods away, by the status in which they do. */
const pressures = [
  ['MemoryPressure', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'node.kubernetes.io/disk-pressure'],
  ['PIDPressure', 'node.kubernetes.io/pid-pressure'],
  ['NetworkUnavailable', 'node.kubernetes.io/network-unavailable'],
] as const;
const managed = new Set<string>([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...pressures.map(([, key]) => key)]);

export function readiness({ status }: Node): 'True' | 'False' | 'Unknown' | undefined {
  return conditionOf(status?.conditions, 'Ready')?.status as 'True' | 'False' | 'Unknown' | undefined;
}

/** All taints that a node should have: others' as they are, ours as its conditions say. `evicts`: pods that do not tolerate its state must leave. */
export function taintsFor(
  node: Node,
  { evicts, now }: { readonly evicts: boolean; readonly now: string },
): readonly Taint[] {
  const old = node.spec?.taints ?? [];
  const wanted: Taint[] = [];
  const add = (key: string, effect: string) => {
    const known = old.find((taint) => taint.key === key && taint.effect === effect);
    wanted.push(known ?? { key, effect, ...(effect === 'NoExecute' && { timeAdded: now }) });
  };
  const ready = readiness(node);
  // A node that has never said that it is ready is not.
  if (ready === 'False' || ready === undefined) add(NOT_READY, 'NoSchedule');
  if (ready === 'Unknown') add(UNREACHABLE, 'NoSchedule');
  for (const [type, key] of pressures)
    if (conditionOf(node.status?.conditions, type)?.status === 'True') add(key, 'NoSchedule');
  if (node.spec?.unschedulable) add(UNSCHEDULABLE, 'NoSchedule');
  const isLeft = (key: string) => old.some((taint) => taint.key === key && taint.effect === 'NoExecute');
  if (ready === 'False' && (evicts || isLeft(NOT_READY))) add(NOT_READY, 'NoExecute');
  if (ready === 'Unknown' && (evicts || isLeft(UNREACHABLE))) add(UNREACHABLE, 'NoExecute');
  const isOurs = ({ key, effect }: Taint) =>
    managed.has(key) &&
    (effect === 'NoSchedule' || ((key === NOT_READY || key === UNREACHABLE) && effect === 'NoExecute'));
  return [...old.filter((taint) => !isOurs(taint)), ...wanted];
}
