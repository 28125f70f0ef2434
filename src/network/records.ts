import { Collection, type Store } from '#store';
import type {
  ElasticIp,
  InternetGateway,
  LoadBalancer,
  NatGateway,
  NetworkInterface,
  RouteTable,
  SecurityGroup,
  Subnet,
  TargetGroup,
  TargetGroupHealth,
  Vpc,
} from './model.ts';

/**
 * Where each record lives. Ids are `<tenant>/<region>/<id>`, so that a tenant's records are a prefix; `linux/` watches them all.
 * `privateAddresses` (`<tenant>/<vpcId>/<ip>`) and `publicAddresses` (`<ip>`) are reservations: creating one with `ifAbsent` in the same
 * transaction as its network interface is what makes an address unique.
 */
export interface NetworkRecords {
  readonly vpcs: Collection<Vpc>;
  readonly subnets: Collection<Subnet>;
  readonly internetGateways: Collection<InternetGateway>;
  readonly natGateways: Collection<NatGateway>;
  readonly routeTables: Collection<RouteTable>;
  readonly securityGroups: Collection<SecurityGroup>;
  readonly networkInterfaces: Collection<NetworkInterface>;
  readonly elasticIps: Collection<ElasticIp>;
  readonly loadBalancers: Collection<LoadBalancer>;
  readonly targetGroups: Collection<TargetGroup>;
  /** By the id of the target group's record; written by the machine that checks. */
  readonly targetHealth: Collection<TargetGroupHealth>;
  readonly privateAddresses: Collection<{ readonly networkInterfaceId: string }>;
  readonly publicAddresses: Collection<{ readonly tenant: string; readonly holder: string }>;
}

/** The prefix of every network record. */
export const NETWORK_PREFIX = 'network/';

/** The id of a tenant's record within its collection. */
export function recordId(record: { readonly tenant: string; readonly region: string; readonly id: string }): string {
  return `${record.tenant}/${record.region}/${record.id}`;
}

export function networkRecords(store: Store): NetworkRecords {
  return {
    vpcs: new Collection(store, `${NETWORK_PREFIX}vpcs/`),
    subnets: new Collection(store, `${NETWORK_PREFIX}subnets/`),
    internetGateways: new Collection(store, `${NETWORK_PREFIX}internet-gateways/`),
    natGateways: new Collection(store, `${NETWORK_PREFIX}nat-gateways/`),
    routeTables: new Collection(store, `${NETWORK_PREFIX}route-tables/`),
    securityGroups: new Collection(store, `${NETWORK_PREFIX}security-groups/`),
    networkInterfaces: new Collection(store, `${NETWORK_PREFIX}network-interfaces/`),
    elasticIps: new Collection(store, `${NETWORK_PREFIX}elastic-ips/`),
    loadBalancers: new Collection(store, `${NETWORK_PREFIX}load-balancers/`),
    targetGroups: new Collection(store, `${NETWORK_PREFIX}target-groups/`),
    targetHealth: new Collection(store, `${NETWORK_PREFIX}target-health/`),
    privateAddresses: new Collection(store, `${NETWORK_PREFIX}private-addresses/`),
    publicAddresses: new Collection(store, `${NETWORK_PREFIX}public-addresses/`),
  };
}
