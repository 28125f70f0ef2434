/** Which changes of nodes and pods may make a refused pod fit. */
import { isDeepStrictEqual } from 'node:util';
import type { Node, Pod } from '../types.ts';
import type { ClusterEvent } from './plugin.ts';

export function eventsOfNode({
  now,
  before,
}: {
  now: Node | undefined;
  before: Node | undefined;
}): readonly ClusterEvent[] {
  if (!now) return [];
  if (!before) return ['node-added'];
  const events: ClusterEvent[] = [];
  const isSame = (a: unknown, b: unknown) => a === b || isDeepStrictEqual(a, b);
  if (!isSame(now.status?.allocatable, before.status?.allocatable)) events.push('node-allocatable');
  if (!isSame(now.metadata?.labels, before.metadata?.labels)) events.push('node-labels');
  if (!isSame(now.spec, before.spec)) events.push('node-taints');
  return events;
}

/** True if nothing of the pod changed that plugins look at. */
export function isSameToScheduling(before: Pod, now: Pod): boolean {
  return isDeepStrictEqual(before.spec, now.spec) && isDeepStrictEqual(before.metadata?.labels, now.metadata?.labels);
}
