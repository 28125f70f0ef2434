import { recordId } from '../records.ts';
import type {
  BalancerTarget,
  BalancerZone,
  Ipv4,
  LoadBalancer,
  NetworkInterface,
  SecurityGroup,
  TargetGroup,
} from '../model.ts';
import { Numbers, type Backend } from '../rules/balancing.ts';
import { balancersRuleset, type BalancedAddress } from '../rules/balancers.ts';
import type { Ruleset } from '../rules/ruleset.ts';
import { admittedPeers, admits } from '../rules/security-groups.ts';
import type { FilteredBalancers } from '../rules/vpc.ts';
import type { Clusters } from './clusters.ts';
import type { DesiredState } from './desired.ts';

/** Far from those of clusters. */
const FIRST_NUMBER = 0x6000_0000;

type Transport = 'tcp' | 'udp';

/** What load balancers mean for the fabric of their VPC. */
export interface DueBalancers {
  readonly tables: readonly Ruleset[];
  readonly filtered: FilteredBalancers;
  readonly publicIps: readonly Ipv4[];
  /** Addresses that the fabric has itself for them. */
  readonly ownAddresses: readonly Ipv4[];
}

/** Reads load balancers, target groups and their health from the store's records. */
export class Balancers {
  readonly #desired: DesiredState;
  readonly #clusters: Clusters;
  readonly #numbers = new Map<string, Numbers>();

  constructor(options: { readonly desired: DesiredState; readonly clusters: Clusters }) {
    this.#desired = options.desired;
    this.#clusters = options.clusters;
  }

  due(vpcId: string): DueBalancers {
    const balancers = this.#ofVpc(vpcId);
    if (balancers.length === 0) {
      this.#numbers.delete(vpcId);
      return { tables: [], filtered: { guarded: [], admitted: [] }, publicIps: [], ownAddresses: [] };
    }
    const numbers = this.#numbers.get(vpcId) ?? new Numbers(FIRST_NUMBER);
    this.#numbers.set(vpcId, numbers);
    const balanced: BalancedAddress[] = [];
    const admitted: FilteredBalancers['admitted'][number][] = [];
    const used = new Set<string>();
    for (const balancer of balancers)
      for (const listener of balancer.listeners)
        for (const zone of balancer.zones) {
          const targetGroup = this.targetGroup(balancer, listener.targetGroupId);
          if (!targetGroup) continue;
          const name = `${balancer.id} ${listener.protocols.join('+')} ${listener.port} ${zone.zone}`;
          used.add(name);
          const number = numbers.of(name);
          const lead = this.#lead(balancer, zone, targetGroup);
          const { affinityS } = targetGroup;
          balanced.push({
            ...listener,
            addresses: addressesOf(zone),
            group: { number, backends: lead.backends, affinityS },
            source: targetGroup.preservesClientIp ? undefined : zone.privateIp,
          });
          if (lead.rules) admitted.push({ mark: number, rules: lead.rules });
        }
    numbers.retain(used);
    const guarded = balancers
      .filter(({ securityGroupIds }) => securityGroupIds.length > 0)
      .map(({ zones, securityGroupIds }) => ({ addresses: zones.flatMap(addressesOf), securityGroupIds }));
    const zones = balancers.flatMap((balancer) => balancer.zones);
    return {
      tables: [balancersRuleset(balanced)],
      filtered: { guarded, admitted },
      publicIps: zones.flatMap(({ publicIp }) => publicIp ?? []),
      ownAddresses: zones.map(({ privateIp }) => privateIp),
    };
  }

