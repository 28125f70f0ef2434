import type { ClusterRules, ServiceBackend, ServicePort, ServiceRouting } from '../clusters.ts';
import type { Ipv4 } from '../model.ts';
import { compileGroups, TO_GROUP, type BackendGroup, type Numbers } from './balancing.ts';
import { compilePolicies } from './policies.ts';
import { mapOf, setOf, type Chain, type ElementSet, type Ruleset } from './ruleset.ts';

/** An interface on this machine that belongs to the cluster. */
export interface ClusterMember {
  /** Name of its link in the fabric. */
  readonly link: string;
  readonly node: string;
  readonly privateIp: Ipv4;
  readonly publicIp?: Ipv4 | undefined;
}

export interface ClusterRulesInput {
  readonly table: string;
  readonly rules: ClusterRules;
  readonly members: readonly ClusterMember[];
  /** Addresses of the cluster at which the fabric itself serves. */
  readonly served: readonly {
    readonly protocol: 'tcp' | 'udp';
    readonly address: Ipv4;
    readonly port: number;
    readonly to: string;
  }[];
  /** Names of groups, of nodes. */
  readonly numbers: Numbers;
}

/**
 * The rules of one cluster in its VPC's fabric, a table of its own beside the fabric's. Only what comes from an interface of the cluster sees
 * its services, since another cluster may use the same addresses; node ports are at addresses of the VPC, which has each once.
 *
 * A frontend leads to the number of a group (`balancing.ts`). Where a service treats nodes differently, that group is divided: it has no
 * backends but asks which node the client is on, or was reached, and goes on to that node's own group.
 */
export function clusterRuleset({ table, rules, members, served, numbers }: ClusterRulesInput): Ruleset {
  const used = new Set<string>();
  const numberOf = (name: string) => {
    used.add(name);
    return numbers.of(name);
  };
  const nodes = new Map(rules.nodes.map(({ name }) => [name, numberOf(`node ${name}`)]));
  for (const { node } of members) if (!nodes.has(node)) nodes.set(node, numberOf(`node ${node}`));
  const routes = new Routes(numberOf, nodes);
  for (const service of rules.services) routes.add(service);
  const { sets, chains } = compileGroups(routes.groups);
  const policies = compilePolicies(rules.policies, unfiltered(rules, members));
  numbers.retain(used);
  return {
    table,
    sets: new Map<string, ElementSet>([
      [
        'links',
        setOf(
          'type ifname;',
          members.map(({ link }) => `"${link}"`),
        ),
      ],
      [
        'nodes',
        mapOf(
          'type ifname : mark;',
          members.map(({ link, node }) => [`"${link}"`, String(nodes.get(node))]),
        ),
      ],
      ['node_addresses', mapOf('type ipv4_addr : mark;', nodeAddresses(rules, members, nodes))],
      [
        'served',
        mapOf(
          'type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;',
          served.map(({ address, protocol, port, to }) => [`${address} . ${protocol} . ${port}`, to]),
        ),
      ],
      [
        'frontends',
        // A service's own address is nobody else's, whatever addresses others claim.
        mapOf('type ipv4_addr . inet_proto . inet_service : mark;', [...routes.claimed, ...routes.frontends]),
      ],
      ['node_ports', mapOf('type inet_proto . inet_service : mark;', routes.nodePorts)],
      ['divided', mapOf('type mark : verdict;', routes.divided)],
      ['node_groups', mapOf('type mark . mark : mark;', routes.nodeGroups)],
      [
        'claimed',
        setOf(
          'type ipv4_addr . inet_proto . inet_service;',
          routes.claimed.map(([at]) => at),
        ),
      ],
      [
        'hairpins',
        setOf(
          'type ipv4_addr . ipv4_addr;',
          members.map(({ privateIp }) => `${privateIp} . ${privateIp}`),
        ),
      ],
      ...sets,
      ...policies.sets,
    ]),
    chains: new Map<string, Chain>([...chains, ...Object.entries(ownChains(rules.serviceCidr)), ...policies.chains]),
  };
}

const TO_DIVIDED = 'ct mark vmap @divided';

