import {
  NetlinkSocket,
  addAddress,
  addVethPair,
  createNetworkNamespace,
  findLink,
  nameNetworkNamespace,
  openNetworkNamespace,
  removeNetworkNamespace,
  removeLink,
  removeRoute,
  setLinkUp,
  setNeighbour,
  setRoute,
  type NetworkNamespace,
} from '#kernel';
import type { Ipv4 } from '../model.ts';
import type { Fabric } from './fabric.ts';
import { writeSysctl } from './sysctl.ts';

/** An interface to be made: a link in the fabric and, as `device`, its other end in the sandbox's namespace. */
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
  /** Name of the sandbox's end. Default `eth0`. */
  readonly device?: string;
  /** The sandbox's default route leads to the gateway. Default true. */
  readonly isWayOut?: boolean;
  /** Default: the fabric's. */
  readonly mtu?: number;
  /** Becomes the sandbox's, if it has none yet. Default: a new one. */
  readonly namespace?: NetworkNamespace;
}

const LOOPBACK = 1;
const FIRST_DEVICE = 'eth0';

/**
 * Makes the interface, or mends what is missing of it. The fabric's end has a route to this one address and knows its hardware address, so
 * nothing the sandbox says by ARP is believed.
 */
export function ensureInterface(fabric: Fabric, plan: InterfacePlan): void {
  using namespace = openNetworkNamespace(plan.path) ?? newNamespace(plan);
  using inside = namespace.run(() => {
    writeSysctl('ipv6/conf/default/disable_ipv6', 1);
    return new NetlinkSocket();
  });
  const device = plan.device ?? FIRST_DEVICE;
  const near = findLink(fabric.netlink, plan.link);
  const far = findLink(inside, device);
  if (near && !far) removeLink(fabric.netlink, near.index);
  if (far && !near) removeLink(inside, far.index);
  if (!near || !far)
    fabric.netlink.execute(
      addVethPair({
        name: plan.link,
        peerName: device,
        peerNamespace: namespace.descriptor,
        peerMacAddress: plan.macAddress,
        mtu: plan.mtu ?? fabric.mtu,
      }),
    );
  const link = findLink(fabric.netlink, plan.link)!.index;
  const end = findLink(inside, device)!.index;
  // Proxy ARP waits up to 0.8 s by default, for the sake of a broadcast domain that is not there.
  fabric.namespace.run(() => writeSysctl(`ipv4/neigh/${plan.link}/proxy_delay`, 0));
  fabric.addOwnAddress(plan.gateway);
  // A load balancer that went while nobody was here may have had it.
  fabric.removeOwnAddress(plan.privateIp);
  fabric.netlink.execute(
    setLinkUp(link),
    setRoute({ destination: `${plan.privateIp}/32`, interfaceIndex: link, preferredSource: plan.gateway }),
    setNeighbour(link, plan.privateIp, plan.macAddress),
  );
  inside.execute(
    setLinkUp(LOOPBACK),
    addAddress(end, plan.privateIp, plan.prefixLength),
    setLinkUp(end),
    ...(plan.isWayOut === false
      ? []
      : [setRoute({ destination: '0.0.0.0/0', gateway: plan.gateway, interfaceIndex: end })]),
  );
}

function newNamespace({ path, namespace }: InterfacePlan): NetworkNamespace {
  return namespace ? nameNetworkNamespace(path, namespace) : createNetworkNamespace(path);
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

/** Removes an interface's link from a sandbox that lives on; repeatable. */
export function unplugInterface(fabric: Fabric | undefined, link: string): void {
  const near = fabric && findLink(fabric.netlink, link);
  if (near) removeLink(fabric.netlink, near.index);
}

/** Makes a sandbox's default route lead to the gateway behind `device`. */
export function setWayOut(
  path: string,
  { device, gateway }: { readonly device: string; readonly gateway: Ipv4 },
): void {
  using namespace = openNetworkNamespace(path);
  if (!namespace) return;
  using inside = namespace.run(() => new NetlinkSocket());
  const end = findLink(inside, device);
  if (end) inside.execute(setRoute({ destination: '0.0.0.0/0', gateway, interfaceIndex: end.index }));
}

/** Turns the source check of an interface on or off: off, a sandbox may send for addresses that are not its own (a router, a firewall). */
export function checkSource(fabric: Fabric, link: string, isChecked: boolean): void {
  fabric.namespace.run(() => writeSysctl(`ipv4/conf/${link}/rp_filter`, isChecked ? 1 : 0));
}
