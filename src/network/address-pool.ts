import { isIPv4 } from 'node:net';
import { DabbaError } from '#base';
import type { BridgeRequest } from './bridges.ts';
import { addressAt, cidrContains, formatCidr, formatIpv4, parseCidr, parseIpv4 } from './cidr.ts';
import type { Cidr, Ipv4 } from './model.ts';

/** The addresses of one engine network. */
export interface AddressPool {
  readonly cidr: Cidr;
  readonly gateway: Ipv4;
  /** Part that addresses are chosen from; others of `cidr` may still be asked for. */
  readonly addressRange?: Cidr;
  /** Addresses that nobody is given. */
  readonly auxiliaryAddresses?: { readonly [name: string]: Ipv4 };
}

type AskedPool = Pick<BridgeRequest, 'name' | 'cidr' | 'gateway' | 'addressRange' | 'auxiliaryAddresses'>;

/** The pool of a network in the range `cidr`. Throws `InvalidArgument` when what was asked for does not fit it. */
export function addressPool(asked: AskedPool, cidr: Cidr): AddressPool {
  const { name, gateway, addressRange, auxiliaryAddresses } = asked;
  const block = parseCidr(cidr);
  const range = formatCidr(block);
  const invalid = (what: string) => new DabbaError('InvalidArgument', `network ${name}: ${what}`);
  if (block.size < 4) throw invalid(`${range} has no room for a gateway and an endpoint`);
  if (gateway !== undefined) {
    const value = parseIpv4(gateway);
    if (!cidrContains(range, gateway)) throw invalid(`invalid subnet ${range}: it does not contain gateway ${gateway}`);
    if (value === block.first || value === block.last) throw invalid(`gateway ${gateway} is an edge of ${range}`);
  }
  if (addressRange !== undefined && !cidrContains(range, addressRange))
    throw invalid(`invalid subnet ${range}: it does not contain ip-range ${addressRange}`);
  for (const [label, address] of Object.entries(auxiliaryAddresses ?? {}))
    if (!isIPv4(address) || !cidrContains(range, address))
      throw invalid(`no matching subnet for aux-address ${label}=${address}: the subnet is ${range}`);
  return {
    cidr: range,
    gateway: gateway ?? addressAt(range, 1),
    ...(addressRange === undefined ? {} : { addressRange: formatCidr(parseCidr(addressRange)) }),
    ...(auxiliaryAddresses && { auxiliaryAddresses }),
  };
}

/** The lowest address that is neither reserved nor in `taken`. Throws `ResourceExhausted`. */
export function freeAddress(pool: AddressPool, taken: ReadonlySet<Ipv4>): Ipv4 {
  const { cidr, addressRange } = pool;
  for (const address of candidates(cidr, addressRange))
    if (!isReserved(pool, address) && !taken.has(address)) return address;
  throw new DabbaError(
    'ResourceExhausted',
    `no available IPv4 addresses on this network's address pools: every address of ${addressRange ?? cidr} is in use`,
  );
}

/** Throws unless a sandbox may have `address`: `InvalidArgument` outside the range, `Conflict` when somebody has it. */
export function checkAddress(pool: AddressPool, address: Ipv4, taken: ReadonlySet<Ipv4>): void {
  const { cidr } = pool;
  const value = parseIpv4(address);
  const { first, last } = parseCidr(cidr);
  if (value <= first || value >= last)
    throw new DabbaError(
      'InvalidArgument',
      `invalid config for network: no configured subnet contains IP address ${address}: the subnet is ${cidr}`,
    );
  if (isReserved(pool, address) || taken.has(address))
    throw new DabbaError('Conflict', `Address already in use: ${address}`);
}

const isReserved = ({ gateway, auxiliaryAddresses = {} }: AddressPool, address: Ipv4) =>
  address === gateway || Object.values(auxiliaryAddresses).includes(address);

/** Addresses of the range to choose from, without those at the edges of the network. */
function* candidates(cidr: Cidr, addressRange: Cidr = cidr): Generator<Ipv4> {
  const { first, last } = parseCidr(cidr);
  const range = parseCidr(addressRange);
  for (let offset = 0; offset < range.size; offset++)
    if (range.first + offset > first && range.first + offset < last) yield formatIpv4(range.first + offset);
}
