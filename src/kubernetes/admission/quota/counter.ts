/** Counts what is used of a quota, from the copies of everything it may be about. */
import type { Informers } from '../../client/informer.ts';
import type { ServedResources } from '../../client/served-resources.ts';
import { type KubernetesObject, qualifiedResource, type ResourceType } from '../../object.ts';
import * as resources from '../../resources.ts';
import type { ResourceQuota } from '../../types.ts';
import type { Amounts } from '../pod-resources.ts';
import { mask, plus } from './amounts.ts';
import { isInScope } from './scope.ts';
import { usageOf } from './usage.ts';

export interface Counter {
  count(quota: ResourceQuota): Promise<Amounts>;
}

/** Kinds that come and go with every breath of a cluster; upstream counts none of these either. */
const uncounted = new Set(['events', 'events.events.k8s.io', 'leases.coordination.k8s.io']);

/** The built-in resources that names in a quota can speak of. */
const countable: readonly ResourceType[] = Object.values(resources).filter(isCountable);
const builtIn = new Set(Object.values(resources).map(qualifiedResource));

function isCountable(type: ResourceType): boolean {
  return type.isNamespaced && !uncounted.has(qualifiedResource(type));
}

/** `served` is asked for custom resources, which are counted by `count/foos.example.com`. */
export function createCounter(informers: Informers, served: () => ServedResources): Counter {
  return {
    async count(quota) {
      const hard = quota.spec?.hard ?? {};
      let used: Amounts = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']));
      for (const type of typesOf(hard, served())) {
        const copies = informers.of<KubernetesObject>(type);
        await copies.synced();
        for (const object of copies.list(quota.metadata?.namespace))
          if (isInScope(quota, type, object)) used = plus(used, mask(usageOf(type, object), hard));
      }
      return used;
    },
  };
}

/** The resources a quota is about, by the names in it. */
export function typesOf(hard: Amounts, served: ServedResources): readonly ResourceType[] {
  const names = Object.keys(hard);
  const isCustomNamed = names.some((name) => name.startsWith('count/') && !builtIn.has(name.slice('count/'.length)));
  const custom = isCustomNamed
    ? served.all().filter((type) => isCountable(type) && !builtIn.has(qualifiedResource(type)))
    : [];
  return [...countable, ...custom].filter((type) => names.some((name) => speaksOf(name, type)));
}

/** `cpu`, `requests.memory`, `limits.ephemeral-storage`, `requests.nvidia.com/gpu`. */
const computeName =
  /^(?:(?:requests\.|limits\.)?(?:cpu|memory|ephemeral-storage|hugepages-[^/]+)|requests\.[^/]+\.[^/]+\/.+)$/;

function speaksOf(name: string, type: ResourceType): boolean {
  if (name === `count/${qualifiedResource(type)}`) return true;
  if (type.group !== '') return false;
  switch (type.resource) {
    case 'pods':
      return name === 'pods' || computeName.test(name);
    case 'services':
      return name === 'services' || name.startsWith('services.');
    case 'persistentvolumeclaims':
      return (
        name === 'persistentvolumeclaims' ||
        name === 'requests.storage' ||
        name.includes('.storageclass.storage.k8s.io/')
      );
    default:
      return name === type.resource;
  }
}
