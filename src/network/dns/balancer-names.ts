import type { Ipv4 } from '../model.ts';
import type { DnsZone } from './zone.ts';

const TTL_S = 60;

/** Names of load balancers, known to every VPC: `<name>-<id>.elb.<region>.amazonaws.com`. Others of that form are somebody else's. */
export function balancerNamesZone(addressesOf: (name: string) => readonly Ipv4[] | undefined): DnsZone {
  return {
    answer({ name, type }) {
      if (!name.endsWith('.amazonaws.com')) return undefined;
      const addresses = addressesOf(name);
      if (!addresses || type !== 'A') return addresses && [];
      return addresses.map((data) => ({ type, name, ttl: TTL_S, data }));
    },
  };
}
