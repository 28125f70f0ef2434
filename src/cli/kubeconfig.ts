/** A kubeconfig of the clusters there are, as `aws eks update-kubeconfig` writes it for one: entries are named by ARN, users by a call of `aws eks get-token`. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse, stringify } from 'yaml';
import type { ClusterAccess } from '#daemon';
import { systemCode } from '#base';

interface Entry {
  readonly name: string;
}

/** What we read of the file; the rest is kept as it is. */
interface Kubeconfig {
  readonly 'current-context'?: string | undefined;
  readonly clusters?: readonly Entry[] | null;
  readonly contexts?: readonly Entry[] | null;
  readonly users?: readonly Entry[] | null;
}

/** Brings the file up to date and returns whether it names a cluster. What the user added, the context chosen, and what contexts say stay. */
export function writeKubeconfig(path: string, clusters: readonly ClusterAccess[]): boolean {
  const next = mergedKubeconfig(readKubeconfig(path), clusters);
  if (!next.clusters.length) return false;
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  writeFileSync(`${path}.new`, stringify(next), { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  return true;
}

export function mergedKubeconfig(before: Kubeconfig, clusters: readonly ClusterAccess[]) {
  const ours = new Map(clusters.map((cluster) => [cluster.arn, cluster]));
  // Clusters of EKS that are gone; what the user calls otherwise is the user's.
  const others = (entries: readonly Entry[] | null | undefined) =>
    (entries ?? []).filter(({ name }) => !name.startsWith('arn:aws:eks:'));
  const known = new Map((before.contexts ?? []).map((context) => [context.name, context]));
  const contexts = [
    ...others(before.contexts),
    ...clusters.map(({ arn }) => known.get(arn) ?? { name: arn, context: { cluster: arn, user: arn } }),
  ];
  const current = before['current-context'];
  const isThere = contexts.some(({ name }) => name === current);
  return {
    apiVersion: 'v1',
    kind: 'Config',
    preferences: {},
    ...before,
    clusters: [
      ...others(before.clusters),
      ...[...ours.values()].map(({ arn, endpoint, certificateAuthorityData }) => ({
        name: arn,
        cluster: { server: endpoint, 'certificate-authority-data': certificateAuthorityData },
      })),
    ],
    contexts,
    users: [
      ...others(before.users),
      ...[...ours.values()].map((cluster) => ({ name: cluster.arn, user: userOf(cluster) })),
    ],
    'current-context': isThere ? current : (contexts[0]?.name ?? ''),
  };
}

function userOf({ name, region }: ClusterAccess) {
  const args = ['--region', region, 'eks', 'get-token', '--cluster-name', name, '--output', 'json'];
  return { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command: 'aws', args } };
}

function readKubeconfig(path: string): Kubeconfig {
  try {
    // Ours, or what kubectl made of it.
    return (parse(readFileSync(path, 'utf8')) as Kubeconfig | null) ?? {};
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return {};
    throw error;
  }
}
