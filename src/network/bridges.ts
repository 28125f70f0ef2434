import type { NetworkNamespace } from '#kernel';
import type { Cidr, Ipv4 } from './model.ts';

/**
 * Networks of the container engine that belong to no VPC.
 *
 * **Vocabulary.** A *bridge network* has one range of addresses, a gateway, and a fabric of its own, so two of them are apart. A *sandbox* is
 * the network namespace of one container; its *endpoints* are its places in networks: `eth0`, `eth1`, … A *published port* leads from an
 * address and port of the machine to a port of a sandbox.
 * **Lifecycle.** Networks are recorded durably and outlive `destroy`; their fabrics are made when they are created or first joined. Endpoints
 * and published ports last as long as the machine's uptime: a restarted plane adopts them. `attach` may be repeated, e.g. to give an endpoint
 * other names. `detach` of a sandbox takes its ports along.
 *
 * **Example.** `await bridges.create({ id, name: 'net1', … })`, `const { netnsPath } = await bridges.attach({ sandboxId, networkId: id, … })`,
 * `await bridges.publish(sandboxId, [{ containerPort: 80, … }])`, later `await bridges.detach(sandboxId)`.
 */
export interface BridgeNetworks {
  /**
   * Makes a network; one that exists under the id is left as it is, and its fabric made if need be. Throws `AlreadyExists` (name),
   * `InvalidArgument` (ranges that do not fit one another), `PermissionDenied` (the range overlaps another network's).
   */
  create(network: BridgeRequest): Promise<BridgeNetwork>;
  /** Removes a network; an absent one succeeds. Throws `PermissionDenied` while it has endpoints. */
  remove(id: string): Promise<void>;
  list(): readonly BridgeNetwork[];
  /** Gives a sandbox a place in a network. Throws `NotFound` (network), `Conflict` (address in use), `ResourceExhausted` (none is free). */
  attach(endpoint: EndpointRequest): Promise<Endpoint>;
  /** Takes a sandbox out of one network: its interface goes at once, the namespace stays. Absent ones succeed. */
  disconnect(sandboxId: string, networkId: string): Promise<void>;
  /** Removes a sandbox with all its endpoints and published ports. An absent one succeeds. */
  detach(sandboxId: string): Promise<void>;
  /**
   * Publishes ports of a sandbox, in place of those it had. Throws `ResourceExhausted` when a port of the machine is taken, and then
   * publishes none.
   */
  publish(sandboxId: string, ports: readonly PortRequest[]): Promise<readonly PublishedPort[]>;
  /** Endpoints of a sandbox in the order they came. */
  endpoints(sandboxId: string): readonly Endpoint[];
  /** Published ports of a sandbox. */
  ports(sandboxId: string): readonly PublishedPort[];
}

export interface BridgeRequest {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  /** Absent: a private range that this machine does not route. */
  readonly cidr?: Cidr;
  /** Default: the first address of the range. */
  readonly gateway?: Ipv4;
  /** Part of the range that addresses are chosen from. */
  readonly addressRange?: Cidr;
  /** Addresses of the range that no endpoint is given, by names of the asker's own. */
  readonly auxiliaryAddresses?: { readonly [name: string]: Ipv4 };
  /** Without a way out. */
  readonly isInternal: boolean;
  readonly traffic?: BridgeTraffic;
  /** Sandboxes find one another by name. */
  readonly resolvesNames: boolean;
  /** Passed through for who asks. */
  readonly labels: { readonly [name: string]: string };
  readonly options: { readonly [name: string]: string };
}

/** How packets of a network go, where it differs from the usual. */
export interface BridgeTraffic {
  /** Of its endpoints' interfaces, in bytes. Absent: that of the machine's link to the world. */
  readonly mtu?: number;
  /** Its endpoints do not reach one another, but by ports they publish. */
  readonly isApart?: boolean;
  /** The world sees the endpoints' own addresses; its answers must be routed here. */
  readonly isUntranslated?: boolean;
  /** Address of the machine for published ports that name none. */
  readonly hostIp?: Ipv4;
}

export interface BridgeNetwork extends BridgeRequest {
  readonly cidr: Cidr;
  readonly gateway: Ipv4;
  /** The range was chosen here, not asked for. */
  readonly isRangeChosen: boolean;
}

export interface EndpointRequest {
  readonly sandboxId: string;
  readonly networkId: string;
  /** Absent: the lowest that is free. */
  readonly address?: Ipv4;
  /** Absent: one that follows from the address. */
  readonly macAddress?: string;
  /** What others in the network find it by; the first is also the answer to its address. */
  readonly names: readonly string[];
  /** Asked for names that no sandbox has; absent: the machine's own. */
  readonly nameservers?: readonly string[];
  /** What the sandbox's first endpoint is made in, e.g. one that its user namespace owns. Absent: a new one. */
  readonly namespace?: NetworkNamespace;
}

export interface Endpoint {
  readonly endpointId: string;
  readonly networkId: string;
  readonly network: string;
  /** Path of the sandbox's bind-mounted network namespace. */
  readonly netnsPath: string;
  /** `eth0`, `eth1`, … */
  readonly device: string;
  readonly privateIp: Ipv4;
  readonly prefixLength: number;
  readonly gateway: Ipv4;
  readonly macAddress: string;
  readonly names: readonly string[];
  /** Addresses of resolvers for `/etc/resolv.conf`, and its search domains. */
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  /** The sandbox's default route leads here. */
  readonly isWayOut: boolean;
}

export type PortProtocol = 'tcp' | 'udp';

export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  /** `0.0.0.0` for every address of the machine. Absent: as the network says, which usually is every address. */
  readonly hostIp?: Ipv4;
  /** The first free one of these, `last` included; absent: any free one. */
  readonly hostPorts?: { readonly first: number; readonly last: number };
}

export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  readonly hostIp: Ipv4;
  readonly hostPort: number;
}
