import { isIPv4 } from 'node:net';
import type { ClusterRules, ServicePort } from '#network';
import { keyOf } from '../object.ts';
import type { Node, Pod } from '../types.ts';
import { type NetworkCopies, serviceKeyOf, slicesOf } from './copies.ts';
import { PlacedPods } from './placed-pods.ts';
import { podPolicies } from './policies.ts';
import { servicePorts, zoneOf } from './services.ts';

/** What a cluster's objects mean for packets, kept as they change: only services that something happened to are looked at again. */
export class RuleBook {
  readonly #copies: NetworkCopies;
  readonly #serviceCidr: string;
  readonly #placed: PlacedPods;
  readonly #ports = new Map<string, readonly ServicePort[]>();
  readonly #stale = new Set<string>();
  #nodes: ClusterRules['nodes'] = [];
  #zones = '';
  #policies: ClusterRules['policies'] = [];
  #arePoliciesStale = true;
  #areNodesStale = true;

  constructor(copies: NetworkCopies, serviceCidr: string) {
    this.#copies = copies;
    this.#serviceCidr = serviceCidr;
    this.#placed = new PlacedPods(copies.pods);
  }

  /** Calls `wake` after every change that may matter to the rules, and at once for what there is. Returns the function that ends it. */
  follow(wake: () => void): () => void {
    const { services, slices, nodes, pods, namespaces, policies } = this.#copies;
    const stale = (key: string | undefined) => {
      if (key === undefined) return;
      this.#stale.add(key);
      wake();
    };
    const selectable = () => {
      if (this.#arePoliciesStale || policies.list().length === 0) return;
      this.#arePoliciesStale = true;
      wake();
    };
    const stops = [
      this.#placed.follow(),
      services.onChange(({ now, before }) => stale(keyOf((now ?? before)!))),
      slices.onChange(({ now, before }) => {
        for (const slice of [now, before]) if (slice) stale(serviceKeyOf(slice));
      }),
      nodes.onChange(({ now, before }) => {
        if (now && before && nodeText(now) === nodeText(before)) return;
        this.#areNodesStale = true;
        wake();
      }),
      policies.onChange(() => {
        this.#arePoliciesStale = true;
        wake();
      }),
      pods.onChange(selectable),
      namespaces.onChange(selectable),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Takes note of a pod's address before its status tells it. True if that may be something to the rules. */
  place(pod: Pod, address: string): boolean {
    if (!this.#placed.place(pod, address) || this.#copies.policies.list().length === 0) return false;
    this.#arePoliciesStale = true;
    return true;
  }

  /** The rules as the copies have them now. */
  read(): ClusterRules {
    if (this.#areNodesStale) this.#readNodes();
    for (const key of this.#stale) this.#readService(key);
    this.#stale.clear();
    if (this.#arePoliciesStale) this.#readPolicies();
    return {
      serviceCidr: this.#serviceCidr,
      nodes: this.#nodes,
      services: [...this.#ports.values()].flat(),
      policies: this.#policies,
    };
  }

  #readNodes(): void {
    this.#areNodesStale = false;
    const nodes = this.#copies.nodes.list();
    this.#nodes = nodes.map((node) => ({ name: node.metadata?.name ?? '', addresses: addressesOf(node) }));
    const zones = JSON.stringify(nodes.map(({ metadata }) => [metadata?.name, zoneOf(metadata?.labels)]));
    if (zones === this.#zones) return;
    this.#zones = zones;
    for (const service of this.#copies.services.list()) this.#stale.add(keyOf(service));
  }

  #readService(key: string): void {
    const { services, slices, nodes } = this.#copies;
    const service = services.get(key);
    const proxyNodes = nodes
      .list()
      .map(({ metadata }) => ({ name: metadata?.name ?? '', zone: zoneOf(metadata?.labels) }));
    const ports = service ? servicePorts(service, slicesOf(slices, key), proxyNodes) : [];
    if (ports.length > 0) this.#ports.set(key, ports);
    else this.#ports.delete(key);
  }

  #readPolicies(): void {
    this.#arePoliciesStale = false;
    const { policies, namespaces } = this.#copies;
    this.#policies = podPolicies(policies.list(), { pods: this.#placed.list(), namespaces: namespaces.list() });
  }
}

function addressesOf({ status }: Node): readonly string[] {
  return (status?.addresses ?? []).flatMap(({ type, address }) =>
    type === 'InternalIP' && isIPv4(address) ? [address] : [],
  );
}

/** All of a node that its heartbeats leave alone and we read. */
function nodeText(node: Node): string {
  return JSON.stringify([addressesOf(node), zoneOf(node.metadata?.labels)]);
}
