import type { Ipv4, SecurityGroup } from '../model.ts';
import { mapOf, setOf } from './ruleset.ts';
import type { Chain, ElementSet, Ruleset } from './ruleset.ts';
import { combinationChain, compileGroup, groupChain, membersSet, referencedGroups } from './security-groups.ts';
import type { Direction } from './security-groups.ts';
import { FABRIC_TABLE, UPLINK, inputChain, servicesSet } from './fabric.ts';
import type { Service } from './fabric.ts';

/** A network interface as its fabric's rules need it. */
export interface FilteredInterface {
  /** Name of its link in the fabric. */
  readonly link: string;
  readonly privateIp: Ipv4;
  readonly securityGroupIds: readonly string[];
  /** Connections to ports of its addresses are led elsewhere by tables of clusters; its groups decide about them all the same. */
  readonly isNode?: boolean;
  /** Set when it has a public address and its subnet a way to an internet gateway. */
  readonly internet?: { readonly publicIp: Ipv4; readonly destinations: readonly string[] };
  /** Destinations that it reaches by addresses of NAT gateways. */
  readonly nat?: readonly { readonly publicIp: Ipv4; readonly destinations: readonly string[] }[];
}

/** Connections to addresses of load balancers, which their tables led on to targets before the rules here see them. */
export interface FilteredBalancers {
  /** Who may reach which addresses; those that are not named may everybody. */
  readonly guarded: readonly { readonly addresses: readonly Ipv4[]; readonly securityGroupIds: readonly string[] }[];
  /** Rules that let in connections with this mark, in place of the groups of the target's interface. */
  readonly admitted: readonly { readonly mark: number; readonly rules: readonly string[] }[];
}

export interface VpcRulesInput {
  readonly interfaces: readonly FilteredInterface[];
  readonly group: (groupId: string) => SecurityGroup | undefined;
  /** Private addresses of every interface of the VPC that has the group, on whatever machine. */
  readonly members: (groupId: string) => readonly Ipv4[];
  readonly services: readonly Service[];
  readonly balancers?: FilteredBalancers;
}

/**
 * The rules of one VPC's fabric. A packet between two interfaces passes `egress`, then `ingress`: two base chains of the forward hook, because
 * an accept ends a base chain but not the hook. Each finds the interface in a map and goes to the chain of its combination of groups; whatever
 * no rule accepts is dropped. Public addresses are translated 1:1 at the uplink, before and after the filters, which see private addresses
 * of their own side and public ones of the other; those of NAT gateways stand for many, outwards alone.
 *
 * A connection to a node port arrives at another interface than its client named: the groups of the one that was named let it in, by the port
 * that was named (`arriving`). What a service leads back to the interface it came from never left it, for the groups.
 */
