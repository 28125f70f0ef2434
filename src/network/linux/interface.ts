import {
  NetlinkSocket,
  addAddress,
  addVethPair,
  createNetworkNamespace,
  findLink,
  openNetworkNamespace,
  removeNetworkNamespace,
  removeLink,
  removeRoute,
  setLinkUp,
  setNeighbour,
  setRoute,
} from '#kernel';
import type { Ipv4 } from '../model.ts';
import type { Fabric } from './fabric.ts';
import { writeSysctl } from './sysctl.ts';

/** An interface to be made: a link in the fabric and, as `eth0`, its other end in a namespace of its own. */
export interface InterfacePlan {
  /** Where the sandbox's namespace is mounted. */
  readonly path: string;
  /** Name of the fabric's end. */
  readonly link: string;
  readonly macAddress: string;
  readonly privateIp: Ipv4;
  readonly prefixLength: number;
  /** An address of the fabric itself. */
  readonly gateway: Ipv4;
}

const LOOPBACK = 1;
const SANDBOX_LINK = 'eth0';

/**
 * Makes the interface, or mends what is missing of it. The fabric's end has a route to this one address and knows its hardware address, so
 * nothing the sandbox says by ARP is believed.
 */
export function ensureInterface(fabric: Fabric, plan: InterfacePlan): void {
  using namespace = openNetworkNamespace(plan.path) ?? createNetworkNamespace(plan.path);
  using inside = namespace.run(() => {
    writeSysctl('ipv6/conf/default/disable_ipv6', 1);
    return new NetlinkSocket();
  });
  const near = findLink(fabric.netlink, plan.link);
  const far = findLink(inside, SANDBOX_LINK);
  if (near && !far) removeLink(fabric.netlink, near.index);
  if (far && !near) removeLink(inside, far.index);
  if (!near || !far)
    fabric.netlink.execute(
      addVethPair({
        name: plan.link,
        peerName: SANDBOX_LINK,
        peerNamespace: namespace.descriptor,
        peerMacAddress: plan.macAddress,
        mtu: fabric.mtu,
      }),
    );
  const link = findLink(fabric.netlink, plan.link)!.index;
  const eth0 = findLink(inside, SANDBOX_LINK)!.index;
  // Proxy ARP waits up to 0.8 s by default, for the sake of a broadcast domain that is not there.
  fabric.namespace.run(() => writeSysctl(`ipv4/neigh/${plan.link}/proxy_delay`, 0));
  fabric.addOwnAddress(plan.gateway);
  fabric.netlink.execute(
    setLinkUp(link),
    setRoute({ destination: `${plan.privateIp}/32`, interfaceIndex: link, preferredSource: plan.gateway }),
    setNeighbour(link, plan.privateIp, plan.macAddress),
  );
  inside.execute(
    setLinkUp(LOOPBACK),
    addAddress(eth0, plan.privateIp, plan.prefixLength),
    setLinkUp(eth0),
    setRoute({ destination: '0.0.0.0/0', gateway: plan.gateway, interfaceIndex: eth0 }),
  );
}

/**
 * Removes the interface's address from the fabric and the name of its namespace; repeatable. The link goes in the background with the last
 * process inside: deleting it ourselves would block for tens of milliseconds. Until then nothing passes, for want of a route and a rule.
 */
export function removeInterface(
  fabric: Fabric | undefined,
  { path, link, privateIp }: { readonly path: string; readonly link: string; readonly privateIp: Ipv4 },
): void {
  const near = fabric && findLink(fabric.netlink, link);
  if (near) removeRoute(fabric.netlink, { destination: `${privateIp}/32`, interfaceIndex: near.index });
  removeNetworkNamespace(path);
}

/** Turns the source check of an interface on or off: off, a sandbox may send for addresses that are not its own (a router, a firewall). */
export function checkSource(fabric: Fabric, link: string, isChecked: boolean): void {
  fabric.namespace.run(() => writeSysctl(`ipv4/conf/${link}/rp_filter`, isChecked ? 1 : 0));
}
