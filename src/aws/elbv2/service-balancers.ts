import { AwsError } from '../errors.ts';
import type { Tags } from '../tags.ts';
import { changeBalancer, changeGroup } from './change.ts';
import { readHealthCheck } from './health-checks.ts';
import { createBalancer, deleteBalancer, type SubnetWish } from './load-balancers.ts';
import { withListener } from './listeners.ts';
import { listenerDefaults, withAttributes } from './attributes.ts';
import { dnsNameOf } from './publish.ts';
import {
  keyOf,
  newHash,
  type BalancerRecord,
  type Elbv2State,
  type GroupRecord,
  type HealthCheckRecord,
  type Protocol,
  type Scope,
  type TargetRecord,
} from './records.ts';
import { createGroup, deleteGroup } from './target-groups.ts';
import { resolveTarget, withoutTargets, withTargets } from './targets.ts';

/** A load balancer as the service of a cluster wants it. */
export interface ServiceBalancer extends Scope {
  /** Of the load balancer, unique for ever, at most 32 letters and digits; also how its target groups' names begin. */
  readonly name: string;
  readonly scheme: BalancerRecord['scheme'];
  /** One for each zone. */
  readonly subnets: readonly SubnetWish[];
  /** Empty: everybody may reach it. */
  readonly securityGroupIds: readonly string[];
  readonly tags: Tags;
  /** Attributes of the load balancer, over that it spreads over zones. */
  readonly attributes?: readonly { readonly Key: string; readonly Value: string }[];
  readonly ports: readonly ServiceBalancerPort[];
}

export interface ServiceBalancerPort {
  readonly protocol: Protocol;
  readonly port: number;
  /** Default: ip. */
  readonly targetType?: 'ip' | 'instance';
  /** Private addresses of pods with their ports, or ids of instances with a node port. */
  readonly targets: readonly { readonly id: string; readonly port: number }[];
  readonly preservesClientIp?: boolean;
  /** Further attributes of the target group, which come before what the other members say. */
  readonly attributes?: readonly { readonly Key: string; readonly Value: string }[];
  /** Default: a TCP connection to the target's own port, every five seconds. Members are checked as those of the API. */
  readonly healthCheck?: Partial<HealthCheckRecord>;
}

/** Load balancers for the services of clusters, without the API's wire. */
export interface ServiceBalancers {
  /** Makes the load balancer so, whatever it was before; answers where it is reached. What depends on its creation (scheme, subnets, addresses, groups) changes by making another in its place. */
  ensure(wanted: ServiceBalancer): Promise<{ readonly hostname: string; readonly addresses: readonly string[] }>;
  /** Removes the load balancer and its target groups; what is gone already is no failure. */
  delete(scope: Scope, name: string): Promise<void>;
}

/** New pods should not wait for the half minute between two checks that is the default. */
const INTERVAL_S = 5;

