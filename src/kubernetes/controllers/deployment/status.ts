/** What a deployment tells of itself: counts, and the conditions that `kubectl rollout status` reads. Behaviour: kubernetes `pkg/controller/deployment/progress.go`. */
import { isoSeconds } from '#base';
import type { Deployment } from '../../types.ts';
import { conditionOf, withCondition, withoutCondition } from '../conditions.ts';
import { instantOf, omitEmpty } from '../meta.ts';
import { allSetsOf, type Rollout } from './rollout.ts';
import { availableOf, total } from './settings.ts';

export type DeploymentStatus = NonNullable<Deployment['status']>;
type DeploymentCondition = NonNullable<DeploymentStatus['conditions']>[number];

/** Counts and availability, the other conditions as they were. */
export function countedStatus(rollout: Rollout): DeploymentStatus {
  const { deployment, settings, newSet, parts } = rollout;
  const sets = allSetsOf(rollout);
  const available = total(sets, availableOf);
  const now = parts.clock.now();
  const isAvailable = available >= settings.replicas - settings.maxUnavailable;
  const condition = conditionAt(now, {
    type: 'Available',
    status: isAvailable ? 'True' : 'False',
    reason: isAvailable ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: `Deployment ${isAvailable ? 'has' : 'does not have'} minimum availability.`,
  });
  return omitEmpty({
    observedGeneration: deployment.metadata?.generation,
    replicas: total(sets, ({ status }) => status?.replicas ?? 0),
    updatedReplicas: newSet?.status?.replicas,
    readyReplicas: total(sets, ({ status }) => status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total(sets) - available),
    collisionCount: deployment.status?.collisionCount,
    conditions: setCondition(deployment.status?.conditions ?? [], condition),
  });
}

/** The whole status of a rollout under way. */
export function rolloutStatus(rollout: Rollout): DeploymentStatus {
  const { deployment, settings, newSet, parts } = rollout;
  const status = countedStatus(rollout);
  const old = conditionOf(deployment.status?.conditions, 'Progressing');
  let conditions = status.conditions ?? [];
  const isDone = status.replicas === status.updatedReplicas && old?.reason === 'NewReplicaSetAvailable';
  if (settings.progressDeadlineSeconds === undefined) conditions = withoutCondition(conditions, 'Progressing');
  else if (!isDone) {
    const next = progress(rollout, status);
    if (next) {
      const isSame = old && old.status === next.status && old.lastTransitionTime !== undefined;
      const lastTransitionTime = isSame ? old.lastTransitionTime : isoSeconds(parts.clock.now());
      // Movement is told anew each time: the deadline counts from the last one.
      const isMoved = next.reason === 'ReplicaSetUpdated' || old?.reason !== next.reason || old?.status !== next.status;
      if (isMoved)
        conditions = [
          ...withoutCondition(conditions, 'Progressing'),
          { ...next, lastTransitionTime, lastUpdateTime: isoSeconds(parts.clock.now()) },
        ];
    }
  }
  const failing = [newSet, ...rollout.oldSets].find((set) => conditionOf(set?.status?.conditions, 'ReplicaFailure'));
  const failure = conditionOf(failing?.status?.conditions, 'ReplicaFailure');
  conditions = failure
    ? setCondition(conditions, { ...conditionAt(parts.clock.now(), failure), type: 'ReplicaFailure' })
    : withoutCondition(conditions, 'ReplicaFailure');
  return { ...status, conditions };
}

/** What to say of progress, or undefined when nothing moved and time is left. */
function progress(
  { deployment, settings, newSet, parts }: Rollout,
  status: DeploymentStatus,
): DeploymentCondition | undefined {
  const subject = newSet ? `ReplicaSet "${newSet.metadata!.name}"` : `Deployment "${deployment.metadata!.name}"`;
  const base = { type: 'Progressing', status: 'True' };
  if (isComplete(deployment, status))
    return { ...base, reason: 'NewReplicaSetAvailable', message: `${subject} has successfully progressed.` };
  if (isProgressing(deployment, status))
    return { ...base, reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` };
  if (deadlineIn(deployment, settings.progressDeadlineSeconds, parts.clock.now())! <= 0)
    return {
      ...base,
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: `${subject} has timed out progressing.`,
    };
  return undefined;
}

/** True when every wanted pod is of the new template, runs and is available, and nothing else is left. */
export function isComplete({ spec, metadata }: Deployment, status: DeploymentStatus): boolean {
  const replicas = spec?.replicas ?? 1;
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (metadata?.generation ?? 0)
  );
}

function isProgressing({ status: old = {} }: Deployment, now: DeploymentStatus): boolean {
  const oldPods = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    oldPods(now) < oldPods(old) ||
    (now.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

/** Milliseconds until the rollout counts as stuck; undefined if it cannot be: complete, or without a deadline. */
export function deadlineIn({ status }: Deployment, seconds: number | undefined, nowMs: number): number | undefined {
  const condition = conditionOf(status?.conditions, 'Progressing');
  if (seconds === undefined || !condition || condition.reason === 'NewReplicaSetAvailable') return Infinity;
  if (condition.reason === 'ProgressDeadlineExceeded') return 0;
  return instantOf(condition.lastUpdateTime) + seconds * 1000 - nowMs;
}

/** A condition told for the first time at this instant. */
export function conditionAt(nowMs: number, condition: DeploymentCondition): DeploymentCondition {
  const now = isoSeconds(nowMs);
  return { ...condition, lastUpdateTime: now, lastTransitionTime: now };
}

/** Leaves what says the same alone, so that a status is written only when something is new. */
export function setCondition(
  conditions: readonly DeploymentCondition[],
  condition: DeploymentCondition,
): readonly DeploymentCondition[] {
  const old = conditionOf(conditions, condition.type);
  if (old && old.status === condition.status && old.reason === condition.reason) return conditions;
  return withCondition(conditions, condition);
}
