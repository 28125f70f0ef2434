import { isIPv4 } from 'node:net';
import { DabbaError, systemCode } from '#base';
import { attribute, NetlinkFlag, readAttributes, readText, text, uint32 } from './netlink.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './netlink.ts';

/**
 * Links, addresses, routes and neighbours (IPv4) as requests for a `NetlinkSocket`: `socket.execute(addAddress(…), addRoute(…))` sends both in
 * one write. Numbers are those of linux/if_link.h, if_addr.h, rtnetlink.h and neighbour.h.
 */

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly isUp: boolean;
  readonly mtu: number;
  readonly macAddress: string;
  /** `veth`, `bridge`, …; absent on hardware and loopback. */
  readonly kind?: string;
}

export type RouteKind = 'unicast' | 'local' | 'broadcast' | 'blackhole' | 'unreachable' | 'other';

export interface RouteEntry {
  readonly kind: RouteKind;
  /** CIDR, `0.0.0.0/0` for the default route. */
  readonly destination: string;
  readonly table: number;
  readonly protocol: number;
  readonly metric: number;
  readonly gateway?: string;
  readonly interfaceIndex?: number;
}

const [RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK] = [16, 17, 18] as const;
const [RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR] = [20, 21, 22] as const;
const [RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE] = [24, 25, 26] as const;
const RTM_NEWNEIGH = 28;
const [IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_NET_NS_FD] = [1, 3, 4, 18, 28] as const;
const [IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER] = [1, 2, 1] as const;
const [IFA_ADDRESS, IFA_LOCAL] = [1, 2] as const;
const [RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE] = [1, 4, 5, 6, 7, 15] as const;
const [NDA_DST, NDA_LLADDR, NUD_PERMANENT] = [1, 2, 0x80] as const;
const AF_INET = 2;
const IFF_UP = 1;
const [RT_TABLE_MAIN, RTPROT_UNSPEC, RTPROT_BOOT] = [254, 0, 3] as const;
const [RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_NOWHERE] = [0, 253, 255] as const;
const routeTypes = { unicast: 1, local: 2, broadcast: 3, blackhole: 6, unreachable: 7 } as const;

/** A veth pair: the near end in the socket's namespace, the far end born in another. Both are down. Fails with EEXIST. */
export function addVethPair(pair: {
  readonly name: string;
  readonly peerName: string;
  /** Descriptor of the namespace that gets the far end. */
  readonly peerNamespace: number;
  readonly peerMacAddress?: string;
  readonly mtu: number;
}): NetlinkRequest {
  const peer = [
    linkHeader(0),
    attribute(IFLA_IFNAME, text(pair.peerName)),
    attribute(IFLA_MTU, uint32(pair.mtu)),
    attribute(IFLA_NET_NS_FD, uint32(pair.peerNamespace)),
    ...(pair.peerMacAddress ? [attribute(IFLA_ADDRESS, macBytes(pair.peerMacAddress))] : []),
  ];
  const body = [
    linkHeader(0),
    attribute(IFLA_IFNAME, text(pair.name)),
    attribute(IFLA_MTU, uint32(pair.mtu)),
    attribute(
      IFLA_LINKINFO,
      attribute(IFLA_INFO_KIND, text('veth')),
      attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, ...peer)),
    ),
  ];
  const flags = NetlinkFlag.create | NetlinkFlag.exclusive;
  return { type: RTM_NEWLINK, flags, body: Buffer.concat(body), subject: `add link ${pair.name}` };
}

export function setLinkUp(index: number): NetlinkRequest {
  return { type: RTM_NEWLINK, flags: 0, body: linkHeader(index, IFF_UP), subject: `set link ${index} up` };
}

/** Gives a link an address; one that is there already is left alone. */
export function addAddress(index: number, address: string, prefixLength: number): NetlinkRequest {
  const flags = NetlinkFlag.create | NetlinkFlag.replace;
  return { ...addressRequest(RTM_NEWADDR, index, address, prefixLength), flags };
}

/** Takes an address from a link; an absent one is no failure. */
export function removeAddress(socket: NetlinkSocket, index: number, address: string, prefixLength: number): void {
  try {
    socket.execute(addressRequest(RTM_DELADDR, index, address, prefixLength));
  } catch (error) {
    if (systemCode(error) !== 'EADDRNOTAVAIL') throw error;
  }
}

