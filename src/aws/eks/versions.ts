import type { ClusterVersionInformation } from '@aws-sdk/client-eks';
import type { CallContext, Handlers } from '../service.ts';
import { invalidParameter } from './names.ts';
import { pageOf } from './pages.ts';

interface KubernetesVersion {
  readonly version: string;
  readonly patch: string;
  readonly released: string;
  readonly standardSupportEnds: string;
  readonly extendedSupportEnds: string;
}

/**
 * The versions a cluster may report: Amazon EKS User Guide, "Kubernetes release calendar". All are served by the same API server, whose schemas are those
 * of the newest; older ones are subsets of it.
 */
const versions: readonly KubernetesVersion[] = [
  {
    version: '1.32',
    patch: '1.32.9',
    released: '2025-01-23',
    standardSupportEnds: '2026-03-23',
    extendedSupportEnds: '2027-03-23',
  },
  {
    version: '1.33',
    patch: '1.33.5',
    released: '2025-05-29',
    standardSupportEnds: '2026-07-29',
    extendedSupportEnds: '2027-07-29',
  },
  {
    version: '1.34',
    patch: '1.34.1',
    released: '2025-10-02',
    standardSupportEnds: '2026-12-02',
    extendedSupportEnds: '2027-12-02',
  },
];

export const DEFAULT_VERSION = '1.34';
/** The release of dabba's own control plane, in the form of EKS's. */
export const PLATFORM_VERSION = 'eks.1';

/** The version a request asks for. Throws for one that is not offered. */
export function checkVersion(version: string | undefined): string {
  const wanted = version ?? DEFAULT_VERSION;
  if (!versions.some((known) => known.version === wanted))
    throw invalidParameter(`unsupported Kubernetes version ${wanted}`);
  return wanted;
}

/** The minor number of `1.34`. */
export function minorOf(version: string): number {
  return Number(version.split('.')[1]);
}

/** `1.34.1-20251112`: the release of the node image that goes with a version. */
export function nodeReleaseOf(version: string): string {
  return `${versions.find((known) => known.version === version)?.patch ?? version}-20251112`;
}

function toInformation(known: KubernetesVersion, now: number): ClusterVersionInformation {
  const inStandardSupport = now < Date.parse(known.standardSupportEnds);
  return {
    clusterVersion: known.version,
    clusterType: 'eks',
    defaultPlatformVersion: PLATFORM_VERSION,
    defaultVersion: known.version === DEFAULT_VERSION,
    releaseDate: new Date(known.released),
    endOfStandardSupportDate: new Date(known.standardSupportEnds),
    endOfExtendedSupportDate: new Date(known.extendedSupportEnds),
    status: inStandardSupport ? 'standard-support' : 'extended-support',
    versionStatus: inStandardSupport ? 'STANDARD_SUPPORT' : 'EXTENDED_SUPPORT',
    kubernetesPatchVersion: known.patch,
  };
}

export const versionHandlers = {
  DescribeClusterVersions(input, context: CallContext) {
    const rows = versions
      .map((known) => toInformation(known, context.now))
      .filter((row) => !input.defaultOnly || row.defaultVersion)
      .filter((row) => !input.clusterVersions?.length || input.clusterVersions.includes(row.clusterVersion!))
      .filter((row) => !input.versionStatus || row.versionStatus === input.versionStatus)
      .filter((row) => !input.status || row.status === input.status)
      .filter(() => input.clusterType === undefined || input.clusterType === 'eks');
    const { items, nextToken } = pageOf(rows, (row) => row.clusterVersion!, input);
    // Newest first, as EKS lists them.
    return { clusterVersions: items.reverse(), nextToken };
  },
} satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
