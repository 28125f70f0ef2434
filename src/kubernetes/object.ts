/** What every Kubernetes object has in common, and the names by which kinds and resources go. */
import type { ObjectMeta } from './types.ts';

export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

/** The group is empty for the core group. */
export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

export interface GroupVersionKind extends GroupVersion {
  readonly kind: string;
}

/**
 * A resource as clients name it: `{ group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment', isNamespaced: true }`.
 * The type parameter is the JSON shape of its objects.
 */
export interface ResourceType<T extends KubernetesObject = KubernetesObject> extends GroupVersionKind {
  /** Plural, lower case. */
  readonly resource: string;
  readonly isNamespaced: boolean;
  /** Never set: carries the object type. */
  readonly objectType?: T;
}

/** Which object of a resource; the namespace is absent for cluster-scoped ones. */
export interface ObjectName {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `v1`, `apps/v1`: the `apiVersion` of objects. */
export function apiVersionOf({ group, version }: GroupVersion): string {
  return group ? `${group}/${version}` : version;
}

/** Reads an `apiVersion`; the inverse of `apiVersionOf`. */
export function parseApiVersion(apiVersion: string): GroupVersion {
  const slash = apiVersion.indexOf('/');
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** `pods`, `deployments.apps`: how messages name a resource. */
export function qualifiedResource({ group, resource }: Pick<ResourceType, 'group' | 'resource'>): string {
  return group ? `${resource}.${group}` : resource;
}

/** `namespace/name`, or `name` alone: how caches and queues key an object. */
export function keyOf(object: KubernetesObject): string {
  const { namespace, name = '' } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}

/** Reads what `keyOf` wrote. */
export function nameOfKey(key: string): ObjectName {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
