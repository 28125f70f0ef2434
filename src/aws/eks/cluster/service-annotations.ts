/** What services ask of their load balancers by annotations: AWS Load Balancer Controller, "Service annotations". What we cannot do is refused by its name. */
import type { types } from '#kubernetes';
import type { ServiceBalancerPort } from '../../elbv2/index.ts';

const PREFIX = 'service.beta.kubernetes.io/aws-load-balancer-';

/** Would change what is served, or to whom. */
const unbuilt = ['ssl-cert', 'ssl-ports', 'alpn-policy', 'proxy-protocol', 'ipv6-addresses', 'access-log-enabled'];

export interface BalancerWishes {
  readonly scheme: 'internal' | 'internet-facing';
  readonly targetType: 'ip' | 'instance';
  /** Each in a zone of its own; absent: the cluster's. */
  readonly subnetIds?: readonly string[];
  /** One for each subnet, in their order. */
  readonly allocationIds?: readonly string[];
  readonly privateIps?: readonly string[];
  /** In place of the group that is made for the service. */
  readonly securityGroupIds?: readonly string[];
  /** Attributes of the target groups, which are checked where they are set. */
  readonly targetAttributes?: ServiceBalancerPort['attributes'];
  readonly healthCheck?: ServiceBalancerPort['healthCheck'];
}

/** Throws, for an event of the service, naming the annotation that cannot be followed. */
export function balancerWishes({ metadata, spec }: types.Service): BalancerWishes {
  const annotations = metadata?.annotations ?? {};
  const value = (name: string) => annotations[PREFIX + name];
  const list = (name: string) =>
    value(name)
      ?.split(',')
      .map((item) => item.trim())
      .filter(Boolean);
  const refused = unbuilt.find((name) => value(name) !== undefined && value(name) !== 'false');
  if (refused) throw new Error(`the annotation ${PREFIX}${refused} is not supported`);
  const isInternal = value('scheme') === 'internal' || value('internal') === 'true';
  const [subnetIds, allocationIds, privateIps] = [
    list('subnets'),
    list('eip-allocations'),
    list('private-ipv4-addresses'),
  ];
  if (allocationIds && isInternal) throw new Error('an internal load balancer has no elastic addresses');
  const securityGroupIds = list('security-groups');
  const targetAttributes = list('target-group-attributes')?.map((pair) => {
    const [Key = '', Value = ''] = pair.split('=', 2);
    return { Key, Value };
  });
  const targetType = targetTypeOf(value('nlb-target-type'), value('type'));
  const healthCheck = healthCheckOf(targetType === 'instance' ? spec : undefined, value);
  return {
    scheme: isInternal ? 'internal' : 'internet-facing',
    targetType,
    ...(subnetIds && { subnetIds }),
    ...(allocationIds && { allocationIds }),
    ...(privateIps && { privateIps }),
    ...(securityGroupIds && { securityGroupIds }),
    ...(targetAttributes && { targetAttributes }),
    ...(healthCheck && { healthCheck }),
  };
}

/** Straight to the pods unless nodes are asked for. */
function targetTypeOf(type: string | undefined, kind: string | undefined): BalancerWishes['targetType'] {
  if (type !== undefined && type !== 'ip' && type !== 'instance')
    throw new Error(`the annotation ${PREFIX}nlb-target-type must be "ip" or "instance", not "${type}"`);
  return type ?? (kind === 'nlb' ? 'instance' : 'ip');
}

/** What the annotations say; otherwise, of a service that answers on some nodes alone, where a node says whether it is one. */
function healthCheckOf(
  spec: types.Service['spec'],
  value: (name: string) => string | undefined,
): ServiceBalancerPort['healthCheck'] {
  const protocol = value('healthcheck-protocol')?.toUpperCase();
  if (protocol !== undefined && protocol !== 'TCP' && protocol !== 'HTTP')
    throw new Error(`the annotation ${PREFIX}healthcheck-protocol must be "tcp" or "http", not "${protocol}"`);
  const port = Number(value('healthcheck-port'));
  const path = value('healthcheck-path');
  if (protocol || path || port)
    return { protocol: protocol ?? (path ? 'HTTP' : 'TCP'), ...(port && { port }), ...(path && { path }) };
  return spec?.healthCheckNodePort ? { protocol: 'HTTP', port: spec.healthCheckNodePort, path: '/healthz' } : undefined;
}
