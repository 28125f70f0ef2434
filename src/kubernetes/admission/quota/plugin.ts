/**
 * Quotas, claimed before an object exists: what a new object uses is added to the quota's status by compare-and-swap, so that of two creations at once only one
 * gets the last place. What is claimed and then not created is given back by the controller. Upstream: `apiserver/pkg/admission/plugin/resourcequota`.
 */
import type { AdmissionPlugin, AdmissionRequest } from '../../auth/user.ts';
import type { Informer } from '../../client/informer.ts';
import type { ServedResources } from '../../client/served-resources.ts';
import { pods, resourceQuotas } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Pod, ResourceQuota } from '../../types.ts';
import { creates, isOf, reader, refusal, type AdmissionParts } from '../plugin.ts';
import { amountsOfPod, requirementsIn, type Amounts } from '../pod-resources.ts';
import { describe, exceeding, growth, mask, plus } from './amounts.ts';
import { createCounter, type Counter } from './counter.ts';
import { isInScope } from './scope.ts';
import { usageOf } from './usage.ts';

/** Attempts to claim against others who claim of the same quota: each round one of them succeeds. */
const attempts = 100;

export interface QuotaParts extends Pick<AdmissionParts, 'client' | 'informers'> {
  /** What the cluster serves: quotas may count custom resources. */
  readonly resources: () => ServedResources;
}

export function resourceQuota({ client, informers, resources }: QuotaParts): AdmissionPlugin {
  const quotas = reader(informers.of(resourceQuotas));
  const counter = createCounter(informers, resources);

  return {
    name: 'ResourceQuota',
    async validate(request) {
      const { operation, subresource, namespace, object, type } = request;
      const isResize = isOf(type, pods) && subresource === 'resize';
      if (!namespace || !object || (subresource && !isResize)) return [];
      if (operation !== 'CREATE' && operation !== 'UPDATE') return [];
      const all = (await quotas()).list(namespace);
      if (all.length === 0) return [];
      for (const quota of all) if (isInScope(quota, type, object)) refuseSilent(request, quota);
      for (const quota of all) await claim({ request, quota, copies: await quotas() });
      return [];
    },
  };

  interface Claim {
    readonly request: AdmissionRequest;
    readonly quota: ResourceQuota;
    readonly copies: Informer<ResourceQuota>;
  }

  async function claim({ request, quota: first, copies }: Claim): Promise<void> {
    let quota: ResourceQuota | undefined = first;
    for (let attempt = 0; quota && attempt < attempts; attempt++) {
      const wanted = wantedOf(request, quota);
      if (Object.keys(wanted).length === 0) return;
      const next = await withClaim(request, quota, wanted, counter);
      if (request.isDryRun) return;
      try {
        await client.update(resourceQuotas, next, { subresource: 'status' });
        return;
      } catch (error) {
        // A quota that is gone bounds nobody.
        if (isStatusError(error, 'NotFound')) return;
        if (!isStatusError(error, 'Conflict')) throw error;
      }
      quota = copies.get(`${request.namespace}/${first.metadata!.name}`);
    }
    if (quota)
      throw refusal(request, `the quota ${first.metadata!.name} is changed by too many at once; try again later`);
  }
}

/** What the request adds to what the quota bounds. */
function wantedOf({ type, object, oldObject }: AdmissionRequest, quota: ResourceQuota): Amounts {
  const of = (value: typeof object) => (value && isInScope(quota, type, value) ? usageOf(type, value) : {});
  return mask(growth(of(object), of(oldObject)), quota.spec?.hard ?? {});
}

async function withClaim(
  request: AdmissionRequest,
  quota: ResourceQuota,
  wanted: Amounts,
  counter: Counter,
): Promise<ResourceQuota> {
  const hard = quota.spec?.hard ?? {};
  // A quota that the controller has not seen yet, or not since it changed, is counted here.
  const isCounted = Object.keys(hard).every((name) => quota.status?.used?.[name] !== undefined);
  const used = isCounted ? mask(quota.status!.used!, hard) : await counter.count(quota);
  const sum = plus(used, wanted);
  const over = exceeding(mask(sum, wanted), hard);
  if (over.length > 0)
    throw refusal(
      request,
      `exceeded quota: ${quota.metadata!.name}, requested: ${describe(wanted, over)}, used: ${describe(used, over)}, limited: ${describe(hard, over)}`,
    );
  return { ...quota, status: { hard, used: sum } };
}

/** Where requests or limits are bounded, every container must state them. */
function refuseSilent(request: AdmissionRequest, quota: ResourceQuota): void {
  if (!creates(request, pods)) return;
  const { spec } = request.object as Pod;
  const missing = Object.keys(quota.spec?.hard ?? {})
    .sort()
    .flatMap((name) => {
      const [, side = 'requests', resource = ''] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(name) ?? [];
      if (!resource) return [];
      const isStated = amountsOfPod({ spec: { containers: [], resources: spec?.resources ?? {} } }, side as 'requests')[
        resource
      ];
      const silent = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].filter(
        (container) => requirementsIn(container)[side as 'requests'][resource] === undefined,
      );
      return silent.length > 0 && !isStated
        ? [`${name} for: ${silent.map((container) => container.name).join(',')}`]
        : [];
    });
  if (missing.length > 0)
    throw refusal(request, `failed quota: ${quota.metadata!.name}: must specify ${missing.join('; ')}`);
}