function addressRequest(type: number, index: number, address: string, prefixLength: number): NetlinkRequest {
  const header = Buffer.from([AF_INET, prefixLength, 0, RT_SCOPE_UNIVERSE, 0, 0, 0, 0]);
  header.writeUInt32LE(index, 4);
  const bytes = addressBytes(address);
  const body = Buffer.concat([header, attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)]);
  return { type, flags: 0, body, subject: `address ${address}/${prefixLength} of link ${index}` };
}

export interface RouteRequest {
  readonly kind?: 'unicast' | 'unreachable';
  /** CIDR. */
  readonly destination: string;
  readonly gateway?: string;
  readonly interfaceIndex?: number;
  /** Lower wins among routes to the same destination. Default 0. */
  readonly metric?: number;
  /** Source of what the machine itself sends this way. */
  readonly preferredSource?: string;
  /** Who made it, `rtm_protocol`; for finding one's own again. Default: boot. */
  readonly protocol?: number;
}

/** Makes a route of the main table, in place of one with the same destination and metric. */
export function setRoute(route: RouteRequest): NetlinkRequest {
  return routeRequest(RTM_NEWROUTE, NetlinkFlag.create | NetlinkFlag.replace, route, 'set');
}

/** Makes a route of the main table. Fails with EEXIST when there is one with the same destination and metric. */
export function addRoute(route: RouteRequest): NetlinkRequest {
  return routeRequest(RTM_NEWROUTE, NetlinkFlag.create | NetlinkFlag.exclusive, route, 'add');
}

/** A neighbour entry that never expires: no ARP is needed, or believed, for this address on this link. */
export function setNeighbour(index: number, address: string, macAddress: string): NetlinkRequest {
  const header = Buffer.alloc(12);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt32LE(index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  const body = [header, attribute(NDA_DST, addressBytes(address)), attribute(NDA_LLADDR, macBytes(macAddress))];
  const flags = NetlinkFlag.create | NetlinkFlag.replace;
  return { type: RTM_NEWNEIGH, flags, body: Buffer.concat(body), subject: `set neighbour ${address} on link ${index}` };
}

/** Every link of the socket's namespace. */
export function listLinks(socket: NetlinkSocket): Link[] {
  return socket.dump({ type: RTM_GETLINK, flags: 0, body: linkHeader(0), subject: 'list links' }).map(readLink);
}

/** The link of that name in the socket's namespace, or undefined. */
export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  const body = Buffer.concat([linkHeader(0), attribute(IFLA_IFNAME, text(name))]);
  try {
    return readLink(socket.get({ type: RTM_GETLINK, flags: 0, body, subject: `find link ${name}` }));
  } catch (error) {
    if (systemCode(error) === 'ENODEV') return undefined;
    throw error;
  }
}

/** Removes a link, and with one end of a veth pair the other. A link that is gone, or goes meanwhile with its namespace, is no failure. */
export function removeLink(socket: NetlinkSocket, index: number): void {
  try {
    socket.execute({ type: RTM_DELLINK, flags: 0, body: linkHeader(index), subject: `delete link ${index}` });
  } catch (error) {
    if (systemCode(error) !== 'ENODEV') throw error;
  }
}

