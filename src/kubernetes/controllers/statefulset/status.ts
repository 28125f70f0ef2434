import type { ControllerRevision, Pod, StatefulSet } from '../../types.ts';
import { isDeleting, metaOf, omitEmpty } from '../meta.ts';
import { isAvailable, isReady } from '../pods.ts';
import { REVISION_HASH } from '../history/history.ts';

export type StatefulStatus = NonNullable<StatefulSet['status']>;

export interface StatefulStatusInput {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly nowMs: number;
}

export function revisionOf({ metadata }: Pod): string | undefined {
  return metadata?.labels?.[REVISION_HASH];
}

/** Counts of a stateful set. Behaviour: kubernetes `pkg/controller/statefulset/stateful_set_control.go`, "updateStatus". */
export function statefulStatus({ set, pods, current, update, nowMs }: StatefulStatusInput): StatefulStatus {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const running = pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod));
  const live = pods.filter((pod) => !isDeleting(pod));
  const of = (revision: ControllerRevision) => live.filter((pod) => revisionOf(pod) === metaOf(revision).name).length;
  const counts = {
    replicas: pods.length,
    readyReplicas: running.length,
    availableReplicas: running.filter((pod) => isAvailable(pod, minReadySeconds, nowMs)).length,
    currentReplicas: of(current),
    updatedReplicas: of(update),
  };
  // Everything is of the new revision and ready: it is the current one from now on.
  const isRolling = (set.spec?.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
  const isRolledOut =
    isRolling &&
    counts.updatedReplicas === counts.replicas &&
    counts.readyReplicas === counts.replicas &&
    counts.replicas === (set.spec?.replicas ?? 1);
  return {
    replicas: counts.replicas,
    availableReplicas: counts.availableReplicas,
    ...omitEmpty({
      observedGeneration: set.metadata?.generation,
      readyReplicas: counts.readyReplicas,
      currentReplicas: isRolledOut ? counts.updatedReplicas : counts.currentReplicas,
      updatedReplicas: counts.updatedReplicas,
      currentRevision: metaOf(isRolledOut ? update : current).name,
      updateRevision: metaOf(update).name,
      // Others' own.
      conditions: set.status?.conditions,
    }),
    collisionCount: set.status?.collisionCount ?? 0,
  };
}
