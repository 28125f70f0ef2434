import type { Ipv4 } from '../model.ts';
import { compileGroups, TO_GROUP, type BackendGroup } from './balancing.ts';
import { mapOf, type Chain, type ElementSet, type Ruleset } from './ruleset.ts';

export const BALANCERS_TABLE = 'balancers';

/** One listener of a load balancer in one of its zones. */
export interface BalancedAddress {
  /** The zone's addresses, private and public. */
  readonly addresses: readonly Ipv4[];
  readonly protocols: readonly ('tcp' | 'udp')[];
  readonly port: number;
  readonly group: BackendGroup;
  /** The address that targets see in place of the client's. */
  readonly source?: Ipv4 | undefined;
}

/** The load balancers of a VPC, a table of their own beside the fabric's: what comes to one of their addresses is led on to a target. */
export function balancersRuleset(balanced: readonly BalancedAddress[]): Ruleset {
  const { sets, chains } = compileGroups(balanced.map(({ group }) => group));
  return {
    table: BALANCERS_TABLE,
    sets: new Map<string, ElementSet>([
      [
        'frontends',
        mapOf(
          'type ipv4_addr . inet_proto . inet_service : mark;',
          balanced.flatMap(({ addresses, protocols, port, group }) =>
            addresses.flatMap((address) =>
              protocols.map((protocol) => [`${address} . ${protocol} . ${port}`, String(group.number)] as const),
            ),
          ),
        ),
      ],
      [
        'sources',
        mapOf(
          'type mark : ipv4_addr;',
          balanced.flatMap(({ group, source }) => (source ? [[String(group.number), source] as const] : [])),
        ),
      ],
      ...sets,
    ]),
    chains: new Map<string, Chain>([...chains, ...Object.entries(baseChains)]),
  };
}

const baseChains: { readonly [name: string]: Chain } = {
  prerouting: {
    base: 'type nat hook prerouting priority dstnat - 5; policy accept;',
    rules: ['ct mark set ip daddr . meta l4proto . th dport map @frontends', TO_GROUP],
  },
  postrouting: {
    base: 'type nat hook postrouting priority srcnat - 5; policy accept;',
    rules: ['ct status dnat snat to ct mark map @sources'],
  },
};
