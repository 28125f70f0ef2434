import type { CreateLoadBalancerInput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Compare, Operation } from '#store';
import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import type { Handlers } from '../service.ts';
import { readTags } from '../tags.ts';
import { balancerDefaults, wireAttributes, withAttributes } from './attributes.ts';
import { changeBalancer } from './change.ts';
import { checkName, checkPageSize } from './checks.ts';
import { mustFindBalancer, notBuilt, validationError } from './find.ts';
import { publishBalancer } from './publish.ts';
import {
  keyOf,
  newHash,
  publishedKey,
  type BalancerRecord,
  type Elbv2State,
  type Scope,
  type ZoneRecord,
} from './records.ts';
import { balancerView } from './view.ts';

const ATTEMPTS = 16;

/** Where a load balancer is in a zone, and by which addresses, if it matters. */
export interface SubnetWish {
  readonly subnetId: string;
  readonly privateIp?: string | undefined;
  /** Of an elastic address. */
  readonly allocationId?: string | undefined;
}

export interface NewBalancer {
  readonly name: string;
  readonly scheme: BalancerRecord['scheme'];
  readonly subnets: readonly SubnetWish[];
  readonly securityGroupIds: readonly string[];
  readonly tags: BalancerRecord['tags'];
}

/** Makes a load balancer with an address in each subnet, or answers the one that is there with the same settings. */
export async function createBalancer(state: Elbv2State, scope: Scope, request: NewBalancer): Promise<BalancerRecord> {
  const { store, balancers, clock, random, network } = state;
  const key = keyOf(scope, request.name);
  const subnets = await checkSubnets(state, scope, request);
  const vpcId = subnets[0]!.vpcId;
  const groups = await network.securityGroups(scope, request.securityGroupIds).catch((error: unknown) => {
    throw new AwsError('InvalidSecurityGroupException', 'One or more security groups are invalid', { cause: error });
  });
  if (groups.some((group) => group.vpcId !== vpcId))
    throw new AwsError('InvalidConfigurationRequestException', 'One or more security groups are of another VPC');
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const existing = await balancers.get(key);
    if (existing) return sameOrThrow(existing.value, request);
    const identity = { name: request.name, hash: newHash(random) };
    const { zones, compare, success } = await planZones(state, scope, request, identity);
    // Drawn apart from one another, two of them may have met.
    const addresses = zones.flatMap(({ privateIp, publicIp }) => [privateIp, ...(publicIp ? [publicIp] : [])]);
    if (new Set(addresses).size < addresses.length) continue;
    const record: BalancerRecord = {
      ...identity,
      createdAt: clock.now(),
      scheme: request.scheme,
      vpcId,
      zones,
      securityGroupIds: request.securityGroupIds,
      attributes: balancerDefaults(),
      tags: request.tags,
      listeners: [],
    };
    const { succeeded } = await store.txn({
      compare: [balancers.ifAbsent(key), ...compare],
      success: [balancers.put(key, record), await publishBalancer(state, scope, record), ...success],
    });
    if (succeeded) return record;
  }
  throw new AwsError('ServiceUnavailable', 'Addresses are taken faster than they can be chosen', { status: 503 });
}

/** Removes a load balancer, its listeners and its addresses; one that is gone already is no failure. */
export async function deleteBalancer(state: Elbv2State, scope: Scope, name: string, hash?: string): Promise<void> {
  const { store, balancers, published, network } = state;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seen = await balancers.get(keyOf(scope, name));
    if (!seen || (hash !== undefined && seen.value.hash !== hash)) return;
    const addresses = await Promise.all(
      seen.value.zones.map(({ networkInterfaceId }) => network.planDeleteInterface(scope, networkInterfaceId)),
    );
    const { succeeded } = await store.txn({
      compare: [balancers.ifUnchanged(seen)],
      success: [
        balancers.remove(seen.id),
        published.loadBalancers.remove(publishedKey(scope, seen.value)),
        ...addresses.flat(),
      ],
    });
    if (succeeded) return;
  }
  throw new AwsError('ServiceUnavailable', `Load balancer ${name} is changed faster than it can be deleted`, {
    status: 503,
  });
}

