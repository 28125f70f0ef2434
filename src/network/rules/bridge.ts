import type { BridgeTraffic } from '../bridges.ts';
import { FABRIC_TABLE, UPLINK, inputChain, servicesSet } from './fabric.ts';
import type { Service } from './fabric.ts';
import type { Ruleset } from './ruleset.ts';

export interface BridgeRules extends Pick<BridgeTraffic, 'isApart' | 'isUntranslated'> {
  readonly isInternal: boolean;
}

/**
 * The rules of an engine network: its endpoints reach one another and, translated, the world, unless it is asked to be otherwise. What comes in by the
 * uplink was let through by the machine's rules: the machine's own connections, and those to published ports.
 */
export function bridgeRuleset(services: readonly Service[], rules: BridgeRules): Ruleset {
  const { isInternal, isApart = false, isUntranslated = false } = rules;
  const forward = [
    ...(isInternal || isApart ? ['ct state established,related accept'] : []),
    ...(isInternal ? [`oifname "${UPLINK}" drop`] : []),
    // What comes by a published port has gone round by the uplink.
    ...(isApart ? [`iifname != "${UPLINK}" oifname != "${UPLINK}" drop`] : []),
  ];
  return {
    table: FABRIC_TABLE,
    sets: new Map([servicesSet(services)]),
    chains: new Map([
      ['input', inputChain()],
      [
        'forward',
        {
          base: 'type filter hook forward priority filter; policy accept;',
          rules: forward,
        },
      ],
      [
        'postrouting',
        {
          base: 'type nat hook postrouting priority srcnat; policy accept;',
          rules: isUntranslated ? [] : [`oifname "${UPLINK}" masquerade`],
        },
      ],
    ]),
  };
}
