import type { Cidr } from '../model.ts';
import type { Ruleset } from './ruleset.ts';

/** Every dabba on a machine names its uplinks so, and its table. */
export const LINK_PREFIX = 'dab';
export const TABLE_PREFIX = 'dabba_';

export interface MachineRulesInput {
  readonly instance: string;
  readonly publicCidr: Cidr;
  /** The block the uplinks' own addresses are from. */
  readonly linkCidr: Cidr;
  /** The machine's own link to the world, when forwarding was off before us: what it was not meant to route, it still does not. */
  readonly guardedLink?: string;
}

/** How the names of an instance's uplinks begin. */
export function uplinkPrefix(instance: string): string {
  return `${LINK_PREFIX}${instance}-`;
}

/**
 * The rules of the machine's own namespace. Fabrics reach one another and the world, not the machine's own services nor its link-local
 * surroundings (a cloud's metadata service); into them come the machine's own connections and answers, not what others route through here.
 */
export function machineRuleset({ instance, publicCidr, linkCidr, guardedLink }: MachineRulesInput): Ruleset {
  const ours = `"${uplinkPrefix(instance)}*"`;
  const anyDabba = `"${LINK_PREFIX}*"`;
  const sources = `{ ${publicCidr}, ${linkCidr} }`;
  const chains = new Map([
    [
      'input',
      {
        base: 'type filter hook input priority filter; policy accept;',
        rules: [`iifname ${ours} ct state != { established, related } drop`],
      },
    ],
    [
      'output',
      {
        base: 'type filter hook output priority filter; policy accept;',
        // A packet from one public address to another of the same VPC turns round at its uplink; nobody needs to be told.
        rules: [`oifname ${ours} icmp type redirect drop`],
      },
    ],
    [
      'forward',
      {
        base: 'type filter hook forward priority filter; policy accept;',
        rules: [
          'ct state established,related accept',
          `iifname ${ours} ip saddr != ${sources} drop`,
          `iifname ${ours} ip daddr 169.254.0.0/16 drop`,
          `iifname ${ours} accept`,
          `oifname ${ours} drop`,
          ...(guardedLink ? [`iifname "${guardedLink}" ct status dnat accept`, `iifname "${guardedLink}" drop`] : []),
        ],
      },
    ],
    [
      'postrouting',
      {
        base: 'type nat hook postrouting priority srcnat; policy accept;',
        rules: [`ip saddr ${sources} oifname != ${anyDabba} masquerade`],
      },
    ],
  ]);
  return { table: `${TABLE_PREFIX}${instance}`, sets: new Map(), chains };
}
