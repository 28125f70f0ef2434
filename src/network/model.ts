/**
 * The VPC as desired state: plain records in the store, written by whoever offers an API over them (EC2 today) and made real on each
 * machine by `linux/`. Nothing here knows of AWS; `tenant` is the account that owns a record and a segment of its key.
 */

/** An IPv4 network in CIDR form, `10.0.0.0/16`. */
export type Cidr = string;
/** An IPv4 address in dotted form. */
export type Ipv4 = string;

export type Tags = { readonly [key: string]: string };

interface Owned {
  readonly id: string;
  readonly tenant: string;
  readonly region: string;
  readonly tags: Tags;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface Vpc extends Owned {
  readonly cidr: Cidr;
  readonly isDefault: boolean;
  readonly enableDnsSupport: boolean;
  readonly enableDnsHostnames: boolean;
}

export interface Subnet extends Owned {
  readonly vpcId: string;
  /** Zone name, `us-east-1a`. */
  readonly zone: string;
  readonly cidr: Cidr;
  readonly isDefaultForZone: boolean;
  readonly mapPublicIpOnLaunch: boolean;
}

export interface InternetGateway extends Owned {
  readonly vpcId?: string;
}

export type RouteTarget =
  | { readonly kind: 'local' }
  | { readonly kind: 'internet-gateway'; readonly id: string }
  | { readonly kind: 'nat-gateway'; readonly id: string }
  | { readonly kind: 'network-interface'; readonly id: string };

export interface Route {
  readonly destination: Cidr;
  readonly target: RouteTarget;
}

/** A subnet without an association of its own uses the main table of its VPC. */
export interface RouteTable extends Owned {
  readonly vpcId: string;
  readonly isMain: boolean;
  readonly routes: readonly Route[];
  readonly associations: readonly { readonly id: string; readonly subnetId: string }[];
  readonly mainAssociationId?: string;
}

export interface SecurityGroupRule {
  readonly id: string;
  /** `-1` (all), `tcp`, `udp`, `icmp`, or a protocol number in decimal. */
  readonly protocol: string;
  /** First and last port; ICMP type and code. -1 or absent: all. */
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly peer: { readonly kind: 'cidr'; readonly cidr: Cidr } | { readonly kind: 'group'; readonly groupId: string };
  readonly description?: string;
  readonly tags: Tags;
}

export interface SecurityGroup extends Owned {
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
  readonly ingress: readonly SecurityGroupRule[];
  readonly egress: readonly SecurityGroupRule[];
}

/** An address in a subnet. It exists from creation to deletion; it is *attached* while something on a node uses it. */
export interface NetworkInterface extends Owned {
  readonly vpcId: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly description: string;
  readonly privateIp: Ipv4;
  /** `02:…`, locally administered, derived from the id. */
  readonly macAddress: string;
  readonly securityGroupIds: readonly string[];
  readonly sourceDestCheck: boolean;
  /** 1:1 translated at the internet gateway. */
  readonly publicIp?: Ipv4;
  readonly publicIpAssociationId?: string;
  readonly publicIpAllocationId?: string;
  readonly attachment?: NetworkInterfaceAttachment;
  /** The service that made it and alone may delete it, for example `ecs`. */
  readonly managedBy?: string;
  /** Set for a node's or pod's: the Kubernetes cluster whose services it sees, and the name of the node it is on. */
  readonly cluster?: { readonly id: string; readonly node: string };
}

export interface NetworkInterfaceAttachment {
  readonly id: string;
  /** The node that makes it real. */
  readonly nodeId: string;
  readonly attachedAt: number;
}

/** An elastic IP: an address of the pool that a tenant holds whether or not it is associated. */
export interface ElasticIp extends Owned {
  readonly ip: Ipv4;
  readonly networkInterfaceId?: string;
  readonly associationId?: string;
}

/** One public address by which what has none of its own reaches the internet: routes of other subnets lead to it. */
export interface NatGateway extends Owned {
  readonly vpcId: string;
  /** Where it is itself; it reaches what this subnet reaches. */
  readonly subnetId: string;
  readonly networkInterfaceId: string;
  readonly privateIp: Ipv4;
  readonly publicIp: Ipv4;
  readonly publicIpAllocationId: string;
  readonly publicIpAssociationId: string;
  /** A deleted one is shown for a while. */
  readonly deletedAt?: number;
}

/** Spreads connections over targets, at an address of its own in each of its zones. */
export interface LoadBalancer extends Owned {
  readonly vpcId: string;
  /** Lower case. */
  readonly dnsName: string;
  readonly zones: readonly BalancerZone[];
  /** Who may reach it; empty: everybody. */
  readonly securityGroupIds: readonly string[];
  /** Each address leads to targets in every zone, not in its own alone. */
  readonly crossesZones: boolean;
  readonly listeners: readonly BalancerListener[];
}

export interface BalancerZone {
  readonly zone: string;
  readonly subnetId: string;
  readonly privateIp: Ipv4;
  readonly publicIp?: Ipv4;
}

export interface BalancerListener {
  readonly protocols: readonly ('tcp' | 'udp')[];
  readonly port: number;
  readonly targetGroupId: string;
}

export interface TargetGroup extends Owned {
  readonly vpcId: string;
  readonly protocols: readonly ('tcp' | 'udp')[];
  /** Targets see the client's address; otherwise the load balancer's. */
  readonly preservesClientIp: boolean;
  /** A client keeps its target for so long. */
  readonly affinityS?: number;
  /** Absent: as the load balancer says. */
  readonly crossesZones?: boolean;
  readonly targets: readonly BalancerTarget[];
  readonly healthCheck: HealthCheck;
}

export interface BalancerTarget {
  readonly address: Ipv4;
  readonly port: number;
  /** Absent: it is in no zone of the VPC, and serves them all. */
  readonly zone?: string;
}

export interface HealthCheck {
  readonly protocol: 'tcp' | 'http' | 'https';
  /** Absent: the target's own. */
  readonly port?: number;
  readonly path: string;
  /** Codes that mean health: `200`, `200,204`, `200-399`. */
  readonly matcher: string;
  readonly intervalS: number;
  readonly timeoutS: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** What the machine that checks a target group sees, by `address:port`; a target that is not named has not been checked yet. */
export interface TargetGroupHealth {
  readonly targets: { readonly [target: string]: TargetHealth };
}

export interface TargetHealth {
  readonly state: 'healthy' | 'unhealthy';
  readonly reason?: 'timeout' | 'failed-checks' | 'response-code-mismatch';
  readonly description?: string;
}
