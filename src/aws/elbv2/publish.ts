import type { HealthCheck, LoadBalancer, TargetGroup } from '#network';
import type { Operation } from '#store';
import {
  publishedId,
  publishedKey,
  type BalancerRecord,
  type Elbv2State,
  type GroupRecord,
  type Protocol,
  type Scope,
} from './records.ts';

/** A client that has no source-address stickiness of a group with it is forgotten after so long without a new connection. */
const STICKY_S = 3600;

/** Writes what a load balancer means for the network, for the transaction that changes its record. */
export async function publishBalancer(
  { published, groups }: Elbv2State,
  scope: Scope,
  record: BalancerRecord,
): Promise<Operation> {
  const listeners = await Promise.all(
    record.listeners.map(async ({ protocol, port, targetGroup }) => {
      const group = await groups.get(`${scope.account}/${scope.region}/${targetGroup}`);
      return group ? [{ protocols: transportsOf(protocol), port, targetGroupId: publishedId(group.value) }] : [];
    }),
  );
  const balancer: LoadBalancer = {
    ...ownedBy(scope, record),
    vpcId: record.vpcId,
    dnsName: dnsNameOf(scope, record).toLowerCase(),
    zones: record.zones.map(({ zone, subnetId, privateIp, publicIp }) => ({
      zone,
      subnetId,
      privateIp,
      ...(publicIp ? { publicIp } : {}),
    })),
    securityGroupIds: record.securityGroupIds,
    crossesZones: record.attributes['load_balancing.cross_zone.enabled'] === 'true',
    listeners: listeners.flat(),
  };
  return published.loadBalancers.put(publishedKey(scope, record), balancer);
}

export function publishGroup({ published }: Elbv2State, scope: Scope, record: GroupRecord): Operation {
  const { attributes, healthCheck, protocol } = record;
  const crossing = attributes['load_balancing.cross_zone.enabled'];
  const group: TargetGroup = {
    ...ownedBy(scope, record),
    vpcId: record.vpcId,
    protocols: transportsOf(protocol),
    preservesClientIp: attributes['preserve_client_ip.enabled'] === 'true',
    ...(crossing === 'true' || crossing === 'false' ? { crossesZones: crossing === 'true' } : {}),
    ...(attributes['stickiness.enabled'] === 'true' ? { affinityS: STICKY_S } : {}),
    targets: record.targets.map(({ address, port, zone }) => ({ address, port, ...(zone ? { zone } : {}) })),
    healthCheck: {
      protocol: healthCheck.protocol.toLowerCase() as HealthCheck['protocol'], // the lower-case form of the same three
      ...(healthCheck.port === 'traffic-port' ? {} : { port: Number(healthCheck.port) }),
      path: healthCheck.path ?? '/',
      matcher: healthCheck.matcher ?? '200-399',
      intervalS: healthCheck.intervalS,
      timeoutS: healthCheck.timeoutS,
      healthyThreshold: healthCheck.healthyThreshold,
      unhealthyThreshold: healthCheck.unhealthyThreshold,
    },
  };
  return published.targetGroups.put(publishedKey(scope, record), group);
}

/** `<name>-<hash>.elb.<region>.amazonaws.com` */
export function dnsNameOf({ region }: Scope, { name, hash }: Pick<BalancerRecord, 'name' | 'hash'>): string {
  return `${name}-${hash}.elb.${region}.amazonaws.com`;
}

function transportsOf(protocol: Protocol): readonly ('tcp' | 'udp')[] {
  return protocol === 'TCP_UDP' ? ['tcp', 'udp'] : [protocol === 'TCP' ? 'tcp' : 'udp'];
}

function ownedBy(scope: Scope, record: BalancerRecord | GroupRecord) {
  return {
    id: publishedId(record),
    tenant: scope.account,
    region: scope.region,
    tags: record.tags,
    createdAt: record.createdAt,
  };
}
