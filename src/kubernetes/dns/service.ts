import type { ApiClient } from '../client/client.ts';
import type { ClusterSettings } from '../cluster-settings.ts';
import { services } from '../resources.ts';
import { isStatusError } from '../status.ts';

/**
 * Makes the object `kube-system/kube-dns` unless it is there: what people look at to find the cluster's resolver. It has no selector; its address is
 * answered by the machine a pod runs on (`proxy/`). The namespace must exist.
 */
export async function ensureDnsService(
  client: ApiClient,
  { dnsAddress }: Pick<ClusterSettings, 'dnsAddress'>,
): Promise<void> {
  const labels = {
    'k8s-app': 'kube-dns',
    'kubernetes.io/cluster-service': 'true',
    'kubernetes.io/name': 'CoreDNS',
  };
  const port = (name: string, protocol: string) => ({ name, protocol, port: 53, targetPort: 53 });
  try {
    await client.create(services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace: 'kube-system', labels },
      spec: {
        type: 'ClusterIP',
        clusterIP: dnsAddress,
        clusterIPs: [dnsAddress],
        ports: [port('dns', 'UDP'), port('dns-tcp', 'TCP')],
      },
    });
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  }
}
