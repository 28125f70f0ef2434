/** What a pod asks for in all. Upstream: `component-helpers/resource`, "PodRequests", "PodLimits". */
import { addQuantities, compareQuantities, formatQuantity, parseQuantity } from '../quantity.ts';
import type { Container, Pod } from '../types.ts';

/** Amounts by the name of their resource: `{ cpu: '100m', memory: '64Mi' }`. */
export type Amounts = { readonly [resource: string]: string };
export type ResourceContainer = Pick<Container, 'name' | 'resources'>;
export type Side = 'requests' | 'limits';

/** A request that is not given is its limit. */
export function requirementsIn({ resources }: Pick<Container, 'resources'>): { readonly [Name in Side]: Amounts } {
  return { requests: resources?.requests ?? {}, limits: resources?.limits ?? {} };
}

export function sumAmounts(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, (x, y) => formatQuantity(addQuantities(parseQuantity(x), parseQuantity(y))));
}

export function maxAmounts(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, (x, y) => (compareQuantities(x, y) >= 0 ? x : y));
}

/**
 * Containers and sidecars together, or the largest moment of initialisation if that is more, and the overhead. Requests that the pod states as a whole come
 * before those of its containers.
 */
export function amountsOfPod({ spec }: Pod, side: Side): Amounts {
  const of = (container: Pick<Container, 'resources'>) => requirementsIn(container)[side];
  let running = (spec?.containers ?? []).map(of).reduce(sumAmounts, {});
  let sidecars: Amounts = {};
  let starting: Amounts = {};
  for (const container of spec?.initContainers ?? []) {
    const isSidecar = container.restartPolicy === 'Always';
    if (isSidecar) {
      running = sumAmounts(running, of(container));
      sidecars = sumAmounts(sidecars, of(container));
    }
    starting = maxAmounts(starting, isSidecar ? sidecars : sumAmounts(sidecars, of(container)));
  }
  const stated = spec?.resources?.[side] ?? {};
  const total = { ...maxAmounts(running, starting), ...stated };
  // A limit without overhead would be none at all for a resource that nobody limits.
  const overhead = Object.entries(spec?.overhead ?? {}).filter(
    ([name]) => side === 'requests' || total[name] !== undefined,
  );
  return sumAmounts(total, Object.fromEntries(overhead));
}

function combine(a: Amounts, b: Amounts, join: (x: string, y: string) => string): Amounts {
  const result: { [resource: string]: string } = { ...a };
  for (const [name, amount] of Object.entries(b)) result[name] = name in a ? join(a[name]!, amount) : amount;
  return result;
}
