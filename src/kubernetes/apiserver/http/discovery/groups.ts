/** The groups and versions of a cluster, its own and those that other servers serve. */
import { parseApiVersion } from '../../../object.ts';
import type { ApiParts } from '../../parts.ts';

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

export interface Group {
  readonly name: string;
  /** Preferred first. */
  readonly versions: readonly string[];
}

/** What discovery tells of. */
export type Told = Pick<ApiParts, 'catalog' | 'remoteApis'>;

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
function compareVersions(a: string, b: string): number {
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
