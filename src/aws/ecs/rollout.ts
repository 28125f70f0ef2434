import type { ServiceRecord, TaskRecord } from './records.ts';
import { healthOf } from './task-view.ts';

/** What a service needs done now. */
export interface RolloutPlan {
  /** Copies of the primary deployment to start. */
  readonly start: number;
  readonly stop: readonly TaskRecord[];
  /** The primary deployment alone runs, in full number and health. */
  readonly isComplete: boolean;
}

/**
 * Compares the copies a service has with those it wants. A new deployment grows within `maximumPercent` of the desired count, older ones
 * shrink as long as `minimumHealthyPercent` stay healthy: ECS Developer Guide, "Rolling update". `alive` are the tasks of the service that
 * are not asked to stop.
 */
export function planRollout(service: ServiceRecord, alive: readonly TaskRecord[]): RolloutPlan {
  const desired = service.status === 'ACTIVE' ? service.desiredCount : 0;
  const { maximumPercent, minimumHealthyPercent } = service.deploymentConfiguration;
  const most = Math.max(1, Math.floor((desired * maximumPercent) / 100));
  const least = Math.ceil((desired * minimumHealthyPercent) / 100);
  const [primary] = service.deployments;
  const current = alive.filter(({ startedBy }) => startedBy === primary?.id);
  const old = alive.filter((task) => !current.includes(task));
  const missing = Math.max(0, desired - current.length);
  // A deployment that its circuit breaker gave up starts nothing more.
  const start = primary?.rolloutState === 'FAILED' ? 0 : Math.max(0, Math.min(missing, most - alive.length));
  // Where new copies have room beside the old, the old stay until they are replaced; where they have none, down to the least allowed.
  const keep = start === missing ? desired : least;
  const healthy = alive.filter(isHealthy).length;
  const spare = desired === 0 ? old.length : Math.max(0, healthy - keep);
  const stopOld = [...old.filter((task) => !isHealthy(task)), ...old.filter(isHealthy).slice(0, spare)];
  const stopSurplus = surplus(current, current.length - desired);
  const isComplete = old.length === 0 && current.length === desired && current.every(isHealthy);
  return { start, stop: [...stopOld, ...stopSurplus], isComplete };
}

/** Runs, and its health checks, if it has any, say that it is well. */
function isHealthy(task: TaskRecord): boolean {
  if (task.lastStatus !== 'RUNNING') return false;
  return healthOf(task) === 'HEALTHY' || !task.containers.some(({ isJudged }) => isJudged);
}

/** Which copies go when there are too many: those that do not run yet, then from the zone with the most, the youngest first. */
function surplus(tasks: readonly TaskRecord[], count: number): TaskRecord[] {
  const left = [...tasks];
  const gone: TaskRecord[] = [];
  while (gone.length < count && left.length) {
    const inZone = (task: TaskRecord) =>
      left.filter(({ placement }) => placement?.zone === task.placement?.zone).length;
    const [next] = left.toSorted(
      (a, b) =>
        Number(a.lastStatus === 'RUNNING') - Number(b.lastStatus === 'RUNNING') ||
        inZone(b) - inZone(a) ||
        b.createdAt - a.createdAt,
    );
    left.splice(left.indexOf(next!), 1);
    gone.push(next!);
  }
  return gone;
}
