/** `pods/eviction`: a deletion that disruption budgets may refuse. Source: `pkg/registry/core/pod/storage/eviction.go`. */
import { isoSeconds } from '#base';
import { labelSelectorOf, matches } from '../../selector.ts';
import { StatusError } from '../../status.ts';
import type { Eviction, Pod, PodDisruptionBudget, Status } from '../../types.ts';
import type { Draft } from '../draft.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { remove } from './delete.ts';
import { cacheOf, get } from './read.ts';
import { rewrite } from './rewrite.ts';

export async function evict(parts: ApiParts, call: NamedCall, eviction: Eviction): Promise<Status> {
  const { object } = await get(parts, call);
  const pod = object as Pod;
  if (!needsNoBudget(pod)) await spendBudget(parts, call, pod);
  if (!call.isDryRun) await markDisrupted(parts, call);
  await remove(parts, call, eviction.deleteOptions ?? {});
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

function needsNoBudget({ metadata, status }: Pod): boolean {
  return metadata?.deletionTimestamp !== undefined || ['Succeeded', 'Failed', 'Pending'].includes(status?.phase ?? '');
}

async function spendBudget(parts: ApiParts, call: NamedCall, pod: Pod): Promise<void> {
  const served = parts.catalog.find({ group: 'policy', version: 'v1' }, 'poddisruptionbudgets')!;
  const cache = await cacheOf(parts, served.resource);
  const budgets = [...cache.range(`${call.namespace}/`)]
    .map(({ object }) => object as PodDisruptionBudget)
    .filter(({ spec }) => matches(labelSelectorOf(spec?.selector), pod.metadata?.labels));
  if (!budgets.length) return;
  if (budgets.length > 1)
    throw new StatusError(
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  const [budget] = budgets;
  if (budget!.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' && !isReady(pod)) return;
  const name = budget!.metadata!.name!;
  await rewrite(parts, { ...call, ...served, name }, (object) =>
    spend(object, call.name, isoSeconds(parts.clock.now())),
  );
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** One disruption less is allowed from now on; the pod is on the list until its controller has seen it go. */
function spend(budget: Draft<PodDisruptionBudget>, pod: string, now: string): void {
  const { metadata, status } = budget;
  const refuse = (why: string) =>
    new StatusError('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
      details: { causes: [{ reason: 'DisruptionBudget', message: why }] },
    });
  if (!status || (status.observedGeneration ?? 0) < (metadata?.generation ?? 0))
    throw refuse(`The disruption budget ${metadata?.name} is still being processed by the server.`);
  if (status.disruptionsAllowed <= 0)
    throw refuse(
      `The disruption budget ${metadata?.name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`,
    );
  status.disruptionsAllowed -= 1;
  status.disruptedPods = { ...status.disruptedPods, [pod]: now };
}

async function markDisrupted(parts: ApiParts, call: NamedCall): Promise<void> {
  await rewrite(parts, call, (object) => {
    const status = ((object as Draft<Pod>).status ??= {});
    const others = (status.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
    status.conditions = [
      ...others,
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'EvictionByEvictionAPI',
        message: 'Eviction API: evicting',
        lastTransitionTime: isoSeconds(parts.clock.now()),
      },
    ];
  });
}
