import { qosClassOf } from '../../qos.ts';
import { quantityValue } from '../../quantity.ts';
import { requestsOf } from '../../scheduler/resources.ts';
import { isTolerated } from '../../scheduler/selection.ts';
import type * as types from '../../types.ts';
import { forbiddenSysctl } from '../container/security.ts';
import type { Allocatable } from '../container/resource-field.ts';
import { isCritical } from '../eviction/order.ts';
import { podResourcesOf } from './resources.ts';

/** Why a node does not take a pod that was bound to it, in the kubelet's words; undefined when it does. */
export function rejection(
  pod: types.Pod,
  {
    others,
    allocatable,
    extended = {},
    labels,
    maxPods,
    isShortOfMemory = false,
  }: {
    /** Pods of the node that its room is held for. */
    readonly others: readonly types.Pod[];
    readonly allocatable: Allocatable;
    /** What the node's object says there is of extended resources, and of others. */
    readonly extended?: { readonly [name: string]: string } | undefined;
    readonly labels: { readonly [name: string]: string };
    readonly maxPods: number;
    /** The node says that it is short of memory. */
    readonly isShortOfMemory?: boolean;
  },
): { readonly reason: string; readonly message: string } | undefined {
  if (isShortOfMemory && isFirstToGo(pod))
    return { reason: 'Evicted', message: 'The node had condition: [MemoryPressure]. ' };
  const sysctl = forbiddenSysctl(pod);
  if (sysctl !== undefined)
    return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${sysctl}" not allowlisted` };
  const wrong = Object.entries(pod.spec?.nodeSelector ?? {}).find(([name, value]) => labels[name] !== value);
  if (wrong) return { reason: 'NodeAffinity', message: 'Pod Predicate NodeAffinity failed' };
  if (others.length >= maxPods) return outOf('pods', { requested: 1, used: others.length, capacity: maxPods });
  const asked = podResourcesOf(pod);
  const used = others.map(podResourcesOf);
  const sum = (of: (resources: typeof asked) => number) => used.reduce((total, each) => total + of(each), 0);
  const cpu = sum(({ cpuRequestMillis }) => cpuRequestMillis);
  if (asked.cpuRequestMillis > 0 && asked.cpuRequestMillis + cpu > allocatable.cpuMillis)
    return outOf('cpu', { requested: asked.cpuRequestMillis, used: cpu, capacity: allocatable.cpuMillis });
  const memory = sum(({ memoryRequestBytes }) => memoryRequestBytes);
  if (asked.memoryRequestBytes > 0 && asked.memoryRequestBytes + memory > allocatable.memoryBytes)
    return outOf('memory', { requested: asked.memoryRequestBytes, used: memory, capacity: allocatable.memoryBytes });
  return lackOfExtended(pod, { others, extended });
}

/** Those that asked for nothing would be the first to be evicted again: kubelet `eviction/eviction_manager.go`, "Admit". */
function isFirstToGo(pod: types.Pod): boolean {
  const taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };
  return qosClassOf(pod) === 'BestEffort' && !isCritical(pod) && !isTolerated(pod.spec?.tolerations, taint);
}

/** Extended resources that the node has none of belong to the cluster, and are the scheduler's alone: upstream's "removeMissingExtendedResources", `pkg/kubelet/lifecycle/predicate.go`. */
function lackOfExtended(
  pod: types.Pod,
  { others, extended }: { others: readonly types.Pod[]; extended: { readonly [name: string]: string } },
) {
  for (const [name, requested] of requestsOf(pod)) {
    const there = extended[name];
    if (!name.includes('/') || requested === 0 || there === undefined) continue;
    const capacity = quantityValue(there);
    const used = others.reduce((sum, other) => sum + (requestsOf(other).get(name) ?? 0), 0);
    if (requested + used > capacity) return outOf(name, { requested, used, capacity });
  }
  return undefined;
}

function outOf(
  resource: string,
  { requested, used, capacity }: { readonly requested: number; readonly used: number; readonly capacity: number },
): { readonly reason: string; readonly message: string } {
  return {
    reason: `OutOf${resource}`,
    message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  };
}
