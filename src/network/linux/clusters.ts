import { messageOf, DabbaError } from '#base';
import type {
  ClusterKey,
  ClusterNetwork,
  ClusterNetworks,
  ClusterRules,
  ClusterServed,
  ServiceBackend,
  ServiceRouting,
} from '../clusters.ts';
import type { Resolve } from '../dns/resolver.ts';
import type { DnsZone } from '../dns/zone.ts';
import type { Ipv4 } from '../model.ts';
import { Numbers } from '../rules/balancing.ts';
import { clusterRuleset, type ClusterMember } from '../rules/cluster.ts';
import type { Ruleset } from '../rules/ruleset.ts';
import { identifier } from '../rules/security-groups.ts';
import type { Fabrics } from './fabrics.ts';
import { dnsListener, relayListener, type Listener } from './listeners.ts';
import type { DueTables, Refusals } from './nft.ts';
import { recordKey, type ClusterRecord, type RecordFolder } from './state.ts';

/** Where clusters' listeners are bound, a port each; rules lead there from the addresses that pods know. */
const LISTENER_ADDRESS = '169.254.20.10';
const FIRST_PORT = 10_000;
const PORTS_EACH = 16;
const MAX_CLUSTERS = 1_000;
const NUMBERS_EACH = 2 ** 20;

interface OpenCluster {
  readonly record: ClusterRecord;
  readonly served: ClusterServed;
  readonly numbers: Numbers;
  rules?: ClusterRules;
  /** The rules last compiled, and from what. */
  compiled?: { readonly rules: ClusterRules; readonly members: string; readonly ruleset: Ruleset };
}

/** A member with the id of its cluster. */
export type MemberOf = ClusterMember & { readonly id: string };

/** Keeps what each cluster wants of its VPC, and says what that means for the fabric. */
export class Clusters implements ClusterNetworks {
  readonly #records: RecordFolder<ClusterRecord>;
  readonly #fabrics: () => Fabrics;
  readonly #open = new Map<string, OpenCluster>();
  /** Keys of those whose tables are being removed. */
  readonly #leaving = new Set<string>();

  constructor(options: { readonly records: RecordFolder<ClusterRecord>; readonly fabrics: () => Fabrics }) {
    this.#records = options.records;
    this.#fabrics = options.fabrics;
  }

  async open(cluster: ClusterKey, served: ClusterServed): Promise<ClusterNetwork> {
    if ((served.relays?.length ?? 0) >= PORTS_EACH)
      throw new DabbaError('InvalidArgument', `cluster ${cluster.clusterId} has too many relays`);
    const record = this.#recordOf(cluster);
    const numbers = this.#open.get(record.key)?.numbers ?? new Numbers(record.slot * NUMBERS_EACH, record.numbers);
    const open: OpenCluster = { record, served, numbers };
    this.#open.set(record.key, open);
    this.#leaving.delete(record.key);
    await this.#refresh(cluster.vpcId);
    return {
      apply: async (rules) => {
        const before = open.rules ? placesOf(open.rules) : await this.#placesLeft(record);
        open.rules = rules;
        const refusal = (await this.#refresh(cluster.vpcId)).get(tableOf(record));
        if (refusal) throw refusal;
        this.#forgetConnections(cluster.vpcId, before, placesOf(rules));
      },
      remove: async () => await this.#remove(record),
    };
  }

  async retain(clusters: readonly ClusterKey[]): Promise<void> {
    const kept = new Set(clusters.map(keyOf));
    const gone = this.#records.all().filter(({ key }) => !kept.has(key));
    await Promise.all(gone.map(async (record) => await this.#remove(record)));
  }

  /** The tables of a VPC's clusters; those nobody has spoken for yet stay as an earlier process left them. */
  due(vpcId: string, members: readonly MemberOf[]): Required<DueTables> {
    const records = this.#records.all().filter((record) => record.vpcId === vpcId && !this.#leaving.has(record.key));
    const tables: Ruleset[] = [];
    const untouched: string[] = [];
    for (const record of records) {
      const open = this.#open.get(record.key);
      const ruleset =
        open &&
        this.#compile(
          open,
          members.filter(({ id }) => id === record.clusterId),
        );
      if (ruleset) tables.push(ruleset);
      else untouched.push(tableOf(record));
    }
    return { tables, untouched };
  }

  /** `resolver` makes one that asks the given zones before those of the VPC. */
  listeners(vpcId: string, resolver: (zones: readonly DnsZone[]) => Resolve): Listener[] {
    return this.#ofVpc(vpcId).flatMap(({ record, served }) => {
      const port = portOf(record);
      const relays = (served.relays ?? []).map(({ toPort }, index) =>
        relayListener({ address: LISTENER_ADDRESS, port: port + 1 + index }, toPort),
      );
      if (!served.dns) return relays;
      const { zones, ready } = served.dns;
      const answer = resolver(zones);
      const resolve: Resolve = async (...query) => {
        await ready;
        return await answer(...query);
      };
      return [dnsListener({ address: LISTENER_ADDRESS, port, resolve, vpcId }), ...relays];
    });
  }

