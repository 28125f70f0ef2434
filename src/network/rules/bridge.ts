import { FABRIC_TABLE, UPLINK, inputChain, servicesSet } from './fabric.ts';
import type { Service } from './fabric.ts';
import type { Ruleset } from './ruleset.ts';

/** The rules of an engine network: its endpoints reach one another and, translated, the world; nothing from outside reaches them. */
export function bridgeRuleset(services: readonly Service[]): Ruleset {
  return {
    table: FABRIC_TABLE,
    sets: new Map([servicesSet(services)]),
    chains: new Map([
      ['input', inputChain()],
      [
        'forward',
        {
          base: 'type filter hook forward priority filter; policy drop;',
          rules: ['ct state established,related accept', `iifname != "${UPLINK}" accept`],
        },
      ],
      [
        'postrouting',
        {
          base: 'type nat hook postrouting priority srcnat; policy accept;',
          rules: [`oifname "${UPLINK}" masquerade`],
        },
      ],
    ]),
  };
}
