/** Discovery of everything at once. Source: apidiscovery.k8s.io/v2. */
import type { GroupVersion } from '../../../object.ts';
import type { RemoteResource } from '../../aggregation/remote-apis.ts';
import type { Served } from '../../catalog.ts';
import { readAccept } from '../negotiate.ts';
import type { Group, Told } from './groups.ts';
import { byName, byPlural, responseKind, verbsOf } from './kinds.ts';

export const aggregated = 'APIGroupDiscoveryList';

/** Which form a client prefers: `v2` or `v2beta1` of the aggregated list, or undefined for the plain one. */
export function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of readAccept(accept)) {
    if (!['application/json', '*/*'].includes(type)) continue;
    const version = parameters.get('v');
    if (parameters.get('as') === aggregated && parameters.get('g') === 'apidiscovery.k8s.io')
      if (version === 'v2' || version === 'v2beta1') return version;
    if (!parameters.has('as')) return undefined;
  }
  return undefined;
}

export function aggregatedGroup({ catalog, remoteApis }: Told, { name, versions }: Group) {
  return {
    metadata: { name, creationTimestamp: null },
    versions: versions.map((version) => {
      const own = catalog.resources({ group: name, version }).toSorted(byPlural).map(aggregatedResource);
      const remote = remoteApis.find({ group: name, version });
      // What was heard once is told still, and that it is old.
      if (!remote || (!remote.isAvailable && own.length)) return { version, resources: own, freshness: 'Current' };
      const freshness = remote.isAvailable ? 'Current' : 'Stale';
      return { version, resources: aggregatedRemote({ group: name, version }, remote.resources), freshness };
    }),
  };
}

/** From one form of discovery to the other: subresources are entries of their own in a list. */
function aggregatedRemote(groupVersion: GroupVersion, resources: readonly RemoteResource[]) {
  const kindOf = ({ group, version, kind }: RemoteResource) => ({
    group: group ?? groupVersion.group,
    version: version ?? groupVersion.version,
    kind,
  });
  const wholes = resources.filter(({ name }) => !name.includes('/'));
  return wholes.map((resource) => {
    const parts = resources.filter(({ name }) => name.startsWith(`${resource.name}/`));
    return {
      resource: resource.name,
      responseKind: kindOf(resource),
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: resource.singularName ?? '',
      verbs: resource.verbs,
      ...(resource.shortNames && { shortNames: resource.shortNames }),
      ...(resource.categories && { categories: resource.categories }),
      ...(parts.length && {
        subresources: parts.map((part) => ({
          subresource: part.name.slice(resource.name.length + 1),
          responseKind: kindOf(part),
          verbs: part.verbs,
        })),
      }),
    };
  });
}

function aggregatedResource({ resource, version }: Served) {
  const { type, singular, shortNames, categories, verbs, subresources } = resource;
  return {
    resource: type.resource,
    responseKind: { group: version.group, version: version.version, kind: version.kind },
    scope: type.isNamespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length && { shortNames }),
    ...(categories.length && { categories }),
    ...(subresources.size && {
      subresources: [...subresources].toSorted(byName).map(([name, part]) => {
        const { group, version: partVersion, kind } = responseKind(resource, version, part, name);
        return { subresource: name, responseKind: { group, version: partVersion, kind }, verbs: verbsOf(part) };
      }),
    }),
  };
}
