import type { Server } from 'node:net';
import type { NetworkNamespace } from '#kernel';
import type { BridgeNetworks } from './bridges.ts';
import type { ClusterNetworks } from './clusters.ts';
import type { NetworkInterface } from './model.ts';

/**
 * The network plane of one machine: makes the VPC records real for the sandboxes that run here.
 *
 * **Vocabulary.** A *fabric* is the network namespace of one VPC (or of one engine network). Each network interface is a veth pair: one
 * end, `eth0`, in the sandbox's own namespace, the other in the fabric, which routes /32s and filters every packet between two interfaces.
 * **Lifecycle.** `start` compares what is recorded under the state directory with what the kernel has, and adopts or removes the difference.
 * From then on changes of security groups, routes and addresses in the store are applied without being asked for. `attach` and `detach` may
 * run any number of times. `stop` leaves everything in place (a restarted daemon adopts it); `destroy` removes every trace.
 *
 * **Example.** `const { netnsPath } = await plane.attach(eni)`, give `netnsPath` to the engine, later `await plane.detach(eni.id)`.
 *
 * Errors are `DabbaError`: `NotFound` (the VPC or subnet of the interface is unknown), `Unavailable` (the kernel refused; the message says what).
 */
export interface NetworkPlane {
  start(): Promise<void>;
  /**
   * Makes the interface real, and with it its VPC's fabric if it is the first one here: in a new namespace, or in `namespace`, e.g. one that the sandbox's user namespace owns. Resolves
   * when its packets flow and are filtered.
   */
  attach(eni: NetworkInterface, namespace?: NetworkNamespace): Promise<AttachedInterface>;
  /** Removes the interface, and the fabric after its last one. Detaching an unknown interface succeeds. */
  detach(networkInterfaceId: string): Promise<void>;
  /** The interfaces that exist here now, by id. */
  attached(): readonly string[];
  /** Engine networks (docker's `bridge`): each a fabric with one subnet, outbound NAT, no security groups. */
  readonly bridges: BridgeNetworks;
  /** Services, names and policies of Kubernetes clusters, for the interfaces that belong to one. */
  readonly clusters: ClusterNetworks;
  /** Serves TCP, mostly HTTP, inside the fabric of each VPC at a link-local address that every interface reaches, e.g. 169.254.170.2:80. Call before `start`. */
  serveLinkLocal(address: string, port: number, onServer: LinkLocalServer): void;
  /**
   * Serves at the own address of an attached interface, in its namespace, until disposed of. Throws `NotFound` when it is not attached here,
   * and the system's error when something there has the port.
   */
  serveAt(networkInterfaceId: string, port: number, server: Server): AsyncDisposable;
  /** Lets go of sockets and watches; the kernel objects stay. */
  stop(): Promise<void>;
  /** Removes every namespace, link, route, rule and listener this plane made. */
  destroy(): Promise<void>;
}

/** Makes the server for one fabric; `vpcId` and the peer's address tell who is asking. The plane listens and closes. */
export type LinkLocalServer = (fabric: { readonly vpcId: string }) => Server;

export interface AttachedInterface {
  /** Path of the bind-mounted network namespace that holds the interface as `eth0`. */
  readonly netnsPath: string;
  readonly privateIp: string;
  readonly prefixLength: number;
  readonly gateway: string;
  /** Addresses of resolvers for `/etc/resolv.conf`, and its search domains. */
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  readonly privateDnsName: string;
}
