/** Counts again what is used of a quota: when it changes, when something it counts goes or is over, and now and then. Upstream: `pkg/controller/resourcequota`. */
import type { Informer, Informers } from '../../client/informer.ts';
import {
  type Change,
  type Controller,
  type ControllerParts,
  type Waking,
  wakes,
} from '../../controllers/controller.ts';
import { keyOf, type KubernetesObject, type ResourceType } from '../../object.ts';
import { resourceQuotas } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { ResourceQuota } from '../../types.ts';
import { equal, growth } from './amounts.ts';
import { createCounter, typesOf } from './counter.ts';
import { usageOf } from './usage.ts';

/** What was claimed for objects that never came is found at the latest by then. */
const resyncMs = 5 * 60 * 1000;

export function quotaController({ informers }: Pick<ControllerParts, 'informers'>): Controller {
  const quotas = informers.of(resourceQuotas);
  const counter = createCounter(informers);
  return {
    name: 'resourcequota-controller',
    wokenBy: [wakes(quotas, ({ now }) => (now ? [keyOf(now)] : [])), whenFreed(informers, quotas)],
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

/** Follows the resources that quotas speak of, from when the first one does: most clusters have no quota, and need no copy of everything. */
function whenFreed(informers: Informers, quotas: Informer<ResourceQuota>): Waking {
  return {
    synced: () => quotas.synced(),
    start(add) {
      const followed = new Map<ResourceType, () => void>();
      const follow = (type: ResourceType) =>
        informers.of<KubernetesObject>(type).onChange((change) => {
          if (!frees(type, change)) return;
          for (const quota of quotas.list(change.before?.metadata?.namespace)) add(keyOf(quota));
        });
      const end = quotas.onChange(({ now }) => {
        for (const type of typesOf(now?.spec?.hard ?? {})) if (!followed.has(type)) followed.set(type, follow(type));
      });
      return () => {
        end();
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
