/** The copies that several controllers read, with the indexes they share. */
import type { Informer, InformerOptions, Informers } from '../client/informer.ts';
import { type KubernetesObject, qualifiedResource, type ResourceType } from '../object.ts';
import { endpointSlices, pods } from '../resources.ts';
import type { EndpointSlice, Pod } from '../types.ts';
import { controllerOf } from './ownership.ts';
import { claimNamesOf } from './persistentvolume/matching.ts';

/** Owned objects by the uid of their controller, orphans by their namespace. */
function byController<T extends KubernetesObject>(object: T): readonly string[] {
  return [controllerOf(object)?.uid ?? `orphans/${object.metadata?.namespace ?? ''}`];
}

/** Copies with indexes, made once for all controllers of a cluster. */
const shared = new WeakMap<Informers, Map<string, Informer<KubernetesObject>>>();

function sharedCopy<T extends KubernetesObject>(
  informers: Informers,
  type: ResourceType<T>,
  indexes: NonNullable<InformerOptions<T>['indexes']>,
): Informer<T> {
  const copies = shared.get(informers) ?? new Map<string, Informer<KubernetesObject>>();
  shared.set(informers, copies);
  const name = qualifiedResource(type);
  const copy = copies.get(name) ?? informers.of(type, { indexes });
  copies.set(name, copy);
  // The name stands for the type of the objects.
  return copy as unknown as Informer<T>;
}

export function podsIn(informers: Informers): Informer<Pod> {
  return sharedCopy(informers, pods, {
    controller: byController,
    node: ({ spec }) => (spec?.nodeName ? [spec.nodeName] : []),
    claim: (pod) => claimNamesOf(pod).map(({ name }) => `${pod.metadata!.namespace}/${name}`),
  });
}

/** A copy of a resource whose objects are made by controllers. */
export function ownedIn<T extends KubernetesObject>(informers: Informers, type: ResourceType<T>): Informer<T> {
  return sharedCopy(informers, type, { controller: byController });
}

/** Slices by the key of their service. */
export function slicesIn(informers: Informers): Informer<EndpointSlice> {
  return sharedCopy(informers, endpointSlices, {
    service: ({ metadata }) => [`${metadata?.namespace}/${metadata?.labels?.['kubernetes.io/service-name'] ?? ''}`],
  });
}

/** What `owner` controls, and what in its namespace nobody does. */
export function candidatesOf<T extends KubernetesObject>(informer: Informer<T>, owner: KubernetesObject): readonly T[] {
  const { uid, namespace } = owner.metadata!;
  return [...informer.by('controller', uid!), ...informer.by('controller', `orphans/${namespace}`)];
}
