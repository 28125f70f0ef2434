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
}

type AskedPool = Pick<BridgeRequest, 'name' | 'cidr' | 'gateway' | 'addressRange'>;

/** The pool of a network in the range `cidr`. Throws `InvalidArgument` when what was asked for does not fit it. */
export function addressPool({ name, gateway, addressRange }: AskedPool, cidr: Cidr): AddressPool {
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
  return {
    cidr: range,
    gateway: gateway ?? addressAt(range, 1),
    ...(addressRange === undefined ? {} : { addressRange: formatCidr(parseCidr(addressRange)) }),
  };
}

/** The lowest address that is neither the gateway's nor in `taken`. Throws `ResourceExhausted`. */
export function freeAddress({ cidr, gateway, addressRange }: AddressPool, taken: ReadonlySet<Ipv4>): Ipv4 {
  for (const address of candidates(cidr, addressRange)) if (address !== gateway && !taken.has(address)) return address;
  throw new DabbaError(
    'ResourceExhausted',
    `no available IPv4 addresses on this network's address pools: every address of ${addressRange ?? cidr} is in use`,
  );
}

/** Throws unless a sandbox may have `address`: `InvalidArgument` outside the range, `Conflict` when somebody has it. */
export function checkAddress({ cidr, gateway }: AddressPool, address: Ipv4, taken: ReadonlySet<Ipv4>): void {
  const value = parseIpv4(address);
  const { first, last } = parseCidr(cidr);
  if (value <= first || value >= last)
    throw new DabbaError(
      'InvalidArgument',
      `invalid config for network: no configured subnet contains IP address ${address}: the subnet is ${cidr}`,
    );
  if (address === gateway || taken.has(address)) throw new DabbaError('Conflict', `Address already in use: ${address}`);
}

/** Addresses of the range to choose from, without those at the edges of the network. */
function* candidates(cidr: Cidr, addressRange: Cidr = cidr): Generator<Ipv4> {
  const { first, last } = parseCidr(cidr);
  const range = parseCidr(addressRange);
  for (let offset = 0; offset < range.size; offset++)
    if (range.first + offset > first && range.first + offset < last) yield formatIpv4(range.first + offset);
}
