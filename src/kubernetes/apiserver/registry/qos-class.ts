import type { Pod } from '../../types.ts';
import type { Draft } from '../draft.ts';

const accounted = ['cpu', 'memory'];

/** Guaranteed, Burstable or BestEffort: `pkg/apis/core/v1/helper/qos`. */
export function qosClassOf({ spec }: Pod | Draft<Pod>): string {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const amounts = (map: { readonly [name: string]: string } | undefined) =>
    Object.entries(map ?? {}).filter(([name, amount]) => accounted.includes(name) && !/^0+[a-zA-Z]*$/.test(amount));
  const isAnythingSaid = containers.some(
    ({ resources }) => amounts(resources?.requests).length || amounts(resources?.limits).length,
  );
  if (!isAnythingSaid) return 'BestEffort';
  const isGuaranteed = containers.every(({ resources }) => {
    const limits = new Map(amounts(resources?.limits));
    const requests = amounts(resources?.requests);
    return limits.size === accounted.length && requests.every(([name, amount]) => limits.get(name) === amount);
  });
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}