  /** Addresses whose node ports are led to pods. */
  nodeAddresses(vpcId: string): ReadonlySet<Ipv4> {
    return new Set(this.#ofVpc(vpcId).flatMap(({ rules }) => rules?.nodes.flatMap(({ addresses }) => addresses) ?? []));
  }

  /** Where connections to a node's port go on to; undefined when it is no node port of a service. */
  behindNodePort(
    vpcId: string,
    at: { readonly protocol: string; readonly address: Ipv4; readonly port: number },
  ): readonly ServiceBackend[] | undefined {
    for (const { rules } of this.#ofVpc(vpcId)) {
      const node = rules?.nodes.find(({ addresses }) => addresses.includes(at.address));
      const service = rules?.services.find(
        ({ nodePort, protocol }) => nodePort === at.port && protocol === at.protocol,
      );
      if (!node || !service) continue;
      const { external } = service;
      return external.kind === 'everywhere' ? external.backends : (external.backends.get(node.name) ?? []);
    }
    return undefined;
  }

  #ofVpc(vpcId: string): OpenCluster[] {
    return [...this.#open.values()].filter(({ record }) => record.vpcId === vpcId);
  }

  #compile(open: OpenCluster, members: readonly MemberOf[]): Ruleset | undefined {
    const { rules, compiled, record, numbers } = open;
    if (!rules) return undefined;
    const key = JSON.stringify(members);
    if (compiled?.rules === rules && compiled.members === key) return compiled.ruleset;
    const served = servedAt(open);
    const ruleset = clusterRuleset({ table: tableOf(record), rules, members, served, numbers });
    open.compiled = { rules, members: key, ruleset };
    const kept = numbers.takeChange();
    if (kept) this.#records.put({ ...record, numbers: kept });
    return ruleset;
  }

  #recordOf(cluster: ClusterKey): ClusterRecord {
    const key = keyOf(cluster);
    const known = this.#records.get(key);
    if (known) return known;
    const taken = new Set(this.#records.all().flatMap(({ vpcId, slot }) => (vpcId === cluster.vpcId ? [slot] : [])));
    let slot = 0;
    while (taken.has(slot)) slot++;
    if (slot >= MAX_CLUSTERS)
      throw new DabbaError('ResourceExhausted', `${cluster.vpcId} has ${slot} clusters already`);
    const record = { key, ...cluster, slot };
    this.#records.put(record);
    return record;
  }

  /** The record goes last: until the table is gone, a next process must know of it. */
  async #remove({ key, vpcId, clusterId }: ClusterRecord): Promise<void> {
    if (!this.#records.get(key)) return;
    this.#open.delete(key);
    this.#leaving.add(key);
    try {
      await this.#refresh(vpcId);
    } catch (error) {
      this.#leaving.delete(key);
      throw new DabbaError('Unavailable', `rules of cluster ${clusterId} remain: ${messageOf(error)}`, {
        cause: error,
      });
    }
    // Unless it was opened again meanwhile.
    if (this.#leaving.delete(key)) this.#records.delete(key);
  }

  async #refresh(vpcId: string): Promise<Refusals> {
    return await this.#fabrics().refresh(recordKey('vpc', vpcId));
  }