function sameOrThrow(existing: BalancerRecord, request: NewBalancer): BalancerRecord {
  const subnets = (ids: readonly string[]) => ids.toSorted().join();
  const isSame =
    existing.scheme === request.scheme &&
    subnets(existing.zones.map(({ subnetId }) => subnetId)) ===
      subnets(request.subnets.map(({ subnetId }) => subnetId)) &&
    subnets(existing.securityGroupIds) === subnets(request.securityGroupIds) &&
    request.subnets.every((wish) => isAsWished(existing.zones, wish));
  if (isSame) return existing;
  throw new AwsError(
    'DuplicateLoadBalancerNameException',
    `A load balancer with the same name '${request.name}' exists, but with different settings`,
  );
}

function isAsWished(zones: readonly ZoneRecord[], { subnetId, privateIp, allocationId }: SubnetWish): boolean {
  const zone = zones.find((each) => each.subnetId === subnetId);
  return zone?.allocationId === allocationId && (privateIp === undefined || zone?.privateIp === privateIp);
}

async function checkSubnets(state: Elbv2State, scope: Scope, { subnets }: NewBalancer) {
  if (subnets.length === 0) throw validationError('At least one subnet must be specified');
  const found = await Promise.all(
    subnets.map(async ({ subnetId }) => {
      try {
        return await state.network.subnet(scope, subnetId);
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        throw new AwsError('SubnetNotFoundException', `The subnet ID '${subnetId}' does not exist`, { cause: error });
      }
    }),
  );
  if (new Set(found.map(({ vpcId }) => vpcId)).size > 1)
    throw new AwsError('InvalidConfigurationRequestException', 'All subnets must belong to the same VPC');
  if (new Set(found.map(({ zone }) => zone)).size < found.length)
    throw new AwsError(
      'InvalidConfigurationRequestException',
      'A load balancer cannot be attached to multiple subnets in the same Availability Zone',
    );
  const elastic = subnets.flatMap(({ allocationId }) => allocationId ?? []);
  if (new Set(elastic).size < elastic.length)
    throw new AwsError('InvalidConfigurationRequestException', 'Each subnet must have an elastic address of its own');
  return found;
}

async function planZones(
  { network }: Elbv2State,
  scope: Scope,
  { subnets, scheme, securityGroupIds }: Pick<NewBalancer, 'subnets' | 'scheme' | 'securityGroupIds'>,
  { name, hash }: Pick<BalancerRecord, 'name' | 'hash'>,
): Promise<{
  readonly zones: readonly ZoneRecord[];
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}> {
  const plans = await Promise.all(
    subnets.map(({ subnetId, privateIp, allocationId }) =>
      network.planInterface({
        account: scope.account,
        region: scope.region,
        subnetId,
        securityGroupIds,
        isUngrouped: securityGroupIds.length === 0,
        assignPublicIp: scheme === 'internet-facing',
        description: `ELB net/${name}/${hash}`,
        managedBy: 'amazon-elb',
        privateIp,
        elasticIpId: allocationId,
      }),
    ),
  );
  return {
    zones: plans.map(({ networkInterface: { zone, subnetId, id, privateIp, publicIp, publicIpAllocationId } }) => ({
      zone,
      subnetId,
      networkInterfaceId: id,
      privateIp,
      ...(publicIp ? { publicIp } : {}),
      ...(publicIpAllocationId ? { allocationId: publicIpAllocationId } : {}),
    })),
    compare: plans.flatMap(({ compare }) => compare),
    success: onceEach(plans.flatMap(({ success }) => success)),
  };
}

/** Interfaces of the same groups mark each group as used; a transaction writes a key once. */
function onceEach(operations: readonly Operation[]): readonly Operation[] {
  return [...new Map(operations.map((each) => [each.kind === 'deletePrefix' ? each.prefix : each.key, each])).values()];
}

