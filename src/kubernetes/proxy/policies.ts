/** What network policies mean for the addresses of pods (Kubernetes documentation, "Network Policies"; API reference, NetworkPolicySpec). */
import { isIPv4 } from 'node:net';
import type { PodPolicy, PolicyAllowance, PolicyPeers, PolicyPorts } from '#network';
import { keyOf } from '../object.ts';
import { labelSelectorOf, matches } from '../selector.ts';
import type { LabelSelector, Namespace, NetworkPolicy, Pod } from '../types.ts';
import { protocolOf } from './services.ts';

type Spec = NonNullable<NetworkPolicy['spec']>;
type Ports = NonNullable<Spec['ingress']>[number]['ports'];
type Peers = NonNullable<Spec['ingress']>[number]['from'];
type Direction = PodPolicy['direction'];

/** The pods a cluster has, with the labels of their namespaces, for many policies at once. */
export interface PolicyWorld {
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
}

export function podPolicies(policies: readonly NetworkPolicy[], world: PolicyWorld): readonly PodPolicy[] {
  if (policies.length === 0) return [];
  const addressed = new AddressedPods(world);
  return policies.flatMap((policy) => onePolicy(policy, addressed));
}

function onePolicy(policy: NetworkPolicy, pods: AddressedPods): PodPolicy[] {
  const { spec, metadata } = policy;
  if (!spec) return [];
  const namespace = metadata?.namespace ?? '';
  const isolated = pods.select(namespace, spec.podSelector ?? {});
  if (isolated.length === 0) return [];
  const make = (direction: Direction): PodPolicy => ({
    id: keyOf(policy),
    direction,
    pods: isolated.map(addressOf),
    allows: allowancesOf(spec, direction).map((rule) => {
      const peers = peersOf(rule.peers, namespace, pods);
      // A named port is the destination's: of the isolated pods themselves, or of whom they may reach.
      const destinations = direction === 'ingress' ? isolated : pods.all();
      return { peers, ports: portsOf(rule.ports, destinations) } satisfies PolicyAllowance;
    }),
  });
  return directionsOf(spec).map(make);
}

/** Without `policyTypes`: ingress, and egress if there are rules for it. */
function directionsOf({ policyTypes, egress }: Spec): readonly Direction[] {
  const types = policyTypes?.length ? policyTypes : ['Ingress', ...(egress?.length ? ['Egress'] : [])];
  return (['ingress', 'egress'] as const).filter((direction) => types.some((type) => type.toLowerCase() === direction));
}

function allowancesOf(spec: Spec, direction: Direction): readonly { readonly peers: Peers; readonly ports: Ports }[] {
  if (direction === 'ingress') return (spec.ingress ?? []).map(({ from: peers, ports }) => ({ peers, ports }));
  return (spec.egress ?? []).map(({ to: peers, ports }) => ({ peers, ports }));
}

function peersOf(peers: Peers, namespace: string, pods: AddressedPods): 'any' | PolicyPeers {
  if (!peers?.length) return 'any';
  return {
    addresses: [
      ...new Set(
        peers
          .filter(({ ipBlock }) => !ipBlock)
          .flatMap(({ podSelector, namespaceSelector }) =>
            (namespaceSelector
              ? pods.selectAcross(namespaceSelector, podSelector ?? {})
              : pods.select(namespace, podSelector ?? {})
            ).map(addressOf),
          ),
      ),
    ],
    blocks: peers.flatMap(({ ipBlock }) =>
      ipBlock && isBlock(ipBlock.cidr) ? [{ cidr: ipBlock.cidr, except: (ipBlock.except ?? []).filter(isBlock) }] : [],
    ),
  };
}

/** Blocks of IPv6 addresses, and what is none at all, match nobody. */
function isBlock(cidr: string): boolean {
  const [address = '', length = ''] = cidr.split('/');
  return isIPv4(address) && /^(\d|[12]\d|3[0-2])$/.test(length) && cidr.split('/').length === 2;
}

function portsOf(ports: Ports, destinations: readonly Pod[]): 'any' | readonly PolicyPorts[] {
  if (!ports?.length) return 'any';
  return ports.flatMap(({ port, endPort, protocol: name }): readonly PolicyPorts[] => {
    const protocol = protocolOf(name);
    if (port === undefined) return [{ protocol }];
    if (typeof port === 'number' && (port < 1 || port > 65_535 || (endPort !== undefined && endPort < port))) return [];
    if (typeof port === 'number')
      return [{ protocol, first: port, ...(endPort === undefined ? {} : { last: endPort }) }];
    const byNumber = Map.groupBy(
      destinations.flatMap((pod) =>
        namedPorts(pod, port, name ?? 'TCP').map((number) => ({ number, address: addressOf(pod) })),
      ),
      ({ number }) => number,
    );
    return Array.from(byNumber, ([first, at]) => ({ protocol, first, at: at.map(({ address }) => address) }));
  });
}

function namedPorts({ spec }: Pod, name: string, protocol: string): readonly number[] {
  const containers = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
  ];
  return containers
    .flatMap(({ ports = [] }) => ports)
    .filter((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)
    .map(({ containerPort }) => containerPort);
}

function addressOf({ status }: Pod): string {
  return status!.podIP!; // only pods with an address are kept below
}

/** Pods that have an address of their own and are not over. */
class AddressedPods {
  readonly #byNamespace: ReadonlyMap<string, readonly Pod[]>;
  readonly #namespaces: readonly Namespace[];

  constructor({ pods, namespaces }: PolicyWorld) {
    const live = pods.filter(
      ({ spec, status }) =>
        isIPv4(status?.podIP ?? '') &&
        !spec?.hostNetwork &&
        status?.phase !== 'Succeeded' &&
        status?.phase !== 'Failed',
    );
    this.#byNamespace = Map.groupBy(live, ({ metadata }) => metadata?.namespace ?? '');
    this.#namespaces = namespaces;
  }

  all(): readonly Pod[] {
    return [...this.#byNamespace.values()].flat();
  }

  select(namespace: string, selector: LabelSelector): readonly Pod[] {
    const parsed = labelSelectorOf(selector);
    return (this.#byNamespace.get(namespace) ?? []).filter(({ metadata }) => matches(parsed, metadata?.labels));
  }

  selectAcross(namespaceSelector: LabelSelector, selector: LabelSelector): readonly Pod[] {
    const parsed = labelSelectorOf(namespaceSelector);
    return this.#namespaces
      .filter(({ metadata }) => matches(parsed, metadata?.labels))
      .flatMap(({ metadata }) => this.select(metadata?.name ?? '', selector));
  }
}
