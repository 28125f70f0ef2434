import { parseQuantity } from './quantity.ts';
import type { Pod } from './types.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const counted = ['cpu', 'memory'] as const;

interface Asked {
  readonly requests?: { readonly [name: string]: string };
  readonly limits?: { readonly [name: string]: string };
}

/**
 * The quality of service of a pod ("Pod Quality of Service Classes", Kubernetes documentation): Guaranteed when every container has limits for CPU and memory and requests no
 * less, BestEffort when none asks for anything, Burstable in between. What the pod asks for as a whole decides in place of its containers.
 */
export function qosClassOf({ spec }: Pod): QosClass {
  const all: readonly Asked[] = spec?.resources
    ? [spec.resources]
    : [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ resources }) => resources ?? {});
  const isAnythingAsked = all.some(({ requests, limits }) =>
    counted.some((name) => isSome(requests?.[name]) || isSome(limits?.[name])),
  );
  if (!isAnythingAsked) return 'BestEffort';
  return all.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

function isGuaranteed({ requests, limits }: Asked): boolean {
  return counted.every((name) => {
    const limit = limits?.[name];
    const request = requests?.[name] ?? limit;
    return isSome(limit) && request !== undefined && nano(request) === nano(limit);
  });
}

function isSome(amount: string | undefined): amount is string {
  return amount !== undefined && nano(amount) > 0n;
}

function nano(amount: string): bigint {
  return parseQuantity(amount).nano;
}
