import {
  NetlinkSocket,
  addAddress,
  conntrackSocket,
  createNetworkNamespace,
  forgetConnections,
  listLinks,
  openNetworkNamespace,
  removeAddress,
  removeNetworkNamespace,
  removeLink,
  setLinkUp,
  setRoute,
  type Answering,
  type NetworkNamespace,
} from '#kernel';
import { linkAddresses } from '../link-plan.ts';
import type { Ipv4 } from '../model.ts';
import { UPLINK } from '../rules/fabric.ts';
import type { Machine } from './machine.ts';
import type { FabricRecord } from './state.ts';
import { writeSysctl } from './sysctl.ts';

/** What a fabric's namespace must be like before its first link appears. Links inherit `default` when they are made. */
const settings: readonly (readonly [name: string, value: number])[] = [
  ['ipv4/ip_forward', 1],
  // The fabric answers ARP for whatever it routes elsewhere: there is no bridge, and nobody else could answer.
  ['ipv4/conf/all/proxy_arp', 1],
  ['ipv4/conf/all/arp_ignore', 0],
  // A packet whose source does not belong to the link it came by is dropped; per link, so that an interface can be exempted.
  ['ipv4/conf/all/rp_filter', 0],
  ['ipv4/conf/default/rp_filter', 1],
  ['ipv4/conf/all/send_redirects', 0],
  ['ipv4/conf/default/send_redirects', 0],
  ['ipv6/conf/all/disable_ipv6', 1],
  ['ipv6/conf/default/disable_ipv6', 1],
];

const LOOPBACK = 1;
/** Link-local surroundings of the machine, such as its own cloud's metadata service, are nothing for a sandbox. */
const LINK_LOCAL = '169.254.0.0/16';

/** The open namespace of one VPC or engine network. Making one that exists adopts it. */
export class Fabric implements Disposable {
  readonly record: FabricRecord;
  readonly namespace: NetworkNamespace;
  readonly netlink: NetlinkSocket;
  readonly mtu: number;
  readonly #machine: Machine;
  #conntrack: NetlinkSocket | undefined;

  constructor(record: FabricRecord, path: string, machine: Machine) {
    this.record = record;
    this.#machine = machine;
    this.mtu = machine.mtu();
    using undo = new DisposableStack();
    this.namespace = undo.use(openNetworkNamespace(path) ?? createNetworkNamespace(path));
    this.netlink = undo.use(
      this.namespace.run(() => {
        for (const [name, value] of settings) writeSysctl(name, value);
        return new NetlinkSocket();
      }),
    );
    this.#connect();
    undo.move();
  }

  /** Gives the fabric itself an address that every interface can reach. */
  addOwnAddress(address: Ipv4): void {
    this.netlink.execute(addAddress(LOOPBACK, address, 32));
  }

  /** Takes back what `addOwnAddress` gave. */
  removeOwnAddress(address: Ipv4): void {
    removeAddress(this.netlink, LOOPBACK, address, 32);
  }

  /** Makes it forget the connections that `answering` answers. */
  forgetConnections(answering: Answering): void {
    this.#conntrack ??= this.namespace.run(conntrackSocket);
    forgetConnections(this.#conntrack, answering);
  }

  /** Removes interfaces' links that are not in `links`. */
  removeStrayLinks(links: ReadonlySet<string>): void {
    const strays = listLinks(this.netlink).filter(
      ({ name, kind }) => kind === 'veth' && name !== UPLINK && !links.has(name),
    );
    for (const { index } of strays) removeLink(this.netlink, index);
  }

  /** Uplink and routes: what has no interface here is unreachable inside, and everything else leaves by the uplink. */
  #connect(): void {
    const hasUplink = listLinks(this.netlink).some(({ name }) => name === UPLINK);
    this.#machine.ensureUplink(this.record.slot, this.namespace, hasUplink);
    const uplink = listLinks(this.netlink).find(({ name }) => name === UPLINK)!.index;
    const { machine, fabric } = linkAddresses(this.#machine.linkCidr, this.record.slot);
    this.netlink.execute(
      setLinkUp(LOOPBACK),
      addAddress(uplink, fabric, 31),
      setLinkUp(uplink),
      setRoute({ destination: '0.0.0.0/0', gateway: machine }),
      setRoute({ kind: 'unreachable', destination: LINK_LOCAL }),
      setRoute({ kind: 'unreachable', destination: this.record.cidr }),
    );
    if (this.record.kind === 'bridge') this.#machine.routeNetwork(this.record.slot, this.record.cidr);
  }

  /** Lets go of the namespace, which stays. */
  [Symbol.dispose](): void {
    this.netlink[Symbol.dispose]();
    this.#conntrack?.[Symbol.dispose]();
    this.namespace[Symbol.dispose]();
  }

  /**
   * Removes the namespace. The kernel clears away what is in it, uplink included, once the last socket inside is closed: deleting links
   * ourselves would block for tens of milliseconds each.
   */
  remove(): void {
    this.#machine.routePublicAddresses(this.record.slot, []);
    if (this.record.kind === 'bridge') this.#machine.unrouteNetwork(this.record.slot, this.record.cidr);
    this[Symbol.dispose]();
    removeNetworkNamespace(this.namespace.path);
  }
}
