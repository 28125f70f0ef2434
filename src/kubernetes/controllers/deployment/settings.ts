import { type LabelSelector, labelSelectorOf } from '../../selector.ts';
import type { Deployment, ReplicaSet } from '../../types.ts';
import { scaledAmount } from '../amounts.ts';

/** What a deployment asks for, defaults filled in. */
export interface Settings {
  readonly replicas: number;
  readonly selector: LabelSelector;
  readonly isRecreate: boolean;
  readonly isPaused: boolean;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  readonly minReadySeconds: number;
  readonly progressDeadlineSeconds: number | undefined;
  readonly revisionHistoryLimit: number;
}

/** No deadline and no limit, as kubectl writes them. */
const NONE = 2 ** 31 - 1;

/** Behaviour: kubernetes `pkg/apis/apps/v1/defaults.go` and `deployment/util`, "ResolveFenceposts". */
export function settingsOf({ spec }: Deployment): Settings {
  const replicas = spec?.replicas ?? 1;
  const isRecreate = spec?.strategy?.type === 'Recreate';
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec?.strategy?.rollingUpdate ?? {};
  const surge = isRecreate ? 0 : scaledAmount(maxSurge, replicas, 'up');
  const unavailable = isRecreate ? 0 : scaledAmount(maxUnavailable, replicas, 'down');
  const deadline = spec?.progressDeadlineSeconds ?? 600;
  return {
    replicas,
    selector: labelSelectorOf(spec?.selector),
    isRecreate,
    isPaused: spec?.paused ?? false,
    maxSurge: surge,
    // With neither, a rollout could not move.
    maxUnavailable: Math.min(!isRecreate && !surge && !unavailable ? 1 : unavailable, replicas),
    minReadySeconds: spec?.minReadySeconds ?? 0,
    progressDeadlineSeconds: deadline === NONE ? undefined : deadline,
    revisionHistoryLimit: spec?.revisionHistoryLimit ?? 10,
  };
}

export function replicasOf(set: ReplicaSet | undefined): number {
  return set ? (set.spec?.replicas ?? 1) : 0;
}

export function total(sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number = replicasOf): number {
  return sets.reduce((sum, set) => sum + count(set), 0);
}

export function availableOf({ status }: ReplicaSet): number {
  return status?.availableReplicas ?? 0;
}
