import { addressAt } from '#network';
import type { ClusterSettings } from '#kubernetes';
import { issuerOf } from '../cluster-view.ts';
import type { ClusterKeys, ClusterRecord } from '../records.ts';

/** Which address of the service range is cluster DNS: Amazon EKS User Guide, "clusterDNS". */
const DNS_OFFSET = 10;

/** The names by which an API server is reached, beside its service address. */
const serverNames = [
  '127.0.0.1',
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

export function settingsOf(record: ClusterRecord & { readonly port: number }, keys: ClusterKeys): ClusterSettings {
  return {
    id: record.id,
    name: record.name,
    tenant: record.account,
    serviceCidr: record.serviceCidr,
    dnsAddress: addressAt(record.serviceCidr, DNS_OFFSET),
    domain: 'cluster.local',
    port: record.port,
    serverNames: [...serverNames, addressAt(record.serviceCidr, 1)],
    ca: keys.ca,
    serviceAccountKey: keys.serviceAccountKey,
    issuer: issuerOf(record),
  };
}
