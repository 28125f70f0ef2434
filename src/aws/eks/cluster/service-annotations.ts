/** What services ask of their load balancers by annotations: AWS Load Balancer Controller, "Service annotations". What we cannot do is refused by its name. */
import type { types } from '#kubernetes';
import type { ServiceBalancerPort } from '../../elbv2/index.ts';

const PREFIX = 'service.beta.kubernetes.io/aws-load-balancer-';

/** Would change what is served, by whom, or to whom. */
const unbuilt = [
  'access-log-enabled',
  'alpn-policy',
  'ipv6-addresses',
  'multi-cluster-target-group',
  'proxy-protocol',
  'security-group-prefix-lists',
  'ssl-cert',
  'ssl-negotiation-policy',
  'ssl-ports',
  'target-node-labels',
];

/** What is followed; `inbound-sg-rules-on-private-link-traffic` and the like are said to have no effect. */
const built = new Set([
  'additional-resource-tags',
  'attributes',
  'backend-protocol',
  'cross-zone-load-balancing-enabled',
  'eip-allocations',
  'healthcheck-healthy-threshold',
  'healthcheck-interval',
  'healthcheck-path',
  'healthcheck-port',
  'healthcheck-protocol',
  'healthcheck-success-codes',
  'healthcheck-timeout',
  'healthcheck-unhealthy-threshold',
  'internal',
  'ip-address-type',
  'nlb-target-type',
  'private-ipv4-addresses',
  'scheme',
  'security-groups',
  'subnets',
  'target-group-attributes',
  'type',
]);

type Value = (name: string) => string | undefined;

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
  /** Attributes of the load balancer. */
  readonly attributes?: ServiceBalancerPort['attributes'];
  readonly tags?: { readonly [key: string]: string };
  /** Annotations that are left out, in sentences. */
  readonly warnings?: readonly string[];
  readonly healthCheck?: ServiceBalancerPort['healthCheck'];
}

/** Throws, for an event of the service, naming the annotation that cannot be followed. */
export function balancerWishes({ metadata, spec }: types.Service): BalancerWishes {
  const annotations = metadata?.annotations ?? {};
  const value: Value = (name) => annotations[PREFIX + name];
  const list = (name: string) =>
    value(name)
      ?.split(',')
      .map((item) => item.trim())
      .filter(Boolean);
  checkBuilt(value);
  const isInternal = value('scheme') === 'internal' || value('internal') === 'true';
  const [subnetIds, allocationIds, privateIps] = [
    list('subnets'),
    list('eip-allocations'),
    list('private-ipv4-addresses'),
  ];
  if (allocationIds && isInternal) throw new Error('an internal load balancer has no elastic addresses');
  const securityGroupIds = list('security-groups');
  const targetAttributes = list('target-group-attributes')?.map(pairOf);
  const attributes = attributesOf(list('attributes')?.map(pairOf), value('cross-zone-load-balancing-enabled'));
  const tags = list('additional-resource-tags')?.map(pairOf);
  const warnings = warningsOf(Object.keys(annotations));
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
    ...(attributes && { attributes }),
    ...(tags && { tags: Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value])) }),
    ...(warnings.length > 0 && { warnings }),
    ...(healthCheck && { healthCheck }),
  };
}

/** Straight to the pods unless nodes are asked for. */
function targetTypeOf(type: string | undefined, kind: string | undefined): BalancerWishes['targetType'] {
  if (type !== undefined && type !== 'ip' && type !== 'instance')
    throw new Error(`the annotation ${PREFIX}nlb-target-type must be "ip" or "instance", not "${type}"`);
  return type ?? (kind === 'nlb' ? 'instance' : 'ip');
}

function checkBuilt(value: Value): void {
  const refused = unbuilt.find((name) => value(name) !== undefined && value(name) !== 'false');
  if (refused) throw new Error(`the annotation ${PREFIX}${refused} is not supported`);
  const only = (name: string, ...allowed: readonly string[]) => {
    const given = value(name)?.toLowerCase();
    if (given !== undefined && !allowed.includes(given))
      throw new Error(`the annotation ${PREFIX}${name} is supported with ${quoted(allowed)} alone, not "${given}"`);
  };
  only('ip-address-type', 'ipv4');
  only('backend-protocol', 'tcp', 'udp');
}

function quoted(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(' or ');
}

function warningsOf(names: readonly string[]): readonly string[] {
  return names
    .filter((name) => name.startsWith(PREFIX))
    .filter((name) => !built.has(name.slice(PREFIX.length)) && !unbuilt.includes(name.slice(PREFIX.length)))
    .map((name) => `The annotation ${name} is not supported and has no effect`);
}

function pairOf(text: string): { Key: string; Value: string } {
  const [Key = '', Value = ''] = text.split('=', 2);
  return { Key, Value };
}

/** Spreading over zones was an annotation of its own before there were attributes. */
function attributesOf(listed: BalancerWishes['attributes'], crossesZones: string | undefined) {
  if (crossesZones === undefined) return listed;
  return [{ Key: 'load_balancing.cross_zone.enabled', Value: crossesZones }, ...(listed ?? [])];
}

/** What the annotations say, over that nodes of a service that answers on some of them alone say whether they do. */
function healthCheckOf(spec: types.Service['spec'], value: Value): ServiceBalancerPort['healthCheck'] {
  const nodePort = spec?.healthCheckNodePort;
  const ofNodes = nodePort ? { protocol: 'HTTP' as const, port: String(nodePort), path: '/healthz' } : undefined;
  const path = value('healthcheck-path');
  const protocol = protocolOf(value('healthcheck-protocol')) ?? ofNodes?.protocol ?? (path ? 'HTTP' : undefined);
  const asked = {
    protocol,
    port: value('healthcheck-port') ?? ofNodes?.port,
    // Those of HTTP are left out with TCP, as the controller of AWS does.
    path: protocol === 'TCP' ? undefined : (path ?? ofNodes?.path),
    matcher: protocol === 'TCP' ? undefined : value('healthcheck-success-codes'),
    intervalS: numberOf('healthcheck-interval', value),
    timeoutS: numberOf('healthcheck-timeout', value),
    healthyThreshold: numberOf('healthcheck-healthy-threshold', value),
    unhealthyThreshold: numberOf('healthcheck-unhealthy-threshold', value),
  };
  const given = Object.entries(asked).filter(([, each]) => each !== undefined);
  return given.length ? Object.fromEntries(given) : undefined;
}

function protocolOf(text: string | undefined): 'TCP' | 'HTTP' | 'HTTPS' | undefined {
  const protocol = text?.toUpperCase();
  if (protocol === undefined || protocol === 'TCP' || protocol === 'HTTP' || protocol === 'HTTPS') return protocol;
  throw new Error(`the annotation ${PREFIX}healthcheck-protocol must be "tcp", "http" or "https", not "${text}"`);
}

function numberOf(name: string, value: Value): number | undefined {
  const text = value(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`the annotation ${PREFIX}${name} must be a number, not "${text}"`);
  return Number(text);
}
