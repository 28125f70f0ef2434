import type { Clock, Random } from '#base';
import { networkRecords, type NetworkRecords } from '#network';
import { Collection, type Store } from '#store';
import type { InstanceRecord, Scope, VpcNetwork } from '../ec2/index.ts';
import type { Tags } from '../tags.ts';

export type { Scope };

export type Attributes = { readonly [key: string]: string };

/** A network load balancer with its listeners. */
export interface BalancerRecord {
  readonly name: string;
  /** Sixteen hexadecimal digits, at the end of its ARN. */
  readonly hash: string;
  readonly createdAt: number;
  readonly scheme: 'internet-facing' | 'internal';
  readonly vpcId: string;
  readonly zones: readonly ZoneRecord[];
  readonly securityGroupIds: readonly string[];
  readonly attributes: Attributes;
  readonly tags: Tags;
  readonly listeners: readonly ListenerRecord[];
}

export interface ZoneRecord {
  readonly zone: string;
  readonly subnetId: string;
  readonly networkInterfaceId: string;
  readonly privateIp: string;
  readonly publicIp?: string;
  /** The elastic address that the public one is. */
  readonly allocationId?: string;
}

export type Protocol = 'TCP' | 'UDP' | 'TCP_UDP';

export interface ListenerRecord {
  readonly hash: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Name of the target group that its one action forwards to. */
  readonly targetGroup: string;
  readonly attributes: Attributes;
  readonly tags: Tags;
}

export interface GroupRecord {
  readonly name: string;
  readonly hash: string;
  readonly createdAt: number;
  readonly protocol: Protocol;
  readonly port: number;
  readonly vpcId: string;
  readonly targetType: 'instance' | 'ip';
  readonly healthCheck: HealthCheckRecord;
  readonly attributes: Attributes;
  readonly tags: Tags;
  readonly targets: readonly TargetRecord[];
  /** Deregistered ones, shown until their delay is over; connections they have go on. */
  readonly draining: readonly (TargetRecord & { readonly until: number })[];
}

export interface HealthCheckRecord {
  readonly protocol: 'TCP' | 'HTTP' | 'HTTPS';
  /** `traffic-port` or a number. */
  readonly port: string;
  readonly path?: string;
  readonly matcher?: string;
  readonly intervalS: number;
  readonly timeoutS: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** `id` is what the user registered, `address` where that is. */
export interface TargetRecord {
  readonly id: string;
  readonly port: number;
  readonly address: string;
  readonly zone?: string;
  /** The user said `all`. */
  readonly isOutsideZones?: boolean;
}

/** Finds an instance of the scope that runs or may run. */
export type FindInstance = (scope: Scope, id: string) => Promise<InstanceRecord | undefined>;

export interface Elbv2State {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: VpcNetwork;
  readonly findInstance: FindInstance;
  readonly balancers: Collection<BalancerRecord>;
  readonly groups: Collection<GroupRecord>;
  /** What the machine reads. */
  readonly published: Pick<NetworkRecords, 'loadBalancers' | 'targetGroups' | 'targetHealth'>;
  /** The load balancers' own are among them. */
  readonly networkInterfaces: NetworkRecords['networkInterfaces'];
}

export function elbv2Collections(
  store: Store,
): Pick<Elbv2State, 'balancers' | 'groups' | 'published' | 'networkInterfaces'> {
  const records = networkRecords(store);
  return {
    balancers: new Collection(store, 'elbv2/load-balancers/'),
    groups: new Collection(store, 'elbv2/target-groups/'),
    published: records,
    networkInterfaces: records.networkInterfaces,
  };
}

/** Names are unique in an account and region. */
export function keyOf({ account, region }: Scope, name: string): string {
  return `${account}/${region}/${name}`;
}

/** Id of the record that is published for a load balancer or target group. */
export function publishedKey(scope: Scope, of: { readonly name: string; readonly hash: string }): string {
  return keyOf(scope, publishedId(of));
}

export function publishedId({ name, hash }: { readonly name: string; readonly hash: string }): string {
  return `${name}-${hash}`;
}

export function newHash(random: Random): string {
  return random.hex(16);
}
