import type { TargetDescription, TargetHealth as ApiHealth } from '@aws-sdk/client-elastic-load-balancing-v2';
import { cidrContains, type TargetGroupHealth } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { changeGroup } from './change.ts';
import { checkPort } from './checks.ts';
import { mustFindGroup, validationError } from './find.ts';
import { publishedKey, type Elbv2State, type GroupRecord, type Scope, type TargetRecord } from './records.ts';
import { usersOf } from './target-groups.ts';

/** Most targets of one group: "Quotas for your Network Load Balancers", with cross-zone load balancing. */
const MAX_TARGETS = 500;
/** Where targets outside the VPC may be: RegisterTargets, "TargetDescription". */
const OUTSIDE_RANGES = ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16'];

const isAt =
  (one: { readonly id: string; readonly port: number }) => (other: { readonly id: string; readonly port: number }) =>
    one.id === other.id && one.port === other.port;

/** `group` with further targets; one that is registered already stays as it is. */
export function withTargets(group: GroupRecord, added: readonly TargetRecord[]): GroupRecord {
  const fresh = added.filter(
    (target, index) => !group.targets.some(isAt(target)) && added.findIndex(isAt(target)) === index,
  );
  const targets = [...group.targets, ...fresh];
  if (targets.length > MAX_TARGETS)
    throw new AwsError('TooManyTargetsException', `A target group has at most ${MAX_TARGETS} targets`);
  return { ...group, targets, draining: group.draining.filter((target) => !fresh.some(isAt(target))) };
}

/** `group` without targets; those drain for as long as the group says. */
export function withoutTargets(
  group: GroupRecord,
  gone: readonly { readonly id: string; readonly port: number }[],
  now: number,
): GroupRecord {
  const leaving = group.targets.filter((target) => gone.some(isAt(target)));
  const until = now + Number(group.attributes['deregistration_delay.timeout_seconds'] ?? 0) * 1000;
  return {
    ...group,
    targets: group.targets.filter((target) => !leaving.includes(target)),
    draining: [
      ...group.draining.filter((target) => target.until > now),
      ...(until > now ? leaving.map((target) => ({ ...target, until })) : []),
    ],
  };
}

/** Finds where a target is. Throws `InvalidTargetException` for an instance or address that the group cannot have. */
export async function resolveTarget(
  state: Elbv2State,
  scope: Scope,
  group: GroupRecord,
  { Id: id, Port, AvailabilityZone: zone }: TargetDescription,
): Promise<TargetRecord> {
  if (!id) throw validationError('A target ID must be specified');
  const port = Port === undefined ? group.port : checkPort(Port, 'target');
  if (group.targetType === 'instance') {
    const instance = await state.findInstance(scope, id);
    if (!instance || instance.vpcId !== group.vpcId || instance.state === 'terminated')
      throw new AwsError(
        'InvalidTargetException',
        `The following targets are not in a running state or not in the VPC: '${id}'`,
      );
    return { id, port, address: instance.privateIp, zone: instance.zone };
  }
  if (!/^(\d{1,3}\.){3}\d{1,3}$/.test(id)) throw validationError(`The IP address '${id}' is not a valid IPv4 address`);
  const subnets = (await state.network.subnets(scope)).filter(({ vpcId }) => vpcId === group.vpcId);
  const subnet = subnets.find(({ cidr }) => cidrContains(cidr, id));
  if (subnet) return { id, port, address: id, zone: subnet.zone };
  const vpc = await state.network.vpc(scope, group.vpcId);
  if (cidrContains(vpc.cidr, id) || !OUTSIDE_RANGES.some((range) => cidrContains(range, id)))
    throw validationError(`The IP address '${id}' is not within a valid subnet`);
  if (zone !== 'all')
    throw validationError(
      `You must specify an Availability Zone of 'all' for the IP address '${id}', which is outside the VPC`,
    );
  return { id, port, address: id, isOutsideZones: true };
}

export function targetHandlers(state: Elbv2State) {
  return {
    async RegisterTargets(input, context) {
      const { value: group } = await mustFindGroup(state, context, input.TargetGroupArn);
      if (!input.Targets?.length) throw validationError('At least one target must be specified');
      const added = await Promise.all(input.Targets.map((target) => resolveTarget(state, context, group, target)));
      const find = () => mustFindGroup(state, context, input.TargetGroupArn);
      await changeGroup(state, context, find, (seen) => withTargets(seen, added));
      return {};
    },

    async DeregisterTargets(input, context) {
      const find = () => mustFindGroup(state, context, input.TargetGroupArn);
      await changeGroup(state, context, find, (seen) => {
        const named = (input.Targets ?? []).flatMap(({ Id: id = '', Port: port }) =>
          port === undefined ? seen.targets.filter((target) => target.id === id) : [{ id, port }],
        );
        return withoutTargets(seen, named, context.now);
      });
      return {};
    },

    async DescribeTargetHealth(input, context) {
      const { value: group } = await mustFindGroup(state, context, input.TargetGroupArn);
      const users = await usersOf(state, context, group.name);
      const seen = await state.published.targetHealth.get(publishedKey(context, group));
      const registered = group.targets.map((target) =>
        describe(group, target, healthOf(target, seen?.value, users.length > 0)),
      );
      const draining = group.draining
        .filter(({ until }) => until > context.now)
        .map((target) => describe(group, target, DRAINING));
      const all = [...registered, ...draining];
      if (!input.Targets?.length) return { TargetHealthDescriptions: all };
      const asked = input.Targets.map(({ Id: id = '', Port: port = group.port }) => {
        const known = all.find(({ Target }) => Target.Id === id && Target.Port === port);
        return known ?? describe(group, { id, port, address: id }, NOT_REGISTERED);
      });
      return { TargetHealthDescriptions: asked };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-elastic-load-balancing-v2')>;
}

const DRAINING: ApiHealth = {
  State: 'draining',
  Reason: 'Target.DeregistrationInProgress',
  Description: 'Target deregistration is in progress',
};
const NOT_REGISTERED: ApiHealth = {
  State: 'unused',
  Reason: 'Target.NotRegistered',
  Description: 'Target is not registered to the target group',
};
const reasons = {
  timeout: 'Target.Timeout',
  'failed-checks': 'Target.FailedHealthChecks',
  'response-code-mismatch': 'Target.ResponseCodeMismatch',
} as const;

function healthOf({ address, port }: TargetRecord, seen: TargetGroupHealth | undefined, isInUse: boolean): ApiHealth {
  if (!isInUse)
    return {
      State: 'unused',
      Reason: 'Target.NotInUse',
      Description: 'Target group is not configured to receive traffic from the load balancer',
    };
  const health = seen?.targets[`${address}:${port}`];
  if (!health)
    return {
      State: 'initial',
      Reason: 'Elb.InitialHealthChecking',
      Description: 'Initial health checks in progress',
    };
  if (health.state === 'healthy') return { State: 'healthy' };
  return {
    State: 'unhealthy',
    Reason: reasons[health.reason ?? 'failed-checks'],
    Description: health.description ?? 'Health checks failed',
  };
}

function describe(group: GroupRecord, target: TargetRecord, health: ApiHealth) {
  const { port } = group.healthCheck;
  const zone = target.isOutsideZones ? 'all' : group.targetType === 'ip' ? target.zone : undefined;
  return {
    Target: { Id: target.id, Port: target.port, ...(zone ? { AvailabilityZone: zone } : {}) },
    HealthCheckPort: port === 'traffic-port' ? String(target.port) : port,
    TargetHealth: health,
  };
}
