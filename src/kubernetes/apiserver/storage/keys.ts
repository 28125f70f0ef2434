/** Where the objects of a cluster lie in the store: `kubernetes/<tenant>/<clusterId>/registry/<group>/<resource>/[<namespace>/]<name>`. */
import type { ObjectName, ResourceType } from '../../object.ts';

/** The beginning of every key of a cluster. */
export function clusterPrefix({ tenant, id }: { readonly tenant: string; readonly id: string }): string {
  return `kubernetes/${tenant}/${id}/`;
}

/** The beginning of the keys of all objects of all resources. */
export function registryPrefix(cluster: { readonly tenant: string; readonly id: string }): string {
  return `${clusterPrefix(cluster)}registry/`;
}

/** `apps/deployments/`: what follows the registry's prefix. The core group is called `core`. */
export function resourcePath({ group, resource }: Pick<ResourceType, 'group' | 'resource'>): string {
  return `${group || 'core'}/${resource}/`;
}

/** `namespace/name` or `name`: what follows the resource's path. */
export function objectPath({ namespace, name }: ObjectName): string {
  return namespace ? `${namespace}/${name}` : name;
}
