/** What a cluster serves, told in both ways: a list a group, and all at once. Source: apiserver `endpoints/discovery`, apidiscovery.k8s.io/v2. */
import { apiVersionOf, type GroupVersion, parseApiVersion } from '../../object.ts';
import { notFoundPath } from './refusals.ts';
import type { RemoteResource } from '../aggregation/remote-apis.ts';
import type { Served } from '../catalog.ts';
import type { ApiParts } from '../parts.ts';
import type { Resource, Subresource } from '../resource.ts';
import type { Exchange } from './exchange.ts';
import { readAccept } from './negotiate.ts';
import { sendBytes, sendObject } from './respond.ts';

/** Groups in the order `kubectl api-resources` and preferred versions go by; others follow by name. */
const groupOrder = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'resource.k8s.io',
];

interface Group {
  readonly name: string;
  /** Preferred first. */
  readonly versions: readonly string[];
}

/** What discovery tells of. */
type Told = Pick<ApiParts, 'catalog' | 'remoteApis'>;

export function groupsOf({ catalog, remoteApis }: Told): readonly Group[] {
  const versions = new Map<string, string[]>();
  for (const { group, version } of [...catalog.groupVersions().map(parseApiVersion), ...remoteApis.groupVersions()]) {
    const known = versions.get(group) ?? [];
    versions.set(group, known.includes(version) ? known : [...known, version]);
  }
  const rank = (name: string) => (groupOrder.includes(name) ? groupOrder.indexOf(name) : groupOrder.length);
  return [...versions]
    .map(([name, versions]) => ({ name, versions: versions.toSorted(compareVersions) }))
    .toSorted((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}

/** `v2` before `v1` before `v1beta1` before `foo`: apimachinery `version.CompareKubeAwareVersionStrings`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : 1;
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor;
}

function parseVersion(text: string) {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
  if (!match) return undefined;
  const stability = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
  return { stability, major: Number(match[1]), minor: Number(match[3] ?? 0) };
}

const aggregated = 'APIGroupDiscoveryList';

/** Which form a client prefers: `v2` or `v2beta1` of the aggregated list, or undefined for the plain one. */
function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of readAccept(accept)) {
    if (!['application/json', '*/*'].includes(type)) continue;
    const version = parameters.get('v');
    if (parameters.get('as') === aggregated && parameters.get('g') === 'apidiscovery.k8s.io')
      if (version === 'v2' || version === 'v2beta1') return version;
    if (!parameters.has('as')) return undefined;
  }
  return undefined;
}

/** Serves `/api`, `/apis`, `/api/v1`, `/apis/<group>` and `/apis/<group>/<version>`. Throws `NotFound`. */
export function serveDiscovery(parts: Told, exchange: Exchange): void {
  const [root, group, version] = exchange.url.pathname.split('/').filter(Boolean);
  if (root === 'api' && group === undefined) return serveRoot(parts, exchange, ['']);
  if (root === 'apis' && group === undefined) return serveRoot(parts, exchange, undefined);
  const groupVersion = root === 'api' ? { group: '', version: group! } : { group: group!, version };
  if (root === 'apis' && version === undefined) {
    const found = groupsOf(parts).find(({ name }) => name === group);
    if (!found) throw notFoundPath();
    return sendObject(exchange, { kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(found) });
  }
  const served = parts.catalog.resources({ group: groupVersion.group, version: groupVersion.version! });
  if (!served.length) throw notFoundPath();
  sendObject(exchange, {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group: groupVersion.group, version: groupVersion.version! }),
    resources: served.toSorted(byPlural).flatMap(legacyResources),
  });
}

function byPlural(a: Served, b: Served): number {
  return a.resource.type.resource < b.resource.type.resource ? -1 : 1;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function serveRoot(parts: Told, exchange: Exchange, only: readonly string[] | undefined): void {
  const groups = groupsOf(parts).filter(({ name }) => (only ? only.includes(name) : name !== ''));
  exchange.response.setHeader('vary', 'Accept');
  const version = aggregatedVersion(exchange.request.headers.accept);
  if (version) {
    const items = groups.map((group) => aggregatedGroup(parts, group));
    const list = { kind: aggregated, apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
    const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=${aggregated}`;
    return sendBytes(exchange, Buffer.from(JSON.stringify(list)), { contentType });
  }
  if (only)
    return sendObject(exchange, {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: exchange.request.headers.host ?? '' }],
    });
  sendObject(exchange, { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(legacyGroup) });
}

function legacyGroup({ name, versions }: Group) {
  const all = versions.map((version) => ({ groupVersion: apiVersionOf({ group: name, version }), version }));
  return { name, versions: all, preferredVersion: all[0] };
}

function legacyResources({ resource, version }: Served): object[] {
  const { type, singular, shortNames, categories, verbs } = resource;
  const whole = {
    name: type.resource,
    singularName: singular,
    namespaced: type.isNamespaced,
    kind: version.kind,
    verbs,
    ...(shortNames.length && { shortNames }),
    ...(categories.length && { categories }),
    ...(verbs.includes('list') && { storageVersionHash: hashOf(resource) }),
  };
  const parts = [...resource.subresources].toSorted(byName).map(([name, part]) => {
    const { group, version: partVersion, kind } = responseKind(resource, version, part, name);
    return {
      name: `${type.resource}/${name}`,
      singularName: '',
      namespaced: type.isNamespaced,
      ...((group !== version.group || partVersion !== version.version) && { group, version: partVersion }),
      kind,
      verbs: verbsOf(part),
    };
  });
  return [whole, ...parts];
}

/** Tells storage versions apart; nobody reads more out of it. */
function hashOf({ type }: Resource): string {
  return Buffer.from(`${apiVersionOf(type)}/${type.kind}`)
    .toString('base64')
    .slice(0, 12);
}

/** Kinds of connections, whose options are kinds of their own. */
const connectKinds: { readonly [name: string]: string } = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
  log: 'Pod',
};

/** The kind of what a subresource takes and answers; of a connection, that of its options. */
export function responseKind(resource: Resource, version: Served['version'], part: Subresource, name: string) {
  if (part.kind === 'scale') return { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  if (part.kind === 'post') return part.bodyType;
  if (part.kind === 'connect') {
    const kind = name === 'proxy' ? `${resource.type.kind}ProxyOptions` : connectKinds[name]!;
    return { ...version, kind };
  }
  return version;
}

export function verbsOf(part: Subresource): readonly string[] {
  if (part.kind === 'scale') return ['get', 'patch', 'update'];
  return part.kind === 'post' ? ['create'] : part.verbs;
}

function aggregatedGroup({ catalog, remoteApis }: Told, { name, versions }: Group) {
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
