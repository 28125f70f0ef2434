import { createHash } from 'node:crypto';
import { cidrContains, formatCidr, parseCidr } from '../cidr.ts';
import type { SecurityGroup, SecurityGroupRule } from '../model.ts';

/** Which way a rule looks: `ingress` at who sends, `egress` at who is sent to. */
export type Direction = 'ingress' | 'egress';

const protocolNames: { readonly [number: string]: string } = { '1': 'icmp', '6': 'tcp', '17': 'udp' };

/** Name of the chain with one group's rules. */
export function groupChain(direction: Direction | 'arriving', groupId: string): string {
  return `${direction}_${identifier(groupId)}`;
}

/** Name of the set with the addresses of a group's members. */
export function membersSet(groupId: string): string {
  return `members_${identifier(groupId)}`;
}

/** Name of the chain for interfaces that have exactly these groups. */
export function combinationChain(direction: Direction | 'arriving', groupIds: readonly string[]): string {
  return `${direction}_of_${createHash('sha256').update(groupIds.toSorted().join(' ')).digest('hex').slice(0, 16)}`;
}

/** The groups whose members a group's rules speak of. */
export function referencedGroups(group: SecurityGroup): string[] {
  return [...group.ingress, ...group.egress].flatMap(({ peer }) => (peer.kind === 'group' ? [peer.groupId] : []));
}

/** One accepting nft rule for each rule of the group; security groups only allow. `arriving` rules see ports as the client named them. */
export function compileGroup(group: SecurityGroup, direction: Direction | 'arriving'): string[] {
  const [side, port] =
    direction === 'arriving' ? (['ingress', 'ct original proto-dst'] as const) : ([direction, undefined] as const);
  return group[side].map((rule) => compileRule(rule, side, port)).filter((rule) => rule !== undefined);
}

function compileRule(rule: SecurityGroupRule, direction: Direction, port: string | undefined): string | undefined {
  const traffic = matchTraffic(rule, port);
  if (traffic === undefined) return undefined;
  return [matchPeer(rule, direction), traffic, 'accept'].filter(Boolean).join(' ');
}

function matchPeer({ peer }: SecurityGroupRule, direction: Direction): string {
  const field = direction === 'ingress' ? 'ip saddr' : 'ip daddr';
  if (peer.kind === 'group') return `${field} @${membersSet(peer.groupId)}`;
  const block = parseCidr(peer.cidr);
  return block.prefixLength === 0 ? '' : `${field} ${formatCidr(block)}`;
}

/** Matches for whom a group lets in at one port of a protocol: `ip saddr …`, or empty for everybody. */
export function admittedPeers(
  group: SecurityGroup,
  at: { readonly protocol: 'tcp' | 'udp'; readonly port: number },
): string[] {
  return group.ingress.filter((rule) => coversPort(rule, at)).map((rule) => matchPeer(rule, 'ingress'));
}

/** Whether a group lets in a member of the groups given, at one port of a protocol; without an address, by naming one of those groups. */
export function admits(
  group: SecurityGroup,
  source: { readonly address?: string; readonly groupIds: readonly string[] },
  at: { readonly protocol: 'tcp' | 'udp'; readonly port: number },
): boolean {
  return group.ingress
    .filter((rule) => coversPort(rule, at))
    .some(({ peer }) =>
      peer.kind === 'group'
        ? source.groupIds.includes(peer.groupId)
        : source.address !== undefined && cidrContains(peer.cidr, source.address),
    );
}

function coversPort(
  { protocol, fromPort = -1, toPort = -1 }: SecurityGroupRule,
  at: { readonly protocol: 'tcp' | 'udp'; readonly port: number },
): boolean {
  if (protocol === '-1') return true;
  if ((protocolNames[protocol] ?? protocol) !== at.protocol) return false;
  return fromPort === -1 || (fromPort <= at.port && at.port <= toPort);
}

/** Protocol, ports, ICMP type and code; undefined for what IPv4 does not carry or the record garbles, which then allows nothing. */
function matchTraffic(
  { protocol, fromPort = -1, toPort = -1 }: SecurityGroupRule,
  port: string | undefined,
): string | undefined {
  if (protocol === '-1') return '';
  const name = protocolNames[protocol] ?? protocol;
  if (name === 'icmp') return matchIcmp(fromPort, toPort);
  if (name === 'tcp' || name === 'udp') {
    if (fromPort === -1 || (fromPort === 0 && toPort === 65_535)) return `meta l4proto ${name}`;
    if (!isWithin(fromPort, 65_535) || !isWithin(toPort, 65_535) || fromPort > toPort) return undefined;
    const range = fromPort === toPort ? String(fromPort) : `${fromPort}-${toPort}`;
    return port === undefined ? `${name} dport ${range}` : `meta l4proto ${name} ${port} ${range}`;
  }
  return /^\d{1,3}$/.test(name) && isWithin(Number(name), 255) ? `meta l4proto ${Number(name)}` : undefined;
}

function matchIcmp(type: number, code: number): string | undefined {
  if (type === -1) return 'meta l4proto icmp';
  if (!isWithin(type, 255) || (code !== -1 && !isWithin(code, 255))) return undefined;
  return code === -1 ? `icmp type ${type}` : `icmp type ${type} icmp code ${code}`;
}

function isWithin(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= limit;
}

/** A part of an nft name. Ids are letters, digits and dashes, which nft takes in a name; anything else is known by its hash. */
export function identifier(id: string): string {
  return /^[A-Za-z0-9-]{1,64}$/.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 32);
}
