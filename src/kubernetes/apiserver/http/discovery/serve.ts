/** What a cluster serves, told in both ways: a list a group, and all at once. Source: apiserver `endpoints/discovery`. */
import { apiVersionOf } from '../../../object.ts';
import type { Served } from '../../catalog.ts';
import type { Resource } from '../../resource.ts';
import type { Exchange } from '../exchange.ts';
import { notFoundPath } from '../refusals.ts';
import { sendBytes, sendObject } from '../respond.ts';
import { aggregated, aggregatedGroup, aggregatedVersion } from './aggregated.ts';
import { type Group, groupsOf, type Told } from './groups.ts';
import { byName, byPlural, responseKind, verbsOf } from './kinds.ts';

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
