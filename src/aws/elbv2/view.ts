/** Records as the API shows them. */
import type {
  Listener as ApiListener,
  LoadBalancer as ApiBalancer,
  TargetGroup as ApiGroup,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { balancerArn, groupArn, listenerArn } from './arns.ts';
import { dnsNameOf } from './publish.ts';
import type { BalancerRecord, GroupRecord, ListenerRecord, Scope } from './records.ts';

/** Hosted zones that alias records to network load balancers name: Elastic Load Balancing endpoints and quotas, AWS General Reference. */
const hostedZones: { readonly [region: string]: string } = {
  'us-east-1': 'Z26RNL4JYFTOTI',
  'us-east-2': 'ZLMOA37VPKANP',
  'us-west-1': 'Z24FKFUX50B4VW',
  'us-west-2': 'Z18D5FSROUN65G',
  'eu-central-1': 'Z3F0SRJ5LGBH90',
  'eu-west-1': 'Z2IFOLAFXWLO4F',
};

export function balancerView(scope: Scope, record: BalancerRecord): ApiBalancer {
  return {
    LoadBalancerArn: balancerArn(scope, record),
    DNSName: dnsNameOf(scope, record),
    CanonicalHostedZoneId: hostedZones[scope.region],
    CreatedTime: new Date(record.createdAt),
    LoadBalancerName: record.name,
    Scheme: record.scheme,
    VpcId: record.vpcId,
    State: { Code: 'active' },
    Type: 'network',
    IpAddressType: 'ipv4',
    AvailabilityZones: record.zones.map(({ zone, subnetId, publicIp, allocationId }) => ({
      ZoneName: zone,
      SubnetId: subnetId,
      // Nothing outside resolves the name, so the address is shown as it is for elastic ones.
      LoadBalancerAddresses: publicIp ? [{ IpAddress: publicIp, AllocationId: allocationId }] : [],
    })),
    ...(record.securityGroupIds.length > 0 ? { SecurityGroups: [...record.securityGroupIds] } : {}),
  };
}

export function listenerView(
  scope: Scope,
  balancer: BalancerRecord,
  listener: ListenerRecord,
  group: GroupRecord | undefined,
): ApiListener {
  const arn = group && groupArn(scope, group);
  return {
    ListenerArn: listenerArn(scope, balancer, listener),
    LoadBalancerArn: balancerArn(scope, balancer),
    Port: listener.port,
    Protocol: listener.protocol,
    DefaultActions: [
      { Type: 'forward', TargetGroupArn: arn, ForwardConfig: { TargetGroups: [{ TargetGroupArn: arn }] } },
    ],
  };
}

export function groupView(scope: Scope, record: GroupRecord, users: readonly BalancerRecord[]): ApiGroup {
  const { healthCheck } = record;
  return {
    TargetGroupArn: groupArn(scope, record),
    TargetGroupName: record.name,
    Protocol: record.protocol,
    Port: record.port,
    VpcId: record.vpcId,
    HealthCheckProtocol: healthCheck.protocol,
    HealthCheckPort: healthCheck.port,
    HealthCheckEnabled: true,
    HealthCheckIntervalSeconds: healthCheck.intervalS,
    HealthCheckTimeoutSeconds: healthCheck.timeoutS,
    HealthyThresholdCount: healthCheck.healthyThreshold,
    UnhealthyThresholdCount: healthCheck.unhealthyThreshold,
    ...(healthCheck.protocol === 'TCP'
      ? {}
      : { HealthCheckPath: healthCheck.path, Matcher: { HttpCode: healthCheck.matcher } }),
    LoadBalancerArns: users.map((user) => balancerArn(scope, user)),
    TargetType: record.targetType,
    IpAddressType: 'ipv4',
  };
}
