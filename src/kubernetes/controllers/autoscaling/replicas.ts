/** How many replicas a metric asks for. Behaviour: kubernetes `pkg/controller/podautoscaler/replica_calculator.go`. */
import { milliValue } from '../../quantity.ts';
import type { Pod } from '../../types.ts';
import { conditionOf } from '../conditions.ts';
import { instantOf, isDeleting, metaOf } from '../meta.ts';

/** A start burns processor time that says nothing of load: upstream's `cpu-initialization-period` and `initial-readiness-delay`. */
const INITIALIZATION_MS = 300_000;
const READINESS_DELAY_MS = 30_000;
/** A ratio so close to one moves nothing: `horizontal-pod-autoscaler-tolerance`. */
const TOLERANCE = 0.1;

export interface Demand {
  readonly replicas: number;
  /** Thousandths each pod uses on average. */
  readonly averageMilli: number;
  /** Percent of what the pods request. */
  readonly utilization?: number;
}

export interface DemandRequest {
  readonly pods: readonly Pod[];
  readonly usage: ReadonlyMap<string, number>;
  readonly resource: string;
  readonly container: string | undefined;
  readonly target: { readonly utilization: number } | { readonly averageMilli: number };
  readonly currentReplicas: number;
  readonly nowMs: number;
}

/** Pods without metrics and pods that are not ready count against a change, whichever its direction. */
export function demandOf(request: DemandRequest): Demand {
  const { pods, usage, target, currentReplicas } = request;
  const live = pods.filter((pod) => !isDeleting(pod) && pod.status?.phase !== 'Failed');
  const missing = live.filter((pod) => !usage.has(metaOf(pod).name));
  const unready = live.filter((pod) => usage.has(metaOf(pod).name) && isStarting(pod, request));
  const counted = live.filter((pod) => !missing.includes(pod) && !unready.includes(pod));
  if (!counted.length) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const requestOf = (pod: Pod) => ('utilization' in target ? requestedMilli(pod, request) : target.averageMilli);
  const wanted = 'utilization' in target ? target.utilization / 100 : 1;
  const ratioOf = (list: readonly Pod[], assumed: (pod: Pod) => number) => {
    const used = list.reduce((sum, pod) => sum + assumed(pod), 0);
    const requested = list.reduce((sum, pod) => sum + requestOf(pod), 0);
    return requested ? used / requested / wanted : 0;
  };
  const measured = (pod: Pod) => usage.get(metaOf(pod).name) ?? 0;
  const ratio = ratioOf(counted, measured);
  const used = counted.reduce((sum, pod) => sum + measured(pod), 0);
  const requested = counted.reduce((sum, pod) => sum + requestOf(pod), 0);
  const answer = (replicas: number): Demand => ({
    replicas,
    averageMilli: Math.round(used / counted.length),
    ...('utilization' in target && { utilization: Math.floor((used * 100) / requested) }),
  });
  if (!missing.length && !(unready.length && ratio > 1))
    return answer(isClose(ratio) ? currentReplicas : Math.ceil(ratio * counted.length));
  // To grow, the unknown use nothing; to shrink, all that they may.
  const isMissing = (pod: Pod) => missing.includes(pod);
  const assumed = (pod: Pod) => {
    if (isMissing(pod)) return ratio < 1 ? requestOf(pod) * Math.max(1, wanted) : 0;
    return unready.includes(pod) ? 0 : measured(pod);
  };
  const all = [...counted, ...missing, ...(ratio > 1 ? unready : [])];
  const careful = ratioOf(all, assumed);
  const isTurned = (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1);
  if (isClose(careful) || isTurned) return answer(currentReplicas);
  const replicas = Math.ceil(careful * all.length);
  const isBackwards = (careful < 1 && replicas > currentReplicas) || (careful > 1 && replicas < currentReplicas);
  return answer(isBackwards ? currentReplicas : replicas);
}

interface Counted {
  readonly pods: readonly Pod[];
  readonly currentReplicas: number;
  readonly statusReplicas: number;
}

/** One value for all pods, against one that it should have: "getUsageRatioReplicaCount". Throws while there are no pods that it could be of. */
export function demandOfValue(milli: number, targetMilli: number, { pods, currentReplicas }: Counted): number {
  const ratio = milli / targetMilli;
  if (currentReplicas === 0) return Math.ceil(ratio);
  if (isClose(ratio)) return currentReplicas;
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const ready = pods.filter(
    ({ status }) => status?.phase === 'Running' && conditionOf(status.conditions, 'Ready')?.status === 'True',
  );
  return Math.ceil(ratio * ready.length);
}

/** One value for all pods, against the share that each should have: "GetExternalPerPodMetricReplicas". */
export function demandOfAverage(
  milli: number,
  targetMilli: number,
  { statusReplicas }: Counted,
): { readonly replicas: number; readonly averageMilli: number } {
  const isRight = statusReplicas > 0 && isClose(milli / (targetMilli * statusReplicas));
  const replicas = isRight ? statusReplicas : Math.ceil(milli / targetMilli);
  return { replicas, averageMilli: Math.ceil(milli / Math.max(1, statusReplicas)) };
}

function isClose(ratio: number): boolean {
  return Math.abs(1 - ratio) <= TOLERANCE;
}

/** Not ready yet, or so young that what it uses is its start. */
function isStarting(pod: Pod, { resource, nowMs }: DemandRequest): boolean {
  if (pod.status?.phase === 'Pending') return true;
  if (resource !== 'cpu') return false;
  const ready = conditionOf(pod.status?.conditions, 'Ready');
  const startedAt = pod.status?.startTime === undefined ? undefined : instantOf(pod.status.startTime);
  if (!ready || startedAt === undefined) return true;
  if (startedAt + INITIALIZATION_MS > nowMs) return ready.status === 'False';
  // It has never been ready since.
  return ready.status === 'False' && startedAt + READINESS_DELAY_MS > instantOf(ready.lastTransitionTime);
}

function requestedMilli(pod: Pod, { resource, container }: DemandRequest): number {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  let sum = 0;
  for (const each of [...(pod.spec?.containers ?? []), ...sidecars]) {
    if (container !== undefined && each.name !== container) continue;
    const request = each.resources?.requests?.[resource];
    if (request === undefined)
      throw new Error(`missing request for ${resource} in container ${each.name} of Pod ${metaOf(pod).name}`);
    sum += milliValue(request);
  }
  return sum;
}
