import type { DnsZone } from './dns/zone.ts';
import type { Cidr, Ipv4 } from './model.ts';

/**
 * What the interfaces of a cluster see beside their VPC: addresses of services, cluster DNS, and who may talk to whom. Which interfaces these
 * are stands in their records (`NetworkInterface.cluster`), so that several clusters can use the same service addresses in one VPC.
 *
 * **Lifecycle.** `open` and `apply` say what is wanted and may be repeated; rules and listeners exist while the VPC has a fabric on this
 * machine. Rules stay in force when the process dies. The next one leaves them as they are until it calls `apply` for the cluster, or `retain`
 * without it.
 *
 * **Example.** `const network = await plane.clusters.open({ vpcId, clusterId }, { dns, relays }); await network.apply(rules);`
 */
export interface ClusterNetworks {
  /** Resolves when what is to be served is, or will be as soon as the VPC has a fabric here. */
  open(cluster: ClusterKey, served: ClusterServed): Promise<ClusterNetwork>;
  /** Removes what an earlier process left for clusters that are not among these. Call it once, when the clusters of this machine are known. */
  retain(clusters: readonly ClusterKey[]): Promise<void>;
}

export interface ClusterKey {
  readonly vpcId: string;
  readonly clusterId: string;
}

export interface ClusterNetwork {
  /** Replaces what was applied before; only differences reach the kernel. Resolves when in force. Throws `Unavailable` when the kernel refuses. */
  apply(rules: ClusterRules): Promise<void>;
  /** Removes rules and listeners. */
  remove(): Promise<void>;
}

/** What this process itself serves to the cluster's interfaces. */
export interface ClusterServed {
  /** Names answered at an address (UDP and TCP port 53), once the zones are ready; what none knows is asked of the VPC's own resolver. */
  readonly dns?: { readonly address: Ipv4; readonly zones: readonly DnsZone[]; readonly ready: Promise<void> };
  /** Addresses at which TCP connections are carried on to the machine's own loopback, where they come from `RELAY_SOURCE`: the API server's. */
  readonly relays?: readonly { readonly address: Ipv4; readonly port: number; readonly toPort: number }[];
}

/** The loopback address that relayed connections come from, and no client of the machine itself: by it a server tells who is inside. */
export const RELAY_SOURCE = '127.0.0.2';

export interface ClusterRules {
  readonly serviceCidr: Cidr;
  readonly nodes: readonly ClusterNode[];
  readonly services: readonly ServicePort[];
  readonly policies: readonly PodPolicy[];
}

export interface ClusterNode {
  /** As in `NetworkInterface.cluster.node`. */
  readonly name: string;
  /** Where its node ports answer, beside the public addresses of the same interfaces. */
  readonly addresses: readonly Ipv4[];
}

export type TransportProtocol = 'tcp' | 'udp' | 'sctp';

/** One port of one service. */
export interface ServicePort {
  /** Unique in the cluster: `namespace/name/port`. */
  readonly id: string;
  readonly protocol: TransportProtocol;
  readonly port: number;
  readonly addresses: readonly Ipv4[];
  /** Further addresses, for which traffic from outside is routed. */
  readonly externalAddresses: readonly Ipv4[];
  readonly nodePort?: number;
  /** A client keeps its backend until it has made no connection for so long. */
  readonly affinityS?: number;
  readonly internal: ServiceRouting;
  readonly external: ServiceRouting;
}

/** The same backends for everybody, or for each node its own; a node that is not named, or has none, is not answered. Without any at all, connections are refused. */
export type ServiceRouting =
  | { readonly kind: 'everywhere'; readonly backends: readonly ServiceBackend[] }
  | { readonly kind: 'by-node'; readonly backends: ReadonlyMap<string, readonly ServiceBackend[]> };

export interface ServiceBackend {
  readonly address: Ipv4;
  readonly port: number;
}

/** Isolates pods in one direction and says what passes all the same. A pod of several policies lets pass what any of them does. */
export interface PodPolicy {
  /** Unique in the cluster together with the direction. */
  readonly id: string;
  readonly direction: 'ingress' | 'egress';
  /** Addresses of the pods it isolates. */
  readonly pods: readonly Ipv4[];
  readonly allows: readonly PolicyAllowance[];
}

/** Lets pass what matches one of its peers and one of its ports. */
export interface PolicyAllowance {
  readonly peers: 'any' | PolicyPeers;
  readonly ports: 'any' | readonly PolicyPorts[];
}

export interface PolicyPeers {
  readonly addresses: readonly Ipv4[];
  readonly blocks: readonly { readonly cidr: Cidr; readonly except: readonly Cidr[] }[];
}

/** Ports `first` to `last`, or all of the protocol. */
export interface PolicyPorts {
  readonly protocol: TransportProtocol;
  readonly first?: number;
  readonly last?: number;
  /** The destinations where these are the ports meant; absent: everywhere. A named port is another number in each pod. */
  readonly at?: readonly Ipv4[];
}
