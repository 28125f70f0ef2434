import { milliValue, quantityValue } from '../../quantity.ts';
import type * as types from '../../types.ts';
import { forbiddenSysctl } from '../container/security.ts';
import type { Allocatable } from '../container/resource-field.ts';
import { podResourcesOf } from './qos.ts';

/** Why a node does not take a pod that was bound to it, in the kubelet's words; undefined when it does. */
export function rejection(
  pod: types.Pod,
  {
    others,
    allocatable,
    labels,
    maxPods,
  }: {
    /** Pods of the node that its room is held for. */
    readonly others: readonly types.Pod[];
    readonly allocatable: Allocatable;
    readonly labels: { readonly [name: string]: string };
    readonly maxPods: number;
  },
): { readonly reason: string; readonly message: string } | undefined {
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
  const unknown = unknownResource(pod);
  return unknown === undefined ? undefined : outOf(unknown.name, { requested: unknown.amount, used: 0, capacity: 0 });
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

/** An extended resource that a container wants and no node of ours has. */
function unknownResource({ spec }: types.Pod): { readonly name: string; readonly amount: number } | undefined {
  for (const { resources } of spec?.containers ?? [])
    for (const [name, amount] of Object.entries(resources?.requests ?? {}))
      if (name.includes('/') && milliValue(amount) > 0) return { name, amount: quantityValue(amount) };
  return undefined;
}
