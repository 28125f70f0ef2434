/** What pods ask for and nodes give, as plain numbers. */
import { milliValue, quantityValue } from '../quantity.ts';
import type { Container, Node, Pod } from '../types.ts';

/** Amounts by resource name: `cpu` in thousandths, everything else in whole units. */
export type Amounts = ReadonlyMap<string, number>;

const none: Amounts = new Map();

/** What a pod without requests counts as when nodes are compared, never when they are filtered: kubernetes `pkg/scheduler/util/pod_resources.go`. */
export const PRESUMED_CPU_MILLIS = 100;
export const PRESUMED_MEMORY_BYTES = 200 * 1024 * 1024;

type Quantities = { readonly [name: string]: string } | undefined;

/** Quantities repeat endlessly; parsing them is the dearest part of taking a pod in. */
const parsed = new Map<string, number>();
const PARSED_LIMIT = 10_000;

function amountOf(name: string, text: string): number {
  const key = name === 'cpu' ? `m${text}` : text;
  let amount = parsed.get(key);
  if (amount === undefined) {
    amount = name === 'cpu' ? milliValue(text) : quantityValue(text);
    if (parsed.size >= PARSED_LIMIT) parsed.clear();
    parsed.set(key, amount);
  }
  return amount;
}

function amountsOf(quantities: Quantities): Map<string, number> {
  return new Map(Object.entries(quantities ?? {}).map(([name, text]) => [name, amountOf(name, text)] as const));
}

export function allocatableOf({ status }: Node): Amounts {
  return amountsOf(status?.allocatable ?? status?.capacity);
}

/** What a pod reserves on its node: kubernetes `pkg/api/v1/resource`, "PodRequests". */
export function requestsOf({ spec }: Pod): Amounts {
  if (!spec) return none;
  const sum = new Map<string, number>();
  for (const container of spec.containers) add(sum, requestOf(container));
  // Init containers run one after the other, beside the sidecars started before them.
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of spec.initContainers ?? []) {
    const request = requestOf(container);
    if (container.restartPolicy === 'Always') {
      add(sum, request);
      add(sidecars, request);
      raise(peak, sidecars);
    } else {
      const together = new Map(sidecars);
      add(together, request);
      raise(peak, together);
    }
  }
  raise(sum, peak);
  // What the pod as a whole states comes before what its containers add up to.
  for (const [name, amount] of amountsOf(spec.resources?.requests)) sum.set(name, amount);
  add(sum, amountsOf(spec.overhead));
  return sum;
}

function requestOf({ resources }: Container): Amounts {
  return resources?.requests ? amountsOf(resources.requests) : none;
}

function add(sum: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) sum.set(name, (sum.get(name) ?? 0) + amount);
}

function raise(sum: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) sum.set(name, Math.max(sum.get(name) ?? 0, amount));
}
