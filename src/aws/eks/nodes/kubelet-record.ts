import type { KubeletRecord } from '#kubernetes/kubelet';
import { addressAt } from '#network';
import type { Compare, Operation } from '#store';
import { endpointOf } from '../cluster-view.ts';
import type { ClusterKeys, ClusterRecord } from '../records.ts';

/** Service address of cluster DNS: the tenth of the range. */
const DNS_OFFSET = 10;

/** What is known of a node before its kubelet can be told. */
export interface NodeFacts {
  readonly id: string;
  readonly nodeName: string;
  readonly zone: string;
  readonly networkInterfaceId: string;
  readonly labels: KubeletRecord['labels'];
  readonly taints: KubeletRecord['taints'];
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly maxPods: number;
}

/** What a machine must know to be a node of the cluster. Throws when the cluster never was up. */
export async function kubeletRecord(
  cluster: ClusterRecord,
  keys: ClusterKeys,
  facts: NodeFacts,
  parts: Parameters<typeof import('#kubernetes').createClientCertificate>[2],
): Promise<KubeletRecord> {
  const { createClientCertificate } = await import('#kubernetes');
  const server = endpointOf(cluster);
  if (!server) throw new Error(`cluster ${cluster.name} has no endpoint`);
  const user = { username: `system:node:${facts.nodeName}`, groups: ['system:nodes'] };
  const { certificatePem, keyPem } = await createClientCertificate(keys.ca, { ...user, lifeMs: TEN_YEARS_MS }, parts);
  return {
    ...facts,
    tenant: cluster.account,
    region: cluster.region,
    cluster: {
      id: cluster.id,
      name: cluster.name,
      server,
      certificateAuthorityPem: keys.ca.certificatePem,
      dnsAddress: addressAt(cluster.serviceCidr, DNS_OFFSET),
      domain: 'cluster.local',
      serviceCidr: cluster.serviceCidr,
    },
    certificatePem,
    keyPem,
    providerId: `aws:///${facts.zone}/${facts.id}`,
  };
}

/** A node's certificate is good as long as the node is its cluster's: it ends with the authority, not before. */
const TEN_YEARS_MS = 10 * 365 * 24 * 3_600_000;

/** A node that is not there yet, and what a transaction must compare and write for it to be. */
export interface PlannedNode {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}
