/**
 * What a service and its endpoint slices mean for packets: kube-proxy's rules (kubernetes `pkg/proxy`, "CategorizeEndpoints"). All the rules of a cluster are
 * put in force together, so whatever is no plain IPv4 address or port is left out here, however it got into an object.
 */
import { isIPv4 } from 'node:net';
import type { ServiceBackend, ServicePort, ServiceRouting, TransportProtocol } from '#network';
import { keyOf } from '../object.ts';
import type { EndpointSlice, Service } from '../types.ts';

const [DEFAULT_AFFINITY_S, MAX_AFFINITY_S] = [10_800, 86_400] as const;
const ZONE_LABEL = 'topology.kubernetes.io/zone';
const TOPOLOGY_ANNOTATIONS = ['service.kubernetes.io/topology-mode', 'service.kubernetes.io/topology-aware-hints'];

/** A node of the cluster, as routing sees it. */
export interface ProxyNode {
  readonly name: string;
  readonly zone: string | undefined;
}

export function zoneOf(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  return labels?.[ZONE_LABEL];
}

type Endpoint = EndpointSlice['endpoints'][number];
type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number];

/** Nothing for a service that has no address of its own: headless ones and external names. */
export function servicePorts(
  service: Service,
  slices: readonly EndpointSlice[],
  nodes: readonly ProxyNode[],
): readonly ServicePort[] {
  const { spec, status } = service;
  if (!spec || spec.type === 'ExternalName' || !spec.clusterIP || spec.clusterIP === 'None') return [];
  const timeoutS = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_S;
  const affinityS =
    spec.sessionAffinity === 'ClientIP' ? Math.min(Math.max(Math.trunc(timeoutS), 1), MAX_AFFINITY_S) : undefined;
  const balancers = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
    ip && ipMode !== 'Proxy' ? [ip] : [],
  );
  const ports = (spec.ports ?? []).filter(({ port, nodePort }) => isPort(port) && (!nodePort || isPort(nodePort)));
  return ports.map((port) => {
    const { internal, external } = routingsOf(service, port, slices, nodes);
    return {
      id: `${keyOf(service)}/${port.name ?? ''}`,
      protocol: protocolOf(port.protocol),
      port: port.port,
      addresses: onlyIpv4(spec.clusterIPs ?? [spec.clusterIP!]),
      externalAddresses: onlyIpv4([...(spec.externalIPs ?? []), ...balancers]),
      ...(port.nodePort ? { nodePort: port.nodePort } : {}),
      ...(affinityS === undefined ? {} : { affinityS }),
      internal,
      external,
    };
  });
}

function routingsOf(
  service: Service,
  port: Port,
  slices: readonly EndpointSlice[],
  nodes: readonly ProxyNode[],
): { readonly internal: ServiceRouting; readonly external: ServiceRouting } {
  const { spec } = service;
  const targets = usable(targetsOf(port, slices));
  const clusterWide = preferringNear(service, targets, nodes);
  return {
    internal: spec?.internalTrafficPolicy === 'Local' ? onOwnNode(targets) : clusterWide,
    external: spec?.externalTrafficPolicy === 'Local' ? onOwnNode(targets) : clusterWide,
  };
}

interface Target extends ServiceBackend {
  readonly endpoint: Endpoint;
}

function targetsOf({ name = '', protocol = 'TCP' }: Port, slices: readonly EndpointSlice[]): readonly Target[] {
  const targets = slices.flatMap(({ endpoints, ports }) => {
    const numbers = (ports ?? []).filter((port) => (port.name ?? '') === name && (port.protocol ?? 'TCP') === protocol);
    return numbers.flatMap(({ port }) =>
      !isPort(port)
        ? []
        : endpoints.flatMap((endpoint) => onlyIpv4(endpoint.addresses).map((address) => ({ address, port, endpoint }))),
    );
  });
  // While endpoints move between slices, one may stand in two.
  return [...new Map(targets.map((target) => [`${target.address}:${target.port}`, target])).values()];
}

/** The ready ones; without any, those that end but still serve, so that the last copies of a rollout are not cut off. */
function usable(targets: readonly Target[]): readonly Target[] {
  const ready = targets.filter(({ endpoint: { conditions } }) => conditions?.ready !== false);
  if (ready.length > 0) return ready;
  return targets.filter(({ endpoint: { conditions } }) => conditions?.serving && conditions.terminating);
}

function everywhere(targets: readonly Target[]): ServiceRouting {
  return { kind: 'everywhere', backends: targets.map(backendOf) };
}

function onOwnNode(targets: readonly Target[]): ServiceRouting {
  if (targets.length === 0) return everywhere(targets);
  const byNode = Map.groupBy(targets, ({ endpoint }) => endpoint.nodeName ?? '');
  return { kind: 'by-node', backends: new Map(Array.from(byNode, ([node, own]) => [node, own.map(backendOf)])) };
}

/**
 * Each node's own endpoints, or those for its zone, where hints say so: every endpoint must have one, and some endpoint one for this node. Other nodes use them
 * all. Behaviour: kubernetes `pkg/proxy/topology.go`.
 */
function preferringNear(service: Service, targets: readonly Target[], nodes: readonly ProxyNode[]): ServiceRouting {
  if (!prefersNear(service) || targets.length === 0) return everywhere(targets);
  const areForNodes = targets.every(({ endpoint }) => endpoint.hints?.forNodes?.length);
  const areForZones = targets.every(({ endpoint }) => endpoint.hints?.forZones?.length);
  const all = targets.map(backendOf);
  const byZone = new Map<string | undefined, readonly ServiceBackend[]>();
  const zoneBackends = (zone: string | undefined) => {
    const known = byZone.get(zone);
    if (known) return known;
    const near = targets.filter(({ endpoint }) => endpoint.hints?.forZones?.some(({ name }) => name === zone));
    const backends = near.length > 0 && near.length < targets.length ? near.map(backendOf) : all;
    byZone.set(zone, backends);
    return backends;
  };
  const backendsOf = ({ name, zone }: ProxyNode) => {
    const own = areForNodes
      ? targets.filter(({ endpoint }) => endpoint.hints?.forNodes?.some((node) => node.name === name))
      : [];
    if (own.length > 0) return own.map(backendOf);
    return areForZones ? zoneBackends(zone) : all;
  };
  const byNode = new Map(nodes.map((node) => [node.name, backendsOf(node)]));
  return [...byNode.values()].every((backends) => backends === all)
    ? everywhere(targets)
    : { kind: 'by-node', backends: byNode };
}

function prefersNear({ metadata, spec }: Service): boolean {
  if (spec?.trafficDistribution) return true;
  return TOPOLOGY_ANNOTATIONS.some((name) => /^auto$/i.test(metadata?.annotations?.[name] ?? ''));
}

function backendOf({ address, port }: Target): ServiceBackend {
  return { address, port };
}

function onlyIpv4(addresses: readonly string[]): readonly string[] {
  return addresses.filter((address) => isIPv4(address));
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port > 0 && port <= 65_535;
}

export function protocolOf(protocol: string | undefined): TransportProtocol {
  if (protocol === 'UDP') return 'udp';
  return protocol === 'SCTP' ? 'sctp' : 'tcp';
}