export function serviceBalancers(state: Elbv2State): ServiceBalancers {
  const { balancers, groups, clock, random } = state;

  // What a group's targets are cannot change, so each kind has a name of its own.
  const groupName = (name: string, { port, protocol, targetType }: ServiceBalancerPort) => {
    const letter = protocol === 'TCP_UDP' ? 'B' : protocol[0]!;
    return `${name.slice(0, 24)}-${targetType === 'instance' ? letter.toLowerCase() : letter}${port}`;
  };

  async function ensureGroup(wanted: ServiceBalancer, port: ServiceBalancerPort, vpcId: string): Promise<GroupRecord> {
    const name = groupName(wanted.name, port);
    const { protocol } = port;
    const healthCheck = healthCheckOf(port);
    const find = async () => await groups.get(keyOf(wanted, name));
    if (!(await find()))
      await createGroup(state, wanted, {
        name,
        protocol,
        vpcId,
        healthCheck,
        port: port.targets[0]?.port ?? port.port,
        targetType: port.targetType ?? 'ip',
        tags: wanted.tags,
      });
    const seen = (await find())?.value;
    if (!seen) throw new AwsError('TargetGroupNotFoundException', `Target group ${name} was deleted meanwhile`);
    const targets = await Promise.all(
      port.targets.map((each) => resolveTarget(state, wanted, seen, { Id: each.id, Port: each.port })),
    );
    const mustFind = async () => {
      const found = await find();
      if (found) return found;
      throw new AwsError('TargetGroupNotFoundException', `Target group ${name} was deleted meanwhile`);
    };
    return await changeGroup(state, wanted, mustFind, (group) =>
      inShape(group, port, { targets, healthCheck, now: clock.now() }),
    );
  }

  return {
    async ensure(wanted) {
      const balancer = await createBalancer(state, wanted, wanted).catch(async (error: unknown) => {
        if (!(error instanceof AwsError) || error.code !== 'DuplicateLoadBalancerNameException') throw error;
        await deleteBalancer(state, wanted, wanted.name);
        return await createBalancer(state, wanted, wanted);
      });
      const made = await Promise.all(wanted.ports.map((port) => ensureGroup(wanted, port, balancer.vpcId)));
      const mustFind = async () => {
        const found = await balancers.get(keyOf(wanted, wanted.name));
        if (found) return found;
        throw new AwsError('LoadBalancerNotFoundException', `Load balancer ${wanted.name} was deleted meanwhile`);
      };
      const before = (await mustFind()).value.listeners.map(({ targetGroup }) => targetGroup);
      const record = await changeBalancer(state, wanted, mustFind, (seen) =>
        wanted.ports.reduce<BalancerRecord>(
          (next, { port, protocol }, index) => {
            const known = seen.listeners.find((each) => each.port === port && each.protocol === protocol);
            const fresh = { hash: newHash(random), port, protocol, attributes: listenerDefaults(protocol), tags: {} };
            return withListener(wanted, next, { ...(known ?? fresh), targetGroup: made[index]!.name });
          },
          {
            ...seen,
            listeners: [],
            tags: wanted.tags,
            // From the machine one comes by an address and not by the name, which would leave out zones without a pod.
            attributes: withAttributes(
              { ...seen.attributes, 'load_balancing.cross_zone.enabled': 'true' },
              wanted.attributes,
              'balancer',
            ),
          },
        ),
      );
      const used = new Set(record.listeners.map(({ targetGroup }) => targetGroup));
      for (const name of before) if (!used.has(name)) await deleteGroup(state, wanted, name);
      return {
        hostname: dnsNameOf(wanted, record),
        addresses: record.zones.map(({ publicIp, privateIp }) => publicIp ?? privateIp),
      };
    },

    async delete(scope, name) {
      const seen = await balancers.get(keyOf(scope, name));
      await deleteBalancer(state, scope, name);
      // Also those of an attempt that ended before its listeners were made.
      const own = await groups.list(keyOf(scope, `${name.slice(0, 24)}-`));
      const names = new Set([
        ...own.map(({ value }) => value.name),
        ...(seen?.value.listeners ?? []).map(({ targetGroup }) => targetGroup),
      ]);
      for (const group of names) await deleteGroup(state, scope, group);
    },
  };
}

function healthCheckOf({ healthCheck: asked }: ServiceBalancerPort): GroupRecord['healthCheck'] {
  return readHealthCheck({
    HealthCheckProtocol: asked?.protocol,
    HealthCheckPort: asked?.port,
    HealthCheckPath: asked?.path,
    Matcher: asked?.matcher === undefined ? undefined : { HttpCode: asked.matcher },
    HealthCheckIntervalSeconds: asked?.intervalS ?? INTERVAL_S,
    HealthCheckTimeoutSeconds: asked?.timeoutS,
    HealthyThresholdCount: asked?.healthyThreshold ?? 2,
    UnhealthyThresholdCount: asked?.unhealthyThreshold,
  });
}

/** A group with exactly these targets. Throws what the API says of attributes that there are not. */
function inShape(
  group: GroupRecord,
  { preservesClientIp = false, attributes }: ServiceBalancerPort,
  wanted: {
    readonly targets: readonly TargetRecord[];
    readonly healthCheck: GroupRecord['healthCheck'];
    readonly now: number;
  },
): GroupRecord {
  const isWanted = (target: TargetRecord) =>
    wanted.targets.some(({ id, port }) => target.id === id && target.port === port);
  const gone = group.targets.filter((target) => !isWanted(target));
  const lean = withoutTargets(group, gone, wanted.now);
  return {
    ...withTargets(lean, wanted.targets),
    healthCheck: wanted.healthCheck,
    attributes: withAttributes(
      { ...group.attributes, 'preserve_client_ip.enabled': String(preservesClientIp) },
      attributes,
      'group',
    ),
  };
}