/** Removes a route of the main table; an absent one is no failure. */
export function removeRoute(socket: NetlinkSocket, route: RouteRequest): void {
  try {
    socket.execute(routeRequest(RTM_DELROUTE, 0, route, 'delete'));
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

/** Every IPv4 address of the socket's namespace. */
export function listAddresses(
  socket: NetlinkSocket,
): { readonly interfaceIndex: number; readonly address: string; readonly prefixLength: number }[] {
  const body = Buffer.from([AF_INET, 0, 0, 0, 0, 0, 0, 0]);
  return socket.dump({ type: RTM_GETADDR, flags: 0, body, subject: 'list addresses' }).map((message) => {
    const attributes = readAttributes(message.body.subarray(8));
    const address = readAddress(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
    return { interfaceIndex: message.body.readUInt32LE(4), address, prefixLength: message.body.readUInt8(1) };
  });
}

/** Every IPv4 route of the socket's namespace, of every table. */
export function listRoutes(socket: NetlinkSocket): RouteEntry[] {
  const body = Buffer.alloc(12);
  body.writeUInt8(AF_INET, 0);
  return socket.dump({ type: RTM_GETROUTE, flags: 0, body, subject: 'list routes' }).map(readRoute);
}

function readLink({ body }: NetlinkMessage): Link {
  const attributes = readAttributes(body.subarray(16));
  const kind = readAttributes(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0)).get(IFLA_INFO_KIND);
  return {
    index: body.readInt32LE(4),
    name: readText(attributes.get(IFLA_IFNAME) ?? Buffer.alloc(0)),
    isUp: (body.readUInt32LE(8) & IFF_UP) !== 0,
    mtu: attributes.get(IFLA_MTU)?.readUInt32LE(0) ?? 0,
    macAddress: (attributes.get(IFLA_ADDRESS)?.toString('hex') ?? '').replace(/(..)(?=.)/g, '$1:'),
    ...(kind ? { kind: readText(kind) } : {}),
  };
}

function readRoute({ body }: NetlinkMessage): RouteEntry {
  const attributes = readAttributes(body.subarray(12));
  const type = body.readUInt8(7);
  const kind = (Object.keys(routeTypes) as (keyof typeof routeTypes)[]).find((name) => routeTypes[name] === type);
  const gateway = attributes.get(RTA_GATEWAY);
  const interfaceIndex = attributes.get(RTA_OIF)?.readUInt32LE(0);
  return {
    kind: kind ?? 'other',
    destination: `${readAddress(attributes.get(RTA_DST))}/${body.readUInt8(1)}`,
    table: attributes.get(RTA_TABLE)?.readUInt32LE(0) ?? body.readUInt8(4),
    protocol: body.readUInt8(5),
    metric: attributes.get(RTA_PRIORITY)?.readUInt32LE(0) ?? 0,
    ...(gateway ? { gateway: readAddress(gateway) } : {}),
    ...(interfaceIndex === undefined ? {} : { interfaceIndex }),
  };
}

function routeRequest(type: number, flags: number, route: RouteRequest, verb: string): NetlinkRequest {
  const [network = '', prefix = ''] = route.destination.split('/');
  const kind = routeTypes[route.kind ?? 'unicast'];
  const isFar = route.gateway || route.kind === 'unreachable';
  // A deletion matches what it names: whatever the scope, and whoever made it unless that is said.
  const [scope, maker] =
    type === RTM_DELROUTE
      ? [RT_SCOPE_NOWHERE, RTPROT_UNSPEC]
      : [isFar ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK, RTPROT_BOOT];
  const header = Buffer.alloc(12);
  header.set([AF_INET, Number(prefix), 0, 0, RT_TABLE_MAIN, route.protocol ?? maker, scope, kind]);
  const body = [
    header,
    ...(prefix === '0' ? [] : [attribute(RTA_DST, addressBytes(network))]),
    ...(route.interfaceIndex === undefined ? [] : [attribute(RTA_OIF, uint32(route.interfaceIndex))]),
    ...(route.gateway ? [attribute(RTA_GATEWAY, addressBytes(route.gateway))] : []),
    ...(route.metric ? [attribute(RTA_PRIORITY, uint32(route.metric))] : []),
    ...(route.preferredSource ? [attribute(RTA_PREFSRC, addressBytes(route.preferredSource))] : []),
  ];
  const subject = `${verb} ${route.kind === 'unreachable' ? 'unreachable ' : ''}route ${route.destination}`;
  return { type, flags, body: Buffer.concat(body), subject };
}

function linkHeader(index: number, flags = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(flags, 12);
  return header;
}

function addressBytes(address: string): Buffer {
  if (!isIPv4(address)) throw new DabbaError('InvalidArgument', `"${address}" is not an IPv4 address`);
  return Buffer.from(address.split('.').map(Number));
}

function readAddress(bytes: Buffer | undefined): string {
  return bytes ? bytes.join('.') : '0.0.0.0';
}

function macBytes(macAddress: string): Buffer {
  const bytes = Buffer.from(macAddress.replaceAll(':', ''), 'hex');
  if (bytes.length !== 6) throw new DabbaError('InvalidArgument', `"${macAddress}" is not a hardware address`);
  return bytes;
}
