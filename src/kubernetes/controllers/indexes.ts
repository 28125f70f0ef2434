/** The copies that several controllers read, with the indexes they share. */
import type { Informer, Informers } from '../client/informer.ts';
import type { KubernetesObject, ResourceType } from '../object.ts';
import { pods } from '../resources.ts';
import type { Pod } from '../types.ts';
import { controllerOf } from './ownership.ts';

/** Owned objects by the uid of their controller, orphans by their namespace. */
function byController<T extends KubernetesObject>(object: T): readonly string[] {
  return [controllerOf(object)?.uid ?? `orphans/${object.metadata?.namespace ?? ''}`];
}

export function podsIn(informers: Informers): Informer<Pod> {
  return informers.of(pods, {
    indexes: {
      controller: byController,
      node: ({ spec }) => (spec?.nodeName ? [spec.nodeName] : []),
      namespace: ({ metadata }) => [metadata?.namespace ?? ''],
    },
  });
}

/** A copy of a resource whose objects are made by controllers. */
export function ownedIn<T extends KubernetesObject>(informers: Informers, type: ResourceType<T>): Informer<T> {
  return informers.of(type, { indexes: { controller: byController } });
}

/** What `owner` controls, and what in its namespace nobody does. */
export function candidatesOf<T extends KubernetesObject>(informer: Informer<T>, owner: KubernetesObject): readonly T[] {
  const { uid, namespace } = owner.metadata!;
  return [...informer.by('controller', uid!), ...informer.by('controller', `orphans/${namespace}`)];
}
