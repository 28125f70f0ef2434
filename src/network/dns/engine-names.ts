import type { Ipv4 } from '../model.ts';
import type { DnsAsker, DnsZone } from './zone.ts';
import { reversedAddress } from './private-names.ts';

const TTL_S = 0;

/** An endpoint as others in its network see it. */
export interface Neighbour {
  readonly network: string;
  readonly address: Ipv4;
  /** The first is the answer to its address. */
  readonly names: readonly string[];
}

/**
 * Names of the endpoints that an asker shares a network with, plain and as `name.network`. Several endpoints may have one name; all their
 * addresses are given. Names that none of them has are left to others, since a plain name may mean something outside.
 */
export function engineNamesZone(neighboursOf: (asker: DnsAsker) => readonly Neighbour[]): DnsZone {
  return {
    answer({ name, type }, asker) {
      const neighbours = neighboursOf(asker);
      const found = neighbours.filter((neighbour) => isNamed(neighbour, name));
      if (found.length > 0)
        return type === 'A' ? found.map(({ address }) => ({ type: 'A', name, ttl: TTL_S, data: address })) : [];
      const address = reversedAddress(name);
      const owner = neighbours.find((neighbour) => neighbour.address === address);
      if (!owner?.names[0]) return undefined;
      return type === 'PTR' ? [{ type: 'PTR', name, ttl: TTL_S, data: `${owner.names[0]}.${owner.network}` }] : [];
    },
  };
}

function isNamed({ names, network }: Neighbour, asked: string): boolean {
  return names.some((name) => {
    const known = name.toLowerCase();
    return asked === known || asked === `${known}.${network.toLowerCase()}`;
  });
}
