import { type DnsQuestion, reversedAddress, type ZoneAnswer } from '#network';
import { type NetworkCopies, serviceKeyOf } from '../proxy/copies.ts';
import { nameOfKey } from '../object.ts';
import { hostOf } from './endpoints.ts';

const TTL_S = 5;

/** Names of service addresses and of endpoints; undefined for an address that is none of them, which others may know. */
export function reverseAnswer(
  { name, type }: DnsQuestion,
  domain: string,
  { services, slices }: Pick<NetworkCopies, 'services' | 'slices'>,
): ZoneAnswer | undefined {
  const address = reversedAddress(name);
  if (!address) return undefined;
  const [service] = services.by('address', address);
  if (service) return pointers([`${service.metadata?.name}.${service.metadata?.namespace}.svc.${domain}`], name, type);
  const hosts = slices.by('address', address).flatMap((slice) => {
    const key = serviceKeyOf(slice);
    const of = nameOfKey(key ?? '');
    return slice.endpoints
      .filter(({ addresses, conditions }) => key && conditions?.ready !== false && addresses.includes(address))
      .map((endpoint) => `${hostOf(endpoint, address)}.${of.name}.${of.namespace}.svc.${domain}`);
  });
  return hosts.length > 0 ? pointers([...new Set(hosts)], name, type) : undefined;
}

function pointers(hosts: readonly string[], name: string, type: string): ZoneAnswer {
  return type === 'PTR' ? hosts.map((data) => ({ type, name, ttl: TTL_S, data })) : [];
}
