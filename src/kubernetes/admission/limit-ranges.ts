/** What breaks a LimitRange, in upstream's words. */
import { canonicalQuantity, compareQuantities, milliValue } from '../quantity.ts';
import type { LimitRange, PersistentVolumeClaim, Pod } from '../types.ts';
import { amountsOfPod, requirementsIn, type Amounts } from './pod-resources.ts';

type LimitItem = NonNullable<LimitRange['spec']>['limits'][number];
interface Requirements {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

export function violationsOfPod(pod: Pod, items: readonly LimitItem[]): readonly string[] {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const whole = { requests: amountsOfPod(pod, 'requests'), limits: amountsOfPod(pod, 'limits') };
  return items.flatMap((item) => {
    if (item.type === 'Container')
      return containers.flatMap((container) => violations(requirementsIn(container), item));
    return item.type === 'Pod' ? violations(whole, item) : [];
  });
}

export function violationsOfClaim({ spec }: PersistentVolumeClaim, items: readonly LimitItem[]): readonly string[] {
  const requests = spec?.resources?.requests ?? {};
  const ofClaims = items.filter(({ type }) => type === 'PersistentVolumeClaim');
  return ofClaims.flatMap((item) => [
    ...each(item.min, (name, bound) => belowMinimum(name, bound, item.type, { requests, limits: {} })),
    ...each(item.max, (name, bound) => {
      const request = requests[name];
      if (request === undefined || compareQuantities(request, bound) <= 0) return undefined;
      return `maximum ${name} usage per ${item.type} is ${bound}, but request is ${canonicalQuantity(request)}`;
    }),
  ]);
}

function violations(given: Requirements, item: LimitItem): readonly string[] {
  return [
    ...each(item.min, (name, bound) => belowMinimum(name, bound, item.type, given)),
    ...each(item.max, (name, bound) => aboveMaximum(name, bound, item.type, given)),
    ...each(item.maxLimitRequestRatio, (name, bound) => aboveRatio(name, bound, item.type, given)),
  ];
}

function each(
  bounds: Amounts | undefined,
  check: (name: string, bound: string) => string | undefined,
): readonly string[] {
  return Object.entries(bounds ?? {}).flatMap(([name, bound]) => check(name, canonicalQuantity(bound)) ?? []);
}

function belowMinimum(
  name: string,
  bound: string,
  type: string,
  { requests, limits }: Requirements,
): string | undefined {
  const [request, limit] = [requests[name], limits[name]];
  const rule = `minimum ${name} usage per ${type} is ${bound}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  if (compareQuantities(request, bound) < 0) return `${rule}, but request is ${canonicalQuantity(request)}`;
  if (limit !== undefined && compareQuantities(limit, bound) < 0)
    return `${rule}, but limit is ${canonicalQuantity(limit)}`;
  return undefined;
}

function aboveMaximum(
  name: string,
  bound: string,
  type: string,
  { requests, limits }: Requirements,
): string | undefined {
  const [request, limit] = [requests[name], limits[name]];
  const rule = `maximum ${name} usage per ${type} is ${bound}`;
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (compareQuantities(limit, bound) > 0) return `${rule}, but limit is ${canonicalQuantity(limit)}`;
  if (request !== undefined && compareQuantities(request, bound) > 0)
    return `${rule}, but request is ${canonicalQuantity(request)}`;
  return undefined;
}

function aboveRatio(name: string, bound: string, type: string, { requests, limits }: Requirements): string | undefined {
  const [request, limit] = [milliValue(requests[name] ?? '0'), milliValue(limits[name] ?? '0')];
  const rule = `${name} max limit to request ratio per ${type} is ${bound}`;
  if (request === 0) return `${rule}, but no request is specified or request is 0`;
  if (limit === 0) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = limit / request;
  return ratio * 1000 > milliValue(bound) ? `${rule}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
