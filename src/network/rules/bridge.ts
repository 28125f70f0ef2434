import { FABRIC_TABLE, UPLINK, inputChain, servicesSet } from './fabric.ts';
import type { Service } from './fabric.ts';
import type { Ruleset } from './ruleset.ts';

/**
 * The rules of an engine network: its endpoints reach one another and, translated, the world, unless it is internal. What comes in by the
 * uplink was let through by the machine's rules: the machine's own connections, and those to published ports.
 */
export function bridgeRuleset(services: readonly Service[], { isInternal }: { readonly isInternal: boolean }): Ruleset {
  return {
    table: FABRIC_TABLE,
    sets: new Map([servicesSet(services)]),
    chains: new Map([
      ['input', inputChain()],
      [
        'forward',
        {
          base: 'type filter hook forward priority filter; policy accept;',
          rules: isInternal ? ['ct state established,related accept', `oifname "${UPLINK}" drop`] : [],
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