  /**
   * A connection without handshakes goes on as it began for as long as packets come: to a backend that is gone, or to who has the address itself (a node, an external address)
   * from before its port led anywhere. Forgotten, its next packet is led anew.
   */
  #forgetConnections(vpcId: string, before: DatagramPlaces, now: DatagramPlaces): void {
    const fabric = this.#fabrics().get(recordKey('vpc', vpcId));
    if (!fabric) return;
    const gone = [...before.backends].filter(([at]) => !now.backends.has(at));
    const claimed = [...now.foreign].filter(([at]) => !before.foreign.has(at));
    for (const [, place] of [...gone, ...claimed]) fabric.forgetConnections({ protocol: 'udp', ...place });
  }

  /** Where the table of an earlier process leads. What else it did is not known: whatever is foreign counts as new. */
  async #placesLeft(record: ClusterRecord): Promise<DatagramPlaces> {
    const listed = await Promise.all(
      ['backends', 'targets'].map((set) =>
        this.#fabrics().elements(recordKey('vpc', record.vpcId), tableOf(record), set),
      ),
    );
    const places = listed.flat().flatMap((element) => {
      const [, address, port] = / : ([\d.]+) \. (\d+)$/.exec(element) ?? [];
      return address === undefined ? [] : [{ address, port: Number(port) }];
    });
    return { backends: byName(places), foreign: new Map() };
  }
}

/** Where datagrams of a cluster go, by `address:port`. */
interface DatagramPlaces {
  /** Those that services lead to; under the service's name too, since a flow by one that leads there no more is to end though another does. */
  readonly backends: ReadonlyMap<string, ServiceBackend>;
  /** Where services with somebody behind them are reached, at addresses that are somebody's beside. */
  readonly foreign: ReadonlyMap<string, ServiceBackend>;
}

function placesOf({ nodes, services }: ClusterRules): DatagramPlaces {
  const ofNodes = nodes.flatMap(({ addresses }) => addresses);
  const datagrams = services.filter(({ protocol }) => protocol === 'udp');
  const foreign = datagrams
    .filter(({ external }) => backendsOf(external).length > 0)
    .flatMap(({ nodePort, port, externalAddresses }) => [
      ...externalAddresses.map((address) => ({ address, port })),
      ...(nodePort === undefined ? [] : ofNodes.map((address) => ({ address, port: nodePort }))),
    ]);
  const backends = datagrams.flatMap(({ id, internal, external }) =>
    [internal, external].flatMap(backendsOf).flatMap((backend) => {
      const at = `${backend.address}:${backend.port}`;
      return [[at, backend] as const, [`${id} ${at}`, backend] as const];
    }),
  );
  return { backends: new Map(backends), foreign: byName(foreign) };
}

function byName(places: readonly ServiceBackend[]): ReadonlyMap<string, ServiceBackend> {
  return new Map(places.map((place) => [`${place.address}:${place.port}`, place]));
}

function backendsOf(routing: ServiceRouting): readonly ServiceBackend[] {
  return routing.kind === 'everywhere' ? routing.backends : [...routing.backends.values()].flat();
}

function servedAt({ record, served }: OpenCluster) {
  const port = portOf(record);
  const dns = (['udp', 'tcp'] as const).flatMap((protocol) =>
    served.dns ? [{ protocol, address: served.dns.address, port: 53, to: `${LISTENER_ADDRESS} . ${port}` }] : [],
  );
  const relays = (served.relays ?? []).map(({ address, port: at }, index) => ({
    protocol: 'tcp' as const,
    address,
    port: at,
    to: `${LISTENER_ADDRESS} . ${port + 1 + index}`,
  }));
  return [...dns, ...relays];
}

function portOf({ slot }: ClusterRecord): number {
  return FIRST_PORT + slot * PORTS_EACH;
}

function keyOf({ vpcId, clusterId }: ClusterKey): string {
  return recordKey('cluster', `${vpcId}_${clusterId}`);
}

function tableOf({ clusterId }: ClusterRecord): string {
  return `cluster_${identifier(clusterId)}`;
}