export function loadBalancerHandlers(state: Elbv2State) {
  return {
    async CreateLoadBalancer(input, context) {
      const { Type: type = 'application' } = input;
      if (type !== 'network') throw notBuilt(`Load balancers of type '${type}'`);
      if (input.IpAddressType && input.IpAddressType !== 'ipv4') throw notBuilt('Dual-stack load balancers');
      const record = await createBalancer(state, context, {
        name: checkName(input.Name, 'load balancer'),
        scheme: input.Scheme ?? 'internet-facing',
        subnets: subnetsOf(input),
        securityGroupIds: [...new Set(input.SecurityGroups)],
        tags: readTags(input.Tags, 'ValidationError'),
      });
      return { LoadBalancers: [balancerView(context, record)] };
    },

    async DescribeLoadBalancers(input, context) {
      const { LoadBalancerArns: arns = [], Names: names = [] } = input;
      if (arns.length > 0 && names.length > 0)
        throw validationError('Load balancer names and load balancer ARNs cannot be specified at the same time');
      const named = await Promise.all([
        ...arns.map(async (arn) => (await mustFindBalancer(state, context, arn)).value),
        ...names.map(async (name) => {
          const found = await state.balancers.get(keyOf(context, name));
          if (found) return found.value;
          throw new AwsError('LoadBalancerNotFoundException', `Load balancers '[${name}]' not found`);
        }),
      ]);
      const all = async () => (await state.balancers.list(keyOf(context, ''))).map(({ value }) => value);
      const { items, nextToken } = page(arns.length + names.length > 0 ? named : await all(), {
        token: input.Marker,
        limit: checkPageSize(input.PageSize),
        key: ({ name }) => name,
        badTokenCode: 'ValidationError',
      });
      return { LoadBalancers: items.map((record) => balancerView(context, record)), NextMarker: nextToken };
    },

    async DeleteLoadBalancer(input, context) {
      const find = () => mustFindBalancer(state, context, input.LoadBalancerArn);
      const seen = await find().catch((error: unknown) => {
        // Deleting what is not there succeeds.
        if (error instanceof AwsError && error.code === 'LoadBalancerNotFoundException') return undefined;
        throw error;
      });
      if (!seen) return {};
      if (seen.value.attributes['deletion_protection.enabled'] === 'true')
        throw new AwsError(
          'OperationNotPermittedException',
          `Load balancer '${input.LoadBalancerArn}' cannot be deleted because deletion protection is enabled`,
        );
      await deleteBalancer(state, context, seen.value.name, seen.value.hash);
      return {};
    },

    async DescribeLoadBalancerAttributes(input, context) {
      const { value } = await mustFindBalancer(state, context, input.LoadBalancerArn);
      return { Attributes: wireAttributes(value.attributes) };
    },

    async ModifyLoadBalancerAttributes(input, context) {
      const find = () => mustFindBalancer(state, context, input.LoadBalancerArn);
      const { attributes } = await changeBalancer(state, context, find, (record) => ({
        ...record,
        attributes: withAttributes(record.attributes, input.Attributes, 'balancer'),
      }));
      return { Attributes: wireAttributes(attributes) };
    },

    async SetSecurityGroups(input, context) {
      const ids = [...new Set(input.SecurityGroups)];
      const seen = await mustFindBalancer(state, context, input.LoadBalancerArn);
      if (seen.value.securityGroupIds.length === 0)
        throw new AwsError(
          'InvalidConfigurationRequestException',
          'Security groups cannot be set on a network load balancer that was created without any',
        );
      if (ids.length === 0) throw validationError('At least one security group must be specified');
      const groups = await state.network.securityGroups(context, ids).catch((error: unknown) => {
        throw new AwsError('InvalidSecurityGroupException', 'One or more security groups are invalid', {
          cause: error,
        });
      });
      if (groups.some(({ vpcId }) => vpcId !== seen.value.vpcId))
        throw new AwsError('InvalidConfigurationRequestException', 'One or more security groups are of another VPC');
      // A rule that names a group means the addresses of its members, the load balancer's among them.
      for (const { networkInterfaceId } of seen.value.zones)
        await state.networkInterfaces.update(keyOf(context, networkInterfaceId), (networkInterface) => ({
          ...networkInterface,
          securityGroupIds: ids,
        }));
      const find = () => mustFindBalancer(state, context, input.LoadBalancerArn);
      const { securityGroupIds } = await changeBalancer(state, context, find, (record) => ({
        ...record,
        securityGroupIds: ids,
      }));
      return { SecurityGroupIds: [...securityGroupIds] };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-elastic-load-balancing-v2')>;
}

function subnetsOf({
  Subnets: subnets = [],
  SubnetMappings: mappings = [],
  Scheme: scheme,
}: CreateLoadBalancerInput): readonly SubnetWish[] {
  if (subnets.length > 0 && mappings.length > 0)
    throw validationError('You must specify either subnets or subnet mappings, not both');
  for (const { AllocationId, IPv6Address } of mappings) {
    if (IPv6Address) throw notBuilt('Load balancers with IPv6 addresses of their own');
    if (AllocationId && scheme === 'internal')
      throw validationError('Elastic IP addresses cannot be specified for an internal load balancer');
  }
  return [
    ...subnets.map((subnetId) => ({ subnetId })),
    ...mappings.map(({ SubnetId: subnetId = '', PrivateIPv4Address: privateIp, AllocationId: allocationId }) => ({
      subnetId,
      privateIp,
      allocationId,
    })),
  ];
}
