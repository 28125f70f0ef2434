import type { Clock } from '#base';
import { matches, labelSelectorOfMap } from '../../selector.ts';
import type { Pod, ReplicaSet } from '../../types.ts';
import { type AnyCondition, conditionOf, withCondition, withoutCondition } from '../conditions.ts';
import { omitEmpty, timestampOf } from '../meta.ts';
import { isAvailable, isReady } from '../pods.ts';

export type ReplicaStatus = NonNullable<ReplicaSet['status']>;
type ReplicaCondition = NonNullable<ReplicaStatus['conditions']>[number] & AnyCondition;

export interface ReplicaStatusInput {
  /** A replica set, or a replication controller in its shape. */
  readonly set: ReplicaSet;
  /** Its pods that are not ended or ending. */
  readonly pods: readonly Pod[];
  /** Why replicas could not be made or deleted. */
  readonly failure: { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string } | undefined;
  readonly clock: Clock;
}

/** The status of a set. Behaviour: kubernetes `pkg/controller/replicaset`, "calculateStatus". */
export function replicaStatus({ set, pods, failure, clock }: ReplicaStatusInput): ReplicaStatus {
  const labels = labelSelectorOfMap(set.spec?.template?.metadata?.labels);
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const ready = pods.filter(isReady);
  return {
    replicas: pods.length,
    ...omitEmpty({
      fullyLabeledReplicas: pods.filter((pod) => matches(labels, pod.metadata?.labels)).length,
      readyReplicas: ready.length,
      availableReplicas: ready.filter((pod) => isAvailable(pod, minReadySeconds, clock.now())).length,
      observedGeneration: set.metadata?.generation,
      conditions: conditionsOf(set, failure, clock),
    }),
  };
}

function conditionsOf(
  { status }: ReplicaSet,
  failure: ReplicaStatusInput['failure'],
  clock: Clock,
): readonly ReplicaCondition[] {
  const conditions = (status?.conditions ?? []) as readonly ReplicaCondition[];
  if (!failure) return withoutCondition(conditions, 'ReplicaFailure');
  if (conditionOf(conditions, 'ReplicaFailure')) return conditions;
  const lastTransitionTime = timestampOf(clock);
  return withCondition(conditions, { type: 'ReplicaFailure', status: 'True', ...failure, lastTransitionTime });
}
