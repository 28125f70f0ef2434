import { isIPv4 } from 'node:net';
import { DabbaError } from '#base';
import type { NetworkTraffic } from '#engine';

const bridge = 'com.docker.network.bridge';

/** What an option's value means. Throws `InvalidArgument`. */
type Reader = (value: string, name: string) => NetworkTraffic;

/** Options of Docker's bridge driver ("Bridge network driver", Options). */
const readers: { readonly [option: string]: Reader } = {
  'com.docker.network.driver.mtu': (value, name) => ({ mtu: readMtu(value, name) }),
  [`${bridge}.enable_icc`]: (value, name) => ({ isApart: !readFlag(value, name) }),
  [`${bridge}.enable_ip_masquerade`]: (value, name) => ({ isUntranslated: !readFlag(value, name) }),
  [`${bridge}.host_binding_ipv4`]: (value, name) => ({ hostIp: readAddress(value, name) }),
  [`${bridge}.gateway_mode_ipv4`]: (value, name) => (value === 'nat' ? {} : refuse(name, value)),
  // A network here is a namespace with routes, not a bridge; nothing of the machine could carry the name.
  [`${bridge}.name`]: (value, name) => refuse(name, value),
};

/**
 * Reads a network's options. Those of Docker's that are honoured nowhere throw `Unimplemented` with their name; the driver passes over
 * what it does not know, and so do we.
 */
export function readTraffic(network: string, options: { readonly [name: string]: string }): NetworkTraffic {
  let traffic: NetworkTraffic = {};
  for (const [option, value] of Object.entries(options)) {
    const name = `network ${network}: option ${option}`;
    const read = Object.hasOwn(readers, option) ? readers[option]! : undefined;
    if (read) traffic = { ...traffic, ...read(value, name) };
    else if (option.startsWith('com.docker.network.')) refuse(name, value);
  }
  return traffic;
}

function refuse(name: string, value: string): never {
  throw new DabbaError('Unimplemented', `${name}=${value} is not supported`);
}

/** IPv4's least (RFC 791), and what a packet may be at most. */
function readMtu(value: string, name: string): number {
  const mtu = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (mtu < 68 || mtu > 65_535)
    throw new DabbaError('InvalidArgument', `${name}: "${value}" is not an MTU from 68 to 65535`);
  return mtu;
}

/** As Go's `strconv.ParseBool`. */
function readFlag(value: string, name: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw new DabbaError('InvalidArgument', `${name}: "${value}" is neither true nor false`);
}

function readAddress(value: string, name: string): string {
  if (!isIPv4(value)) throw new DabbaError('InvalidArgument', `${name}: "${value}" is not an IPv4 address`);
  return value;
}
