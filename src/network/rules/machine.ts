import type { PublishedPort } from '../bridges.ts';
import type { Cidr, Ipv4 } from '../model.ts';
import { mapOf } from './ruleset.ts';
import type { Chain, ElementSet, Ruleset } from './ruleset.ts';

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
  readonly published: readonly PublishedTarget[];
  /** Ranges of networks whose addresses the world is to see. */
  readonly untranslated: readonly Cidr[];
}

/** A published port with the address it leads to. */
export interface PublishedTarget extends PublishedPort {
  readonly address: Ipv4;
}

/** How the names of an instance's uplinks begin. */
export function uplinkPrefix(instance: string): string {
  return `${LINK_PREFIX}${instance}-`;
}

/**
 * The rules of the machine's own namespace. Fabrics reach one another and the world, not the machine's own services nor its link-local
 * surroundings (a cloud's metadata service); into them come the machine's own connections, those to published ports and answers, not what others
 * route through here.
 */
export function machineRuleset(input: MachineRulesInput): Ruleset {
  const { instance, publicCidr, linkCidr, guardedLink, published, untranslated } = input;
  const ours = `"${uplinkPrefix(instance)}*"`;
  const anyDabba = `"${LINK_PREFIX}*"`;
  const translated = `{ ${publicCidr}, ${linkCidr} }`;
  const sources = `{ ${[publicCidr, linkCidr, ...untranslated].join(', ')} }`;
  const chains = new Map<string, Chain>([
    // A packet from elsewhere that names loopback is nobody's: what is published there is for the machine itself.
    [
      'prerouting',
      {
        base: 'type nat hook prerouting priority dstnat; policy accept;',
        rules: ['ip daddr 127.0.0.0/8 return', ...toPublished],
      },
    ],
    ['output_nat', { base: 'type nat hook output priority -100; policy accept;', rules: toPublished }],
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
          // From one fabric into another there are two ways: published ports and public addresses.
          `oifname ${ours} ct status dnat accept`,
          `iifname ${ours} oifname ${ours} ip daddr != ${publicCidr} drop`,
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
        rules: [
          // Neither loopback's address nor one of a fabric's own is an answer's way back from a published port.
          `oifname ${ours} ip saddr { 127.0.0.0/8, ${linkCidr} } ct status dnat masquerade`,
          `ip saddr ${translated} oifname != ${anyDabba} masquerade`,
        ],
      },
    ],
  ]);
  return { table: `${TABLE_PREFIX}${instance}`, sets: publishedMaps(published), chains };
}

/** An address of the machine of its own comes before every address. */
const toPublished = [
  'ip daddr . meta l4proto . th dport map @published_at',
  'meta l4proto . th dport map @published',
].map((lookup) => `fib daddr type local dnat ip to ${lookup}`);

const EVERY_ADDRESS = '0.0.0.0';

function publishedMaps(published: readonly PublishedTarget[]): Map<string, ElementSet> {
  const target = ({ address, containerPort }: PublishedTarget) => `${address} . ${containerPort}`;
  const [everywhere, somewhere] = [true, false].map((isEverywhere) =>
    published.filter(({ hostIp }) => (hostIp === EVERY_ADDRESS) === isEverywhere),
  );
  return new Map([
    [
      'published',
      mapOf(
        'type inet_proto . inet_service : ipv4_addr . inet_service;',
        (everywhere ?? []).map((port) => [`${port.protocol} . ${port.hostPort}`, target(port)]),
      ),
    ],
    [
      'published_at',
      mapOf(
        'type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;',
        (somewhere ?? []).map((port) => [`${port.hostIp} . ${port.protocol} . ${port.hostPort}`, target(port)]),
      ),
    ],
  ]);
}
