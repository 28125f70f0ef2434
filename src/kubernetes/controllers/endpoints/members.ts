/** Which pods serve for a service, and how each is told. Behaviour: kubernetes `endpointslice` and `pkg/controller/util/endpoint`. */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { labelSelectorOfMap, matches } from '../../selector.ts';
import type { EndpointSlice, Node, Pod, Service } from '../../types.ts';
import type { Change } from '../controller.ts';
import { isDeleting, metaOf } from '../meta.ts';
import { isFinished, isReady } from '../pods.ts';

export type Endpoint = EndpointSlice['endpoints'][number];
export type EndpointPort = NonNullable<EndpointSlice['ports']>[number];
type ServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

/** A service whose endpoints follow its selector. */
export function hasSelector({ spec }: Service): boolean {
  return spec?.selector !== undefined && Object.keys(spec.selector).length > 0 && spec.type !== 'ExternalName';
}

/** Pods that the service selects and that have an address. */
export function membersOf(service: Service, pods: Informer<Pod>): readonly Pod[] {
  const selector = labelSelectorOfMap(service.spec?.selector);
  return pods
    .list(service.metadata!.namespace)
    .filter((pod) => addressOf(pod) && !isFinished(pod) && matches(selector, pod.metadata?.labels));
}

export function addressOf({ status }: Pod): string | undefined {
  return status?.podIP || status?.podIPs?.[0]?.ip;
}

/** Values of `trafficDistribution` by which traffic stays in its zone: kubernetes `endpointslice/trafficdist`. */
const keepsClose = new Set(['PreferClose', 'PreferSameZone']);

/** The pod as an endpoint of a service. */
export function endpointOf(pod: Pod, service: Service, nodes: Informer<Node>): Endpoint {
  const { namespace, name, uid } = metaOf(pod);
  const { nodeName, hostname, subdomain } = pod.spec!;
  const zone = nodeName ? nodes.get(nodeName)?.metadata?.labels?.['topology.kubernetes.io/zone'] : undefined;
  const isServing = isReady(pod);
  const isTerminating = isDeleting(pod);
  const isNamed = hostname && subdomain === service.metadata!.name;
  const isKeptClose = keepsClose.has(service.spec?.trafficDistribution ?? '') && zone && isServing && !isTerminating;
  return {
    addresses: [addressOf(pod)!],
    conditions: {
      ready: (service.spec?.publishNotReadyAddresses ?? false) || (isServing && !isTerminating),
      serving: isServing,
      terminating: isTerminating,
    },
    ...(isNamed && { hostname }),
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
    ...(isKeptClose && { hints: { forZones: [{ name: zone }] } }),
    targetRef: { kind: 'Pod', ...(namespace && { namespace }), name, uid },
  };
}

/** The service's ports as the pod has them: a name is looked up in its containers. */
export function portsOf(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port): EndpointPort[] => {
    const number = portNumber(port, pod);
    if (number === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = port;
    return [{ name, port: number, protocol, ...(appProtocol && { appProtocol }) }];
  });
}

function portNumber({ targetPort, port, protocol = 'TCP' }: ServicePort, { spec }: Pod): number | undefined {
  if (targetPort === undefined || targetPort === 0 || targetPort === '') return port;
  if (typeof targetPort === 'number') return targetPort;
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const container of [...(spec?.containers ?? []), ...sidecars])
    for (const candidate of container.ports ?? [])
      if (candidate.name === targetPort && (candidate.protocol ?? 'TCP') === protocol) return candidate.containerPort;
  return undefined;
}

/** Keys of the services that a change of a pod concerns; changes that no endpoint shows concern none. */
export function servicesOfChange(services: Informer<Service>, { now, before }: Change<Pod>): readonly string[] {
  if (now && before && isSameMember(now, before)) return [];
  const { namespace } = (now ?? before)!.metadata!;
  return services
    .list(namespace)
    .filter((service) => {
      if (!hasSelector(service)) return false;
      const selector = labelSelectorOfMap(service.spec!.selector);
      return [now, before].some((pod) => pod && matches(selector, pod.metadata?.labels));
    })
    .map(keyOf);
}

function isSameMember(now: Pod, before: Pod): boolean {
  return (
    addressOf(now) === addressOf(before) &&
    now.metadata?.uid === before.metadata?.uid &&
    isReady(now) === isReady(before) &&
    isDeleting(now) === isDeleting(before) &&
    isFinished(now) === isFinished(before) &&
    now.spec?.nodeName === before.spec?.nodeName &&
    isDeepStrictEqual(now.metadata?.labels, before.metadata?.labels)
  );
}
