/**
 * Spreading of connections over backends, as nftables maps shared by every group of backends, so that a backend that comes or goes is an
 * element or two. A new connection carries the number of its group in its conntrack mark and its choice among the group's backends in its
 * packet's mark:
 *
 *     groups    group            → the chain for that many backends
 *     backends  group . choice   → address . port
 *
 * A group with affinity remembers who was sent where. Places in a list move when one goes, so what is remembered is a backend's own number:
 *
 *     picks     group . choice   → number      targets  group . number → address . port
 *     affinity  client . group   → number      alive    group . number → the chain that sends there and remembers
 */
import { hash } from 'node:crypto';
import type { Ipv4 } from '../model.ts';
import { mapOf, type Chain, type ElementSet } from './ruleset.ts';

export interface Backend {
  readonly address: Ipv4;
  readonly port: number;
}

/** Backends among which connections are spread evenly; none of them are refused, which is the caller's rule. */
export interface BackendGroup {
  /** Its number, not 0; the same as long as it exists. */
  readonly number: number;
  readonly backends: readonly Backend[];
  /** Seconds for which a client keeps its backend after its last connection. */
  readonly affinityS?: number | undefined;
}

/** Sends the connection to the group in its conntrack mark; goes on to the next rule if that has no backends. */
export const TO_GROUP = 'ct mark vmap @groups';

/** As many clients as are remembered at once, over all groups. */
const MAX_REMEMBERED = 65_535;
/**
 * A packet under way while rules change may see old chains and new maps. So chains are there before a group grows into them, from one backend to
 * this many and one beyond, and a choice that is gone becomes the first, which never is.
 */
const READY_LENGTHS = 16;
/** Address and port can be translated together only where there are ports. */
const WITH_PORTS = 'meta l4proto { tcp, udp, sctp }';

export interface Balancing {
  readonly sets: readonly [name: string, set: ElementSet][];
  readonly chains: readonly [name: string, chain: Chain][];
}

export function compileGroups(groups: readonly BackendGroup[]): Balancing {
  const verdicts: (readonly [string, string])[] = [];
  const backends: (readonly [string, string])[] = [];
  const picks: (readonly [string, string])[] = [];
  const targets: (readonly [string, string])[] = [];
  const alive: (readonly [string, string])[] = [];
  const chains = new Map(Array.from({ length: READY_LENGTHS }, (_, index) => spread(index + 1)));
  for (const { number, backends: members, affinityS } of groups) {
    if (members.length === 0) continue;
    const [name, chain] = affinityS === undefined ? spread(members.length) : sticky(members.length, affinityS);
    chains.set(name, chain);
    chains.set(...(affinityS === undefined ? spread(members.length + 1) : sticky(members.length + 1, affinityS)));
    if (affinityS !== undefined) chains.set(...remember(affinityS));
    verdicts.push([String(number), `goto ${name}`]);
    for (const [choice, backend] of members.entries()) {
      const target = `${backend.address} . ${backend.port}`;
      if (affinityS === undefined) {
        backends.push([`${number} . ${choice}`, target]);
        continue;
      }
      const own = ownNumber(target);
      picks.push([`${number} . ${choice}`, String(own)]);
      targets.push([`${number} . ${own}`, target]);
      alive.push([`${number} . ${own}`, `goto ${remember(affinityS)[0]}`]);
    }
  }
  return {
    sets: [
      ['groups', mapOf('type mark : verdict;', verdicts)],
      ['backends', mapOf('type mark . mark : ipv4_addr . inet_service;', backends)],
      ['picks', mapOf('type mark . mark : mark;', picks)],
      ['targets', mapOf('type mark . mark : ipv4_addr . inet_service;', targets)],
      ['alive', mapOf('type mark . mark : verdict;', alive)],
      ['affinity', mapOf(`type ipv4_addr . mark : mark; flags dynamic, timeout; size ${MAX_REMEMBERED};`, [])],
    ],
    chains: [...chains],
  };
}

function spread(count: number): [string, Chain] {
  return [
    `spread_${count}`,
    {
      base: '',
      rules: [`meta mark set numgen random mod ${count}`, `${WITH_PORTS} dnat ip to ct mark . meta mark map @backends`],
    },
  ];
}

function sticky(count: number, affinityS: number): [string, Chain] {
  return [
    `sticky_${count}_${affinityS}`,
    {
      base: '',
      rules: [
        'meta mark set 0',
        'meta mark set ip saddr . ct mark map @affinity',
        'ct mark . meta mark vmap @alive',
        // An update of what is there would prolong it and not change it.
        'delete @affinity { ip saddr . ct mark : meta mark }',
        `meta mark set numgen random mod ${count}`,
        'meta mark set ct mark . meta mark map @picks',
        `goto ${remember(affinityS)[0]}`,
      ],
    },
  ];
}

function remember(affinityS: number): [string, Chain] {
  return [
    `remember_${affinityS}`,
    {
      base: '',
      rules: [
        `update @affinity { ip saddr . ct mark timeout ${affinityS}s : meta mark }`,
        `${WITH_PORTS} dnat ip to ct mark . meta mark map @targets`,
      ],
    },
  ];
}

/** 31 bits and not 0, the same in every process. Two backends of one group that share it would share their clients: one in two thousand million. */
function ownNumber(target: string): number {
  return (Number.parseInt(hash('sha256', target, 'hex').slice(0, 8), 16) >>> 1) + 1;
}

/** The numbers of one process for the next. */
export interface NumbersKept {
  readonly last: number;
  readonly names: readonly (readonly [name: string, number: number])[];
}

/**
 * Gives each name a number that no other has had, and keeps it while the name is in use. Tables of one fabric count from far apart: a mark that one of them
 * left means nothing to another.
 */
export class Numbers {
  readonly #numbers: Map<string, number>;
  #last: number;
  #hasChanged = false;

  /** Goes on from `kept`, which an earlier process had. */
  constructor(first = 0, kept?: NumbersKept) {
    this.#numbers = new Map(kept?.names);
    this.#last = kept?.last ?? first;
  }

  of(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, ++this.#last);
    this.#hasChanged = true;
    return this.#last;
  }

  /** Forgets every name but these. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.#numbers.keys())
      if (!names.has(name)) this.#hasChanged = this.#numbers.delete(name) || this.#hasChanged;
  }

  /** What the next process goes on from, if that is something else than at the last call. */
  takeChange(): NumbersKept | undefined {
    if (!this.#hasChanged) return undefined;
    this.#hasChanged = false;
    return { last: this.#last, names: [...this.#numbers] };
  }
}
