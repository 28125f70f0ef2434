/** What is in every cluster from the start, beside roles and namespaces: the API server's own service, and the classes of priority that the system's pods have. */
import type { ApiClient } from './client/client.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { localProvisioner } from './controllers/persistentvolume/provisioner.ts';
import type { KubernetesObject, ResourceType } from './object.ts';
import { endpoints, endpointSlices, priorityClasses, services, storageClasses } from './resources.ts';
import { isStatusError } from './status.ts';
import type { Endpoints, EndpointSlice, PriorityClass, Service, StorageClass } from './types.ts';

const inDefault = { namespace: 'default', name: 'kubernetes' };

/** May be repeated: what is there stays as it is. */
export async function bootstrapObjects(client: ApiClient, settings: ClusterSettings): Promise<void> {
  await Promise.all([
    createIfAbsent(client, services, apiService(settings)),
    ...systemPriorities.map((priority) => createIfAbsent(client, priorityClasses, priority)),
    createIfAbsent(client, storageClasses, localClass),
  ]);
}

/** Tells where the API server listens: the endpoint of its own service, in both forms. May be repeated, with another port too. */
export async function publishAddress(client: ApiClient, port: number): Promise<void> {
  await createOrReplace(client, endpointSlices, apiEndpointSlice(port));
  await createOrReplace(client, endpoints, apiEndpoints(port));
}

async function createOrReplace<T extends KubernetesObject>(
  client: ApiClient,
  type: ResourceType<T>,
  object: T,
): Promise<void> {
  try {
    await client.create(type, object);
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    await client.update(type, object);
  }
}

async function createIfAbsent<T extends KubernetesObject>(
  client: ApiClient,
  type: ResourceType<T>,
  object: T,
): Promise<void> {
  try {
    await client.create(type, object);
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  }
}

/** The first address of the service range, as upstream gives it. */
function apiService({ serviceCidr }: ClusterSettings): Service {
  return {
    metadata: { ...inDefault, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: serviceCidr.replace(/\.\d+\/\d+$/, '.1'),
      ports: [{ name: 'https', port: 443, targetPort: 6443, protocol: 'TCP' }],
    },
  };
}

/** The slice stands beside it, so nobody needs to mirror this. */
function apiEndpoints(port: number): Endpoints {
  return {
    metadata: { ...inDefault, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  };
}

function apiEndpointSlice(port: number): EndpointSlice {
  return {
    metadata: { ...inDefault, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}

/** `pkg/apis/scheduling/v1/helpers.go`, "SystemPriorityClasses". */
const systemPriorities: readonly PriorityClass[] = [
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
];

/** Volumes on the machine's own disk, for claims that ask for no other class. */
const localClass: StorageClass = {
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: localProvisioner.name,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
  allowVolumeExpansion: true,
};