  #ofVpc(vpcId: string): LoadBalancer[] {
    return this.#desired.loadBalancers.all().filter((balancer) => balancer.vpcId === vpcId);
  }

  /** The addresses that a load balancer's name stands for: of zones where somebody answers, or of all when nobody does anywhere. */
  addressesOf(dnsName: string): readonly Ipv4[] | undefined {
    const balancer = this.#desired.loadBalancers.all().find((each) => each.dnsName === dnsName);
    if (!balancer) return undefined;
    const answering = balancer.zones.filter((zone) => this.#hasHealthy(balancer, zone));
    const zones = answering.length > 0 ? answering : balancer.zones;
    return zones.map(({ publicIp, privateIp }) => publicIp ?? privateIp);
  }

  targetGroup({ tenant, region }: LoadBalancer, id: string): TargetGroup | undefined {
    return this.#desired.targetGroups.get(recordId({ tenant, region, id }));
  }

  /** Targets that an address of the zone leads to: the healthy ones, or all when none is. */
  #targetsFor(balancer: LoadBalancer, zone: BalancerZone, group: TargetGroup): readonly BalancerTarget[] {
    const near = group.targets.filter((target) => isNear(target, zone, group, balancer));
    const health = this.#desired.targetHealth.get(recordId(group))?.targets ?? {};
    const healthy = near.filter((target) => health[targetKey(target)]?.state === 'healthy');
    return healthy.length > 0 ? healthy : near;
  }

  /** Whether the groups of the target's interface let the load balancer itself in at a port. */
  admitsBalancer(balancer: LoadBalancer, zone: BalancerZone, at: Backend & { readonly protocol: Transport }): boolean {
    const eni = this.#interfaceAt(balancer.vpcId, at.address);
    if (!eni) return true;
    return this.#groupsOf(eni).some((group) =>
      admits(group, { address: zone.privateIp, groupIds: balancer.securityGroupIds }, at),
    );
  }

  /**
   * Whether the target's groups name one of the load balancer's: that lets in whomever it let in, also where the target sees the client's address (Elastic Load
   * Balancing, "Update the security groups for your Network Load Balancer").
   */
  #admitsByGroup({ vpcId, securityGroupIds: groupIds }: LoadBalancer, at: Backend & { readonly protocol: Transport }) {
    const eni = groupIds.length > 0 ? this.#interfaceAt(vpcId, at.address) : undefined;
    return eni !== undefined && this.#groupsOf(eni).some((group) => admits(group, { groupIds }, at));
  }

  /**
   * Where connections end, and who may come there by which rules; no rules leave that to the groups of the target's own interface. Those see the
   * client's address and the target's port, which is not what they are meant to judge when the target sees the load balancer's address, or when
   * the target is a port of a Kubernetes node and the connection goes to a pod at once.
   */
  #lead(
    balancer: LoadBalancer,
    zone: BalancerZone,
    group: TargetGroup,
  ): { readonly backends: readonly Backend[]; readonly rules?: readonly string[] } {
    const [protocol = 'tcp'] = group.protocols;
    const ends = this.#targetsFor(balancer, zone, group).map((target) => ({
      target,
      pods: this.#clusters.behindNodePort(balancer.vpcId, { ...target, protocol }),
    }));
    const backends = unique(ends.flatMap(({ target, pods }) => pods ?? [target]));
    const isTrusted = (target: BalancerTarget) => this.#admitsByGroup(balancer, { ...target, protocol });
    const isUsual = ends.every(({ target, pods }) => !pods && !isTrusted(target));
    if (group.preservesClientIp && isUsual) return { backends };
    const rules = ends.flatMap(({ target, pods }) => {
      const reached = (pods ?? [target]).map(({ address, port }) => `${address} . ${port}`);
      if (reached.length === 0) return [];
      const to = `ip daddr . th dport { ${reached.join(', ')} }`;
      if (!group.preservesClientIp)
        return this.admitsBalancer(balancer, zone, { ...target, protocol })
          ? [`meta l4proto ${protocol} ${to} accept`]
          : [];
      if (isTrusted(target)) return [`meta l4proto ${protocol} ${to} accept`];
      const eni = this.#interfaceAt(balancer.vpcId, target.address);
      const peers = eni
        ? this.#groupsOf(eni).flatMap((own) => admittedPeers(own, { protocol, port: target.port }))
        : [''];
      return [...new Set(peers)].map((peer) => `meta l4proto ${protocol} ${peer} ${to} accept`.replace(/ {2,}/, ' '));
    });
    return { backends, rules: [...new Set(rules)] };
  }

  /** Whether a zone has somebody to answer. */
  #hasHealthy(balancer: LoadBalancer, zone: BalancerZone): boolean {
    return balancer.listeners.some(({ targetGroupId }) => {
      const group = this.targetGroup(balancer, targetGroupId);
      const health = group && this.#desired.targetHealth.get(recordId(group))?.targets;
      return group?.targets.some(
        (target) => health?.[targetKey(target)]?.state === 'healthy' && isNear(target, zone, group, balancer),
      );
    });
  }

  #interfaceAt(vpcId: string, address: Ipv4): NetworkInterface | undefined {
    return this.#desired.networkInterfaces.all().find((eni) => eni.vpcId === vpcId && eni.privateIp === address);
  }

  #groupsOf({ tenant, region, securityGroupIds }: NetworkInterface): SecurityGroup[] {
    return securityGroupIds.flatMap((id) => this.#desired.securityGroups.get(recordId({ tenant, region, id })) ?? []);
  }
}

/** How health records name a target. */
export function targetKey({ address, port }: Pick<BalancerTarget, 'address' | 'port'>): string {
  return `${address}:${port}`;
}

function isNear(target: BalancerTarget, { zone }: BalancerZone, group: TargetGroup, balancer: LoadBalancer): boolean {
  return (group.crossesZones ?? balancer.crossesZones) || target.zone === undefined || target.zone === zone;
}

function addressesOf({ privateIp, publicIp }: BalancerZone): readonly Ipv4[] {
  return [privateIp, ...(publicIp ? [publicIp] : [])];
}

function unique(backends: readonly Backend[]): readonly Backend[] {
  return [...new Map(backends.map(({ address, port }) => [`${address}:${port}`, { address, port }])).values()];
}
