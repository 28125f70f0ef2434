/**
 * Requests and limits that a namespace's LimitRanges give to containers without any, and the bounds they set. Upstream: `plugin/pkg/admission/limitranger`;
 * documentation, "Limit Ranges".
 */
import type { AdmissionPlugin } from '../auth/user.ts';
import { limitRanges, persistentVolumeClaims, pods } from '../resources.ts';
import type { LimitRange, PersistentVolumeClaim, Pod } from '../types.ts';
import { violationsOfClaim, violationsOfPod } from './limit-ranges.ts';
import { aggregate, creates, isOf, present, reader, refusal, type AdmissionParts } from './plugin.ts';
import { requirementsIn, type Amounts, type ResourceContainer } from './pod-resources.ts';

type LimitItem = NonNullable<LimitRange['spec']>['limits'][number];

export function limitRanger({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const all = reader(informers.of(limitRanges));
  const itemsOf = async (namespace: string | undefined): Promise<readonly LimitItem[]> =>
    (await all()).list(namespace).flatMap(({ spec }) => spec?.limits ?? []);

  return {
    name: 'LimitRanger',
    async mutate(request) {
      if (!creates(request, pods)) return request.object!;
      const items = (await itemsOf(request.namespace)).filter(({ type }) => type === 'Container');
      return items.length === 0 ? request.object! : withDefaults(request.object as Pod, items);
    },
    async validate(request) {
      const { type, operation, subresource, namespace } = request;
      const isResize = isOf(type, pods) && operation === 'UPDATE' && subresource === 'resize';
      if (creates(request, pods) || isResize) {
        const problems = violationsOfPod(request.object as Pod, await itemsOf(namespace));
        if (problems.length > 0) throw refusal(request, aggregate(problems));
      } else if (
        isOf(type, persistentVolumeClaims) &&
        !subresource &&
        (operation === 'CREATE' || operation === 'UPDATE')
      ) {
        const problems = violationsOfClaim(request.object as PersistentVolumeClaim, await itemsOf(namespace));
        if (problems.length > 0) throw refusal(request, aggregate(problems));
      }
      return [];
    },
  };
}

function withDefaults(pod: Pod, items: readonly LimitItem[]): Pod {
  const requests = Object.assign({}, ...items.map(({ defaultRequest }) => defaultRequest)) as Amounts;
  const limits = Object.assign({}, ...items.map((item) => item.default)) as Amounts;
  const notes: string[] = [];
  const fill = <T extends ResourceContainer>(container: T, word: string): T => {
    const given = requirementsIn(container);
    const newRequests = absent(requests, given.requests);
    const newLimits = absent(limits, given.limits);
    if (newRequests.length > 0) notes.push(`${names(newRequests)} request for ${word} ${container.name}`);
    if (newLimits.length > 0) notes.push(`${names(newLimits)} limit for ${word} ${container.name}`);
    if (newRequests.length + newLimits.length === 0) return container;
    return {
      ...container,
      resources: {
        ...container.resources,
        ...(newLimits.length > 0 && { limits: { ...Object.fromEntries(newLimits), ...given.limits } }),
        ...(newRequests.length > 0 && { requests: { ...Object.fromEntries(newRequests), ...given.requests } }),
      },
    };
  };
  const containers = (present(pod.spec?.containers) ?? []).map((container) => fill(container, 'container'));
  const initContainers = pod.spec?.initContainers?.map((container) => fill(container, 'init container'));
  if (notes.length === 0) return pod;
  const note = `LimitRanger plugin set: ${notes.join('; ')}`;
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata?.annotations, 'kubernetes.io/limit-ranger': note } },
    spec: { ...pod.spec!, containers, ...(initContainers && { initContainers }) },
  };
}

function absent(wanted: Amounts, given: Amounts): [string, string][] {
  return Object.entries(wanted).filter(([resource]) => given[resource] === undefined);
}

function names(entries: readonly [string, string][]): string {
  return entries
    .map(([name]) => name)
    .sort()
    .join(', ');
}
