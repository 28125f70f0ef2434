/** Counts again what is used of a quota: when it changes, when something it counts goes or is over, and now and then. Upstream: `pkg/controller/resourcequota`. */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import {
  type Change,
  type Controller,
  type ControllerParts,
  type Waking,
  wakes,
} from '../../controllers/controller.ts';
import { keyOf, type KubernetesObject, qualifiedResource, type ResourceType } from '../../object.ts';
import { resourceQuotas } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { ResourceQuota } from '../../types.ts';
import { equal, growth } from './amounts.ts';
import { createCounter, typesOf } from './counter.ts';
import { usageOf } from './usage.ts';

/** What was claimed for objects that never came is found at the latest by then. */
const resyncMs = 5 * 60 * 1000;

export function quotaController({
  informers,
  resources,
}: Pick<ControllerParts, 'informers' | 'resources'>): Controller {
  const quotas = informers.of(resourceQuotas);
  const counter = createCounter(informers, () => resources);
  return {
    name: 'resourcequota-controller',
    wokenBy: [
      wakes(quotas, (change) => (isToBeCounted(change) ? [keyOf(change.now!)] : [])),
      whenFreed({ informers, resources, quotas }),
    ],
    reads: [[resourceQuotas, quotas]],
    async reconcile(key, { api, signal }) {
      const quota = quotas.get(key);
      if (!quota) return undefined;
      const hard = quota.spec?.hard ?? {};
      const used = await counter.count(quota);
      if (!equal(hard, quota.status?.hard ?? {}) || !equal(used, quota.status?.used ?? {}))
        await api
          .update(resourceQuotas, { ...quota, status: { hard, used } }, { subresource: 'status', signal })
          .catch((error: unknown) => {
            if (!isStatusError(error, 'NotFound')) throw error;
          });
      return { afterMs: resyncMs };
    },
  };
}

/** A quota that bounds something else than before, or whose status says that it does. Not one that was claimed from: what was claimed may not be there yet, and would be taken for nothing. */
function isToBeCounted({ now, before }: Change<ResourceQuota>): boolean {
  if (!now) return false;
  return !isDeepStrictEqual(now.spec, before?.spec) || !equal(now.spec?.hard ?? {}, now.status?.hard ?? {});
}

/** Follows the resources that quotas speak of, from when the first one does: most clusters have no quota, and need no copy of everything. */
function whenFreed({
  informers,
  resources,
  quotas,
}: Pick<ControllerParts, 'informers' | 'resources'> & { readonly quotas: Informer<ResourceQuota> }): Waking {
  return {
    synced: () => quotas.synced(),
    start(add) {
      const followed = new Map<string, () => void>();
      const follow = (type: ResourceType) =>
        informers.of<KubernetesObject>(type).onChange((change) => {
          if (!frees(type, change)) return;
          for (const quota of quotas.list(change.before?.metadata?.namespace)) add(keyOf(quota));
        });
      const followAll = (quota: ResourceQuota | undefined) => {
        for (const type of typesOf(quota?.spec?.hard ?? {}, resources)) {
          const name = qualifiedResource(type);
          if (!followed.has(name)) followed.set(name, follow(type));
        }
      };
      const end = quotas.onChange(({ now }) => followAll(now));
      // A custom resource may come after the quota that counts it, go, and come again.
      const endServed = resources.onChange(() => {
        const served = new Set(resources.all().map(qualifiedResource));
        for (const [name, stop] of followed) {
          if (served.has(name)) continue;
          followed.delete(name);
          stop();
        }
        for (const quota of quotas.list()) followAll(quota);
      });
      return () => {
        end();
        endServed();
        for (const stop of followed.values()) stop();
      };
    },
  };
}

/** True if the change gave something back. What grew was claimed when it was admitted, and is not counted twice. */
function frees(type: ResourceType, { now, before }: Change<KubernetesObject>): boolean {
  if (!before) return false;
  return !now || Object.keys(growth(usageOf(type, before), usageOf(type, now))).length > 0;
}
