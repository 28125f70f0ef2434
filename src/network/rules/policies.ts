import { hash } from 'node:crypto';
import { formatCidr, parseCidr } from '../cidr.ts';
import type { PodPolicy, PolicyAllowance, PolicyPorts } from '../clusters.ts';
import type { Ipv4 } from '../model.ts';
import { mapOf, setOf, type Chain, type ElementSet } from './ruleset.ts';

type Direction = PodPolicy['direction'];

const DIRECTIONS: readonly Direction[] = ['egress', 'ingress'];
/** Behind the security groups, which filter the same packets at -10 and 0. */
const PRIORITY = { egress: 5, ingress: 10 } as const;
/** The pod's own side of a packet, and the other's. */
const SELF = { egress: 'ip saddr', ingress: 'ip daddr' } as const;
const PEER = { egress: 'ip daddr', ingress: 'ip saddr' } as const;

/**
 * Two base chains of the forward hook, one a direction. A packet of an isolated pod goes to the chain of that pod's combination of policies,
 * which accepts or drops; who is isolated and who a policy's peers are are elements of maps and sets. `unfiltered` are pairs of source and
 * destination that no policy parts: a pod and itself, a node and its own pods.
 */
export function compilePolicies(
  policies: readonly PodPolicy[],
  unfiltered: readonly (readonly [source: Ipv4, destination: Ipv4])[],
): { readonly sets: readonly [string, ElementSet][]; readonly chains: readonly [string, Chain][] } {
  if (policies.length === 0) return { sets: [], chains: [] };
  const sets: [string, ElementSet][] = [
    [
      'unfiltered',
      setOf(
        'type ipv4_addr . ipv4_addr;',
        unfiltered.map((pair) => pair.join(' . ')),
      ),
    ],
  ];
  const chains: [string, Chain][] = [];
  for (const direction of DIRECTIONS) {
    const ours = policies.filter((policy) => policy.direction === direction);
    for (const policy of ours) compilePolicy(policy, sets, chains);
    const isolated = new Map<string, string>();
    const combinations = new Map<string, readonly string[]>();
    for (const [pod, names] of chainsByPod(ours)) {
      const combination = `${direction}_of_${digest(names.join(' '))}`;
      combinations.set(combination, names);
      isolated.set(pod, `goto ${combination}`);
    }
    for (const [combination, names] of combinations)
      chains.push([combination, { base: '', rules: [...names.map((name) => `jump ${name}`), 'drop'] }]);
    sets.push([`isolated_${direction}`, mapOf('type ipv4_addr : verdict;', isolated)]);
    chains.push([
      `policies_${direction}`,
      {
        base: `type filter hook forward priority ${PRIORITY[direction]}; policy accept;`,
        rules: [
          'ct state established,related accept',
          'ip saddr . ip daddr @unfiltered accept',
          `${SELF[direction]} vmap @isolated_${direction}`,
        ],
      },
    ]);
  }
  return { sets, chains };
}

function chainName({ direction, id }: PodPolicy): string {
  return `${direction}_${digest(id)}`;
}

/** The chains of the policies that isolate a pod, in one order for all pods. */
function chainsByPod(policies: readonly PodPolicy[]): Map<Ipv4, string[]> {
  const byPod = new Map<Ipv4, string[]>();
  for (const policy of policies.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
    for (const pod of policy.pods) byPod.set(pod, [...(byPod.get(pod) ?? []), chainName(policy)]);
  return byPod;
}

function compilePolicy(policy: PodPolicy, sets: [string, ElementSet][], chains: [string, Chain][]): void {
  const name = chainName(policy);
  const rules = policy.allows.flatMap((allowance, index) => {
    const peersSet = `${name}_${index}`;
    if (allowance.peers !== 'any' && allowance.peers.addresses.length > 0)
      sets.push([peersSet, setOf('type ipv4_addr;', allowance.peers.addresses)]);
    return peerMatches(allowance, PEER[policy.direction], peersSet).flatMap((peer) =>
      portMatches(allowance.ports).map((ports) => [peer, ports, 'accept'].filter(Boolean).join(' ')),
    );
  });
  chains.push([name, { base: '', rules }]);
}

function peerMatches({ peers }: PolicyAllowance, field: string, peersSet: string): string[] {
  if (peers === 'any') return [''];
  return [
    ...(peers.addresses.length > 0 ? [`${field} @${peersSet}`] : []),
    ...peers.blocks.map(({ cidr, except }) => {
      const inside = parseCidr(cidr).prefixLength === 0 ? '' : `${field} ${canonical(cidr)}`;
      return [inside, ...except.map((hole) => `${field} != ${canonical(hole)}`)].filter(Boolean).join(' ');
    }),
  ];
}

function portMatches(ports: 'any' | readonly PolicyPorts[]): string[] {
  if (ports === 'any') return [''];
  return ports
    .filter(({ at }) => at?.length !== 0)
    .map(({ protocol, first, last, at }) => {
      const where = at ? `ip daddr { ${[...new Set(at)].join(', ')} } ` : '';
      if (first === undefined) return `${where}meta l4proto ${protocol}`;
      const range = last === undefined || last === first ? String(first) : `${first}-${last}`;
      return `${where}${protocol} dport ${range}`;
    });
}

function canonical(cidr: string): string {
  return formatCidr(parseCidr(cidr));
}

function digest(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 16);
}
