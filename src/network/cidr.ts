import { createHash } from 'node:crypto';
import { DabbaError } from '#base';
import type { Cidr, Ipv4 } from './model.ts';

/** A network taken apart: addresses are unsigned 32-bit numbers, `first` and `last` inclusive. */
export interface CidrBlock {
  readonly first: number;
  readonly last: number;
  readonly prefixLength: number;
  /** Number of addresses, 2^(32 - prefixLength). */
  readonly size: number;
}

/** Addresses at the start of a subnet that AWS keeps: network, router, resolver, future use. The last one is kept too. */
const RESERVED_AT_START = 4;

/** The number of an address; throws `InvalidArgument` unless `text` is four decimal octets without leading zeros. */
export function parseIpv4(text: string): number {
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256))
    throw new DabbaError('InvalidArgument', `"${text}" is not an IPv4 address`);
  return octets.reduce((value, octet) => value * 256 + Number(octet), 0);
}

export function formatIpv4(value: number): Ipv4 {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** Takes `a.b.c.d/n` apart. Host bits are cleared, as EC2 does; throws `InvalidArgument` on anything else. */
export function parseCidr(text: Cidr): CidrBlock {
  const [address, prefix, ...rest] = text.split('/');
  if (!address || !prefix || rest.length > 0 || !/^(0|[1-9]\d?)$/.test(prefix) || Number(prefix) > 32)
    throw new DabbaError('InvalidArgument', `"${text}" is not an IPv4 CIDR block`);
  const prefixLength = Number(prefix);
  const size = 2 ** (32 - prefixLength);
  const value = parseIpv4(address);
  const first = value - (value % size);
  return { first, last: first + size - 1, prefixLength, size };
}

/** The canonical text of a block: `formatCidr(parseCidr('10.0.0.9/16'))` is `10.0.0.0/16`. */
export function formatCidr(block: CidrBlock): Cidr {
  return `${formatIpv4(block.first)}/${block.prefixLength}`;
}

/** True if `inner`, an address or a block, lies wholly inside `outer`. */
export function cidrContains(outer: Cidr, inner: string): boolean {
  const { first, last } = parseCidr(outer);
  const block = parseCidr(inner.includes('/') ? inner : `${inner}/32`);
  return block.first >= first && block.last <= last;
}

/** True if the two blocks have an address in common. */
export function overlaps(one: Cidr, other: Cidr): boolean {
  const a = parseCidr(one);
  const b = parseCidr(other);
  return a.first <= b.last && b.first <= a.last;
}

/** The address `offset` places after the first of the block, e.g. 1 for the router of a subnet. Throws `InvalidArgument` past its end. */
export function addressAt(cidr: Cidr, offset: number): Ipv4 {
  const { first, size } = parseCidr(cidr);
  if (offset < 0 || offset >= size) throw new DabbaError('InvalidArgument', `${cidr} has no address number ${offset}`);
  return formatIpv4(first + offset);
}

/** True if a network interface may have this address of the subnet: not one of the first four, nor the last. */
export function isUsableAddress(subnet: Cidr, address: Ipv4): boolean {
  const { first, last } = parseCidr(subnet);
  const value = parseIpv4(address);
  return value >= first + RESERVED_AT_START && value < last;
}

/** How many addresses of a subnet network interfaces may have: five are reserved (Amazon VPC User Guide, "Subnet CIDR blocks"). */
export function usableAddressCount(subnet: Cidr): number {
  return Math.max(0, parseCidr(subnet).size - RESERVED_AT_START - 1);
}

/** Every address of a subnet that a network interface may have, in order. Lazy: a /16 has 65,531. */
export function* usableAddresses(subnet: Cidr): Generator<Ipv4> {
  const { first, last } = parseCidr(subnet);
  for (let value = first + RESERVED_AT_START; value < last; value++) yield formatIpv4(value);
}

/** Every address of a block but its first and last (network and broadcast), in order; both of a /31 and the one of a /32. Lazy. */
export function* hostAddresses(cidr: Cidr): Generator<Ipv4> {
  const { first, last, prefixLength } = parseCidr(cidr);
  const edge = prefixLength < 31 ? 1 : 0;
  for (let value = first + edge; value <= last - edge; value++) yield formatIpv4(value);
}

/** The hardware address of an interface: `02:…`, locally administered and unicast, the same for the same id. */
export function macAddressOf(id: string): string {
  const bytes = createHash('sha256').update(id).digest().subarray(0, 5);
  return ['02', ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))].join(':');
}
