import type { DeploymentRecord, ServiceRecord } from './records.ts';
import { sentences } from './service-events.ts';
import type { Throttle } from './start-throttle.ts';

/** Failures in a row that trip the breaker: half the desired count, but at least 3 and at most 200 (ECS Developer Guide, "Failure threshold"). */
function threshold(desiredCount: number): number {
  return Math.min(200, Math.max(3, Math.ceil(desiredCount / 2)));
}

/**
 * The service after its primary deployment failed for good, with the messages to say so; undefined while it has not, or no breaker is
 * enabled. With rollback the deployment that was completed last becomes primary again, and the failed one is replaced like any older one.
 */
export function tripped(
  service: ServiceRecord,
  throttle: Throttle,
  now: number,
): { readonly service: ServiceRecord; readonly messages: readonly string[] } | undefined {
  const [primary, ...older] = service.deployments;
  const breaker = service.deploymentConfiguration.deploymentCircuitBreaker;
  if (!breaker?.enable || primary?.rolloutState !== 'IN_PROGRESS') return undefined;
  if (!throttle.neverRan || throttle.failures.length < threshold(service.desiredCount)) return undefined;
  const failed: DeploymentRecord = {
    ...primary,
    rolloutState: 'FAILED',
    rolloutStateReason: 'ECS deployment circuit breaker: tasks failed to start.',
    updatedAt: now,
  };
  const messages = [sentences.failed(service, primary.id)];
  const last = breaker.rollback ? older.find(({ rolloutState }) => rolloutState === 'COMPLETED') : undefined;
  if (!last) return { service: { ...service, deployments: [failed, ...older] }, messages };
  const restored: DeploymentRecord = {
    ...last,
    status: 'PRIMARY',
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: `ECS deployment circuit breaker: rolling back to deploymentId ${last.id}.`,
    updatedAt: now,
  };
  const replaced = [{ ...failed, status: 'ACTIVE' as const }, ...older.filter((one) => one !== last)];
  return {
    service: { ...service, deployments: [restored, ...replaced] },
    messages: [...messages, sentences.rollingBack(service, last.id)],
  };
}
