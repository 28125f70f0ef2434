import type { Informer, Informers } from '../client/informer.ts';
import { keyOf } from '../object.ts';
import { endpointSlices, namespaces, networkPolicies, nodes, pods, services } from '../resources.ts';
import type { EndpointSlice, Namespace, NetworkPolicy, Node, Pod, Service } from '../types.ts';

const SERVICE_LABEL = 'kubernetes.io/service-name';

/** The copies of a cluster's objects that its network is made from. */
export interface NetworkCopies {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
  readonly policies: Informer<NetworkPolicy>;
}

/** Slices are found by the key of their service and by their endpoints' addresses, services by their own addresses. */
export function networkCopies(informers: Informers): NetworkCopies {
  return {
    services: informers.of(services, { indexes: { address: ({ spec }) => spec?.clusterIPs ?? [] } }),
    slices: informers.of(endpointSlices, {
      indexes: {
        service: (slice) => [serviceKeyOf(slice) ?? ''],
        address: ({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses),
      },
    }),
    nodes: informers.of(nodes),
    pods: informers.of(pods),
    namespaces: informers.of(namespaces),
    policies: informers.of(networkPolicies),
  };
}

/** The key of the service a slice is of. */
export function serviceKeyOf({ metadata }: EndpointSlice): string | undefined {
  const name = metadata?.labels?.[SERVICE_LABEL];
  return name === undefined ? undefined : keyOf({ metadata: { ...metadata, name } });
}

/** The IPv4 slices of a service. */
export function slicesOf(slices: Informer<EndpointSlice>, serviceKey: string): readonly EndpointSlice[] {
  return slices.by('service', serviceKey).filter(({ addressType }) => addressType === 'IPv4');
}