function ownChains(serviceCidr: string): { readonly [name: string]: Chain } {
  const toNodePorts = ['meta mark set ip daddr map @node_addresses', 'meta mark != 0 jump node_ports_at_node'];
  return {
    by_client_node: { base: '', rules: ['meta mark set 0', 'meta mark set iifname map @nodes', 'goto by_node'] },
    // Whoever has no backend on its node is not answered: that the service has some elsewhere is no reason to refuse.
    by_node: { base: '', rules: ['ct mark set ct mark . meta mark map @node_groups', TO_GROUP, 'drop'] },
    services: {
      base: '',
      rules: [
        'dnat ip to ip daddr . meta l4proto . th dport map @served',
        'ct mark set ip daddr . meta l4proto . th dport map @frontends',
        TO_DIVIDED,
        TO_GROUP,
      ],
    },
    node_ports_at_node: {
      base: '',
      rules: ['ct mark set meta l4proto . th dport map @node_ports', TO_DIVIDED, TO_GROUP],
    },
    // Before the fabric's own translation of public addresses: a connection is translated once.
    prerouting: {
      base: 'type nat hook prerouting priority dstnat - 10; policy accept;',
      rules: ['iifname @links jump services', ...toNodePorts],
    },
    // What the fabric's owner dials itself, such as health checks.
    output: { base: 'type nat hook output priority -110; policy accept;', rules: toNodePorts },
    unserved: {
      base: 'type filter hook forward priority -20; policy accept;',
      rules: [
        'iifname != @links accept',
        `ip daddr ${serviceCidr} reject`,
        'ip daddr . meta l4proto . th dport @claimed reject',
      ],
    },
    // A pod that reaches itself through a service must not see its own address as the client's: it would answer past us.
    postrouting: {
      base: 'type nat hook postrouting priority srcnat - 10; policy accept;',
      rules: ['ct status dnat ip saddr . ip daddr @hairpins masquerade'],
    },
  };
}

/** Collects what leads where, as the elements of the maps above. */
class Routes {
  readonly frontends: [string, string][] = [];
  /** Of addresses that services only say they have. */
  readonly claimed: [string, string][] = [];
  readonly nodePorts: [string, string][] = [];
  readonly nodeGroups: [string, string][] = [];
  readonly groups: BackendGroup[] = [];
  /** Groups that ask for a node first, with where they do. */
  readonly divided: [string, string][] = [];
  readonly #numberOf: (name: string) => number;
  readonly #nodes: ReadonlyMap<string, number>;

  constructor(numberOf: (name: string) => number, nodes: ReadonlyMap<string, number>) {
    this.#numberOf = numberOf;
    this.#nodes = nodes;
  }

  add(service: ServicePort): void {
    const { protocol, port, addresses, externalAddresses, nodePort, internal, external } = service;
    const group = this.#route(service, internal, 'by_client_node');
    for (const address of addresses) this.frontends.push([`${address} . ${protocol} . ${port}`, String(group)]);
    if (externalAddresses.length === 0 && nodePort === undefined) return;
    const outer = external === internal ? group : this.#route(service, external, 'by_node');
    // A pod of the cluster that takes the way round by an external address is not bound to a node.
    const inner = external.kind === 'by-node' ? group : outer;
    for (const address of externalAddresses) this.claimed.push([`${address} . ${protocol} . ${port}`, String(inner)]);
    if (nodePort !== undefined) this.nodePorts.push([`${protocol} . ${nodePort}`, String(outer)]);
  }

  #route({ id, affinityS }: ServicePort, routing: ServiceRouting, chain: 'by_node' | 'by_client_node'): number {
    const name = `${chain} ${id}`;
    const number = this.#numberOf(name);
    if (routing.kind === 'everywhere') {
      this.groups.push({ number, backends: routing.backends, affinityS });
      return number;
    }
    const shared = new Map<readonly ServiceBackend[], number>();
    for (const [node, backends] of routing.backends) {
      const nodeNumber = this.#nodes.get(node);
      if (nodeNumber === undefined || backends.length === 0) continue;
      let own = shared.get(backends);
      if (own === undefined) {
        own = this.#numberOf(`${name} ${node}`);
        shared.set(backends, own);
        this.groups.push({ number: own, backends, affinityS });
      }
      this.nodeGroups.push([`${number} . ${nodeNumber}`, String(own)]);
    }
    if (shared.size > 0) this.divided.push([String(number), `goto ${chain}`]);
    return number;
  }
}

/** A node's addresses, and the public ones of the interfaces that have them. */
function nodeAddresses(
  { nodes }: ClusterRules,
  members: readonly ClusterMember[],
  numbers: ReadonlyMap<string, number>,
): [string, string][] {
  return nodes.flatMap(({ name, addresses }) => {
    const own = members.filter(({ privateIp }) => addresses.includes(privateIp));
    const all = [...addresses, ...own.flatMap(({ publicIp }) => publicIp ?? [])];
    return all.map((address): [string, string] => [address, String(numbers.get(name))]);
  });
}

/** A pod and itself, a node and the pods on it. */
function unfiltered({ nodes }: ClusterRules, members: readonly ClusterMember[]): [Ipv4, Ipv4][] {
  const addresses = new Map(nodes.map((node) => [node.name, node.addresses]));
  return members.flatMap(({ node, privateIp }) =>
    [privateIp, ...(addresses.get(node) ?? [])].map((source): [Ipv4, Ipv4] => [source, privateIp]),
  );
}
