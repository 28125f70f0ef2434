import { quantityValue } from '../../quantity.ts';
import { requestsOf } from '../../scheduler/resources.ts';
import type * as types from '../../types.ts';

/** What pods are evicted for. */
export type EvictionResource = 'memory' | 'ephemeral-storage';

/** Pods of such a priority are what the cluster itself needs (`SystemCriticalPriority`). */
const CRITICAL = 2_000_000_000;

export interface Candidate<Pod = unknown> {
  readonly pod: Pod;
  readonly priority: number;
  readonly used: number;
  readonly requested: number;
}

/**
 * Whom to evict first ("Pod selection for kubelet eviction", Kubernetes documentation): those that use more than they asked for, then those of a lower priority, then by how much more
 * they use. Behaviour: kubelet `eviction/helpers.go`, "rankMemoryPressure" and "rankDiskPressureFunc".
 */
export function evictionOrder<Pod>(candidates: readonly Candidate<Pod>[]): readonly Candidate<Pod>[] {
  const excess = ({ used, requested }: Candidate) => used - requested;
  return candidates.toSorted(
    (a, b) => Number(excess(b) > 0) - Number(excess(a) > 0) || a.priority - b.priority || excess(b) - excess(a),
  );
}

/** Whether the kubelet must leave it, whatever is scarce. */
export function isCritical({ spec }: types.Pod): boolean {
  return (spec?.priority ?? 0) >= CRITICAL;
}

export function requestedOf(pod: types.Pod, resource: EvictionResource): number {
  return requestsOf(pod).get(resource) ?? 0;
}

/** What all containers of a pod may write together; undefined unless each has a limit. */
export function storageLimitOf({ spec }: types.Pod): number | undefined {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const limits = [...sidecars, ...(spec?.containers ?? [])].map(
    ({ resources }) => resources?.limits?.['ephemeral-storage'],
  );
  return limits.every((limit) => limit !== undefined)
    ? limits.reduce((sum, limit) => sum + quantityValue(limit), 0)
    : undefined;
}