export function vpcRuleset({ interfaces, group, members, services, balancers = NO_BALANCERS }: VpcRulesInput): Ruleset {
  const combinations = new Map(
    interfaces.map(({ securityGroupIds }) => [securityGroupIds.toSorted().join(' '), securityGroupIds]),
  );
  const holders = [...interfaces, ...balancers.guarded];
  const groups = [...new Set(holders.flatMap(({ securityGroupIds }) => securityGroupIds))]
    .sort()
    .map((id) => [id, group(id)] as const);
  const referenced = [...new Set(groups.flatMap(([, record]) => (record ? referencedGroups(record) : [])))].sort();
  const nodes = interfaces.filter(({ isNode }) => isNode);
  const chainsOf = (direction: Direction | 'arriving'): [string, Chain][] => [
    ...groups.map(([id, record]): [string, Chain] => [
      groupChain(direction, id),
      { base: '', rules: record ? compileGroup(record, direction) : [] },
    ]),
    ...Array.from(combinations.values(), (ids): [string, Chain] => [
      combinationChain(direction, ids),
      { base: '', rules: ids.toSorted().map((id) => `jump ${groupChain(direction, id)}`) },
    ]),
  ];
  const public_ = interfaces.flatMap((entry) => (entry.internet ? [{ ...entry, ...entry.internet }] : []));
  const shared = interfaces.flatMap((entry) => (entry.nat ?? []).map((way) => ({ ...entry, ...way })));
  return {
    table: FABRIC_TABLE,
    sets: new Map<string, ElementSet>([
      servicesSet(services),
      [
        'arriving_by_address',
        mapOf(
          'type ipv4_addr : verdict;',
          nodes.flatMap(({ privateIp, internet, securityGroupIds }) =>
            [privateIp, ...(internet ? [internet.publicIp] : [])].map(
              (address) => [address, `goto ${combinationChain('arriving', securityGroupIds)}`] as const,
            ),
          ),
        ),
      ],
      [
        'balancer_guards',
        mapOf(
          'type ipv4_addr : verdict;',
          balancers.guarded.flatMap(({ addresses, securityGroupIds }) =>
            addresses.map((address) => [address, `goto ${guardChain(securityGroupIds)}`] as const),
          ),
        ),
      ],
      [
        'admitted',
        mapOf(
          'type mark : verdict;',
          balancers.admitted.map(({ mark }) => [String(mark), `goto admitted_${mark}`]),
        ),
      ],
      ['egress_by_link', dispatch('egress', interfaces)],
      ['ingress_by_link', dispatch('ingress', interfaces)],
      [
        'own_addresses',
        setOf(
          'type ifname . ipv4_addr;',
          interfaces.map(({ link, privateIp }) => `"${link}" . ${privateIp}`),
        ),
      ],
      [
        'internet',
        setOf(
          'type ifname . ipv4_addr . ipv4_addr; flags interval;',
          [...public_, ...shared].flatMap(({ link, privateIp, destinations }) =>
            destinations.map((range) => `"${link}" . ${privateIp} . ${range}`),
          ),
        ),
      ],
      [
        'shared_public',
        mapOf(
          'type ipv4_addr . ipv4_addr : ipv4_addr; flags interval;',
          shared.flatMap(({ privateIp, publicIp, destinations }) =>
            destinations.map((range) => [`${privateIp} . ${range}`, publicIp] as const),
          ),
        ),
      ],
      [
        'public_by_private',
        mapOf(
          ADDRESS_MAP,
          public_.map(({ privateIp, publicIp }) => [privateIp, publicIp]),
        ),
      ],
      [
        'private_by_public',
        mapOf(
          ADDRESS_MAP,
          public_.map(({ privateIp, publicIp }) => [publicIp, privateIp]),
        ),
      ],
      ...referenced.map((id): [string, ElementSet] => [membersSet(id), setOf('type ipv4_addr;', members(id))]),
    ]),
    chains: new Map<string, Chain>([
      ...chainsOf('egress'),
      ...chainsOf('ingress'),
      ...(nodes.length + balancers.guarded.length > 0 ? chainsOf('arriving') : []),
      ...balancers.guarded.map(({ securityGroupIds: ids }): [string, Chain] => [
        guardChain(ids),
        { base: '', rules: [...ids.toSorted().map((id) => `jump ${groupChain('arriving', id)}`), 'drop'] },
      ]),
      ...balancers.admitted.map(({ mark, rules }): [string, Chain] => [`admitted_${mark}`, { base: '', rules }]),
      // What a service answers may depend on who asks, so an interface without source check cannot ask for another.
      ['input', inputChain('iifname . ip saddr != @own_addresses drop')],
      ...Object.entries(baseChains),
    ]),
  };
}

const ADDRESS_MAP = 'type ipv4_addr : ipv4_addr;';

const NO_BALANCERS: FilteredBalancers = { guarded: [], admitted: [] };

function guardChain(groupIds: readonly string[]): string {
  return combinationChain('arriving', groupIds).replace('_of_', '_at_');
}

const BACK_AGAIN = 'iifname . ip daddr @own_addresses accept';

const baseChains: { readonly [name: string]: Chain } = {
  prerouting: {
    base: 'type nat hook prerouting priority dstnat; policy accept;',
    rules: [`iifname "${UPLINK}" dnat to ip daddr map @private_by_public`],
  },
  egress: {
    base: 'type filter hook forward priority -10; policy drop;',
    rules: [
      'ct state established,related accept',
      'ct state invalid drop',
      `iifname "${UPLINK}" accept`,
      BACK_AGAIN,
      'iifname vmap @egress_by_link',
    ],
  },
  // What passes here has still to be let in by the target: an accept ends this chain alone.
  balancers: {
    base: 'type filter hook forward priority -5; policy accept;',
    rules: ['ct state established,related accept', 'ct status dnat ct original ip daddr vmap @balancer_guards'],
  },
  ingress: {
    base: 'type filter hook forward priority 0; policy drop;',
    rules: [
      'ct state established,related accept',
      `oifname "${UPLINK}" iifname . ip saddr . ip daddr @internet accept`,
      BACK_AGAIN,
      'ct status dnat ct original ip daddr vmap @arriving_by_address',
      'ct status dnat ct mark vmap @admitted',
      'oifname vmap @ingress_by_link',
    ],
  },
  postrouting: {
    base: 'type nat hook postrouting priority srcnat; policy accept;',
    rules: [
      // A NAT gateway translates many addresses to one: what comes to that unasked finds nobody.
      `oifname "${UPLINK}" snat to ip saddr . ip daddr map @shared_public`,
      `oifname "${UPLINK}" snat to ip saddr map @public_by_private`,
    ],
  },
};

function dispatch(direction: Direction, interfaces: readonly FilteredInterface[]): ElementSet {
  return mapOf(
    'type ifname : verdict;',
    interfaces.map(({ link, securityGroupIds }) => [
      `"${link}"`,
      `goto ${combinationChain(direction, securityGroupIds)}`,
    ]),
  );
}
