/**
 * What of its node a pod was given ("Resize CPU and Memory Resources assigned to Containers", Kubernetes documentation): what it asked for when it came, and from then on what
 * it was granted when it asked for something else. Whatever it asks for meanwhile, its containers are begun with this.
 */
import { withResources } from '../../allocated.ts';
import { parseQuantity } from '../../quantity.ts';
import type * as types from '../../types.ts';

/** Resources by name of the container. */
export type Allocation = { readonly [container: string]: NonNullable<types.Container['resources']> };

/** What a pod asks for now. */
export function askedBy({ spec }: types.Pod): Allocation {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  return Object.fromEntries(containers.map(({ name, resources }) => [name, resources ?? {}]));
}

/** The pod as if it asked for no more and no less than it was given. */
export function withAllocation(pod: types.Pod, allocation: Allocation): types.Pod {
  return withResources(pod, (container) => allocation[container]);
}

/** True when the pod asks for what it was given, however it writes the amounts. */
export function isAllocated(pod: types.Pod, allocation: Allocation): boolean {
  return Object.entries(askedBy(pod)).every(([name, { requests, limits }]) => {
    const given = allocation[name];
    return given !== undefined && areSame(requests, given.requests) && areSame(limits, given.limits);
  });
}

type Amounts = { readonly [name: string]: string } | undefined;

function areSame(one: Amounts = {}, other: Amounts = {}): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => {
    const [a, b] = [one[name], other[name]];
    return a !== undefined && b !== undefined && parseQuantity(a).nano === parseQuantity(b).nano;
  });
}
