import type { DaemonSet, Node, Pod } from '../../types.ts';
import { REVISION_HASH } from '../history/history.ts';
import { isDeleting, metaOf, omitEmpty } from '../meta.ts';
import { isAvailable, isReady } from '../pods.ts';
import type { Placement } from './placement.ts';

export type DaemonStatus = NonNullable<DaemonSet['status']>;

export interface DaemonStatusInput {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  readonly placementOf: (node: Node) => Placement;
  readonly podsOn: ReadonlyMap<string, readonly Pod[]>;
  readonly hash: string;
  readonly nowMs: number;
}

/** Counts of a daemon set. Behaviour: kubernetes `pkg/controller/daemon`, "updateDaemonSetStatus". */
export function daemonStatus({ set, nodes, placementOf, podsOn, hash, nowMs }: DaemonStatusInput): DaemonStatus {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, available: 0, updated: 0 };
  for (const node of nodes) {
    const pods = podsOn.get(metaOf(node).name) ?? [];
    if (!placementOf(node).shouldRun) {
      counts.misscheduled += Number(pods.length > 0);
      continue;
    }
    counts.desired++;
    if (!pods.length) continue;
    counts.current++;
    // The one that serves stands for the node.
    const pod = pods.toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)))[0]!;
    counts.ready += Number(isReady(pod));
    counts.available += Number(isAvailable(pod, minReadySeconds, nowMs));
    counts.updated += Number(pods.some((each) => isUpdated(each, hash) && !isDeleting(each)));
  }
  return {
    desiredNumberScheduled: counts.desired,
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    numberReady: counts.ready,
    ...omitEmpty({
      observedGeneration: set.metadata?.generation,
      updatedNumberScheduled: counts.updated,
      numberAvailable: counts.available,
      numberUnavailable: counts.desired - counts.available,
      collisionCount: set.status?.collisionCount,
      // Others' own.
      conditions: set.status?.conditions,
    }),
  };
}

export function isUpdated({ metadata }: Pod, hash: string): boolean {
  return metadata?.labels?.[REVISION_HASH] === hash;
}
