import { notBuilt, validationError } from './find.ts';
import type { Attributes, GroupRecord, Protocol } from './records.ts';

type Check = (value: string) => boolean;

const isBoolean: Check = (value) => value === 'true' || value === 'false';
const isText: Check = (value) => value.length <= 1024;
const among =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value);
const isNumber =
  (first: number, last: number): Check =>
  (value) =>
    /^\d{1,9}$/.test(value) && Number(value) >= first && Number(value) <= last;
const isShare: Check = (value) => value === 'off' || isNumber(1, 100)(value);

interface Known {
  readonly initial: string;
  readonly check: Check;
  /** Anything but the default would be a promise that nobody keeps. */
  readonly isFixed?: true;
}

/** Attributes of network load balancers with their defaults: API reference, LoadBalancerAttribute. */
const ofBalancers: { readonly [key: string]: Known } = {
  'access_logs.s3.enabled': { initial: 'false', check: isBoolean, isFixed: true },
  'access_logs.s3.bucket': { initial: '', check: isText },
  'access_logs.s3.prefix': { initial: '', check: isText },
  'deletion_protection.enabled': { initial: 'false', check: isBoolean },
  'dns_record.client_routing_policy': {
    initial: 'any_availability_zone',
    check: among('any_availability_zone', 'availability_zone_affinity', 'partial_availability_zone_affinity'),
    isFixed: true,
  },
  'ipv6.deny_all_igw_traffic': { initial: 'false', check: isBoolean, isFixed: true },
  'load_balancing.cross_zone.enabled': { initial: 'false', check: isBoolean },
  'secondary_ips.auto_assigned.per_subnet': { initial: '0', check: isNumber(0, 7), isFixed: true },
  'zonal_shift.config.enabled': { initial: 'false', check: isBoolean, isFixed: true },
};

/** Attributes of their target groups: API reference, TargetGroupAttribute. */
const ofGroups: { readonly [key: string]: Known } = {
  'deregistration_delay.connection_termination.enabled': { initial: 'false', check: isBoolean, isFixed: true },
  'deregistration_delay.timeout_seconds': { initial: '300', check: isNumber(0, 3600) },
  'load_balancing.cross_zone.enabled': {
    initial: 'use_load_balancer_configuration',
    check: among('true', 'false', 'use_load_balancer_configuration'),
  },
  'preserve_client_ip.enabled': { initial: 'true', check: isBoolean },
  'proxy_protocol_v2.enabled': { initial: 'false', check: isBoolean, isFixed: true },
  'stickiness.enabled': { initial: 'false', check: isBoolean },
  'stickiness.type': {
    initial: 'source_ip',
    check: among('source_ip', 'source_ip_dest_ip', 'source_ip_dest_ip_proto'),
    isFixed: true,
  },
  'target_group_health.dns_failover.minimum_healthy_targets.count': { initial: '1', check: isShare, isFixed: true },
  'target_group_health.dns_failover.minimum_healthy_targets.percentage': {
    initial: 'off',
    check: isShare,
    isFixed: true,
  },
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count': {
    initial: '1',
    check: isNumber(1, 1000),
    isFixed: true,
  },
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage': {
    initial: 'off',
    check: isShare,
    isFixed: true,
  },
  'target_health_state.unhealthy.connection_termination.enabled': { initial: 'true', check: isBoolean, isFixed: true },
  'target_health_state.unhealthy.draining_interval_seconds': {
    initial: '0',
    check: isNumber(0, 360_000),
    isFixed: true,
  },
};

const ofListeners: { readonly [key: string]: Known } = {
  'tcp.idle_timeout.seconds': { initial: '350', check: isNumber(60, 6000), isFixed: true },
};

const tables = { balancer: ofBalancers, group: ofGroups, listener: ofListeners };

function initialOf(kind: keyof typeof tables): Attributes {
  return Object.fromEntries(Object.entries(tables[kind]).map(([key, { initial }]) => [key, initial]));
}

export function balancerDefaults(): Attributes {
  return initialOf('balancer');
}

/** Client addresses are preserved, save over TCP to targets known by address. */
export function groupDefaults({ protocol, targetType }: Pick<GroupRecord, 'protocol' | 'targetType'>): Attributes {
  const preserves = !(targetType === 'ip' && protocol === 'TCP');
  return { ...initialOf('group'), 'preserve_client_ip.enabled': String(preserves) };
}

export function listenerDefaults(protocol: Protocol): Attributes {
  return protocol === 'TCP' ? initialOf('listener') : {};
}

interface WireAttribute {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** `current` with the list's over it. Throws `ValidationError` for a key or value there is not. */
export function withAttributes(
  current: Attributes,
  list: readonly WireAttribute[] | undefined,
  kind: keyof typeof tables,
): Attributes {
  const changed: Record<string, string> = { ...current };
  for (const { Key: key = '', Value: value = '' } of list ?? []) {
    const known = Object.hasOwn(tables[kind], key) ? tables[kind][key] : undefined;
    if (!known) throw validationError(`${subject[kind]} attribute key '${key}' is not recognized`);
    if (!known.check(value))
      throw validationError(`${subject[kind]} attribute value '${value}' is not valid for key '${key}'`);
    if (known.isFixed && value !== known.initial)
      throw notBuilt(`${subject[kind]}s with '${key}' other than '${known.initial}'`);
    changed[key] = value;
  }
  return changed;
}

const subject = { balancer: 'Load balancer', group: 'Target group', listener: 'Listener' } as const;

export function wireAttributes(attributes: Attributes): { Key: string; Value: string }[] {
  return Object.entries(attributes).map(([Key, Value]) => ({ Key, Value }));
}
