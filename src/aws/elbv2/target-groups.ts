import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import type { Handlers } from '../service.ts';
import { readTags } from '../tags.ts';
import { groupArn } from './arns.ts';
import { groupDefaults, wireAttributes, withAttributes } from './attributes.ts';
import { changeGroup } from './change.ts';
import { checkName, checkPageSize, checkPort } from './checks.ts';
import { mustFindBalancer, mustFindGroup, notBuilt, validationError } from './find.ts';
import { readGroupProtocol, readHealthCheck } from './health-checks.ts';
import { publishGroup } from './publish.ts';
import {
  keyOf,
  newHash,
  publishedKey,
  type BalancerRecord,
  type Elbv2State,
  type GroupRecord,
  type Scope,
} from './records.ts';
import { groupView } from './view.ts';

export type NewGroup = Omit<GroupRecord, 'hash' | 'createdAt' | 'attributes' | 'targets' | 'draining'>;

/** Makes a target group, or answers the one that is there with the same settings. */
export async function createGroup(state: Elbv2State, scope: Scope, request: NewGroup): Promise<GroupRecord> {
  const { store, groups, clock, random } = state;
  const key = keyOf(scope, request.name);
  const record: GroupRecord = {
    ...request,
    hash: newHash(random),
    createdAt: clock.now(),
    attributes: groupDefaults(request),
    targets: [],
    draining: [],
  };
  const { succeeded } = await store.txn({
    compare: [groups.ifAbsent(key)],
    success: [groups.put(key, record), publishGroup(state, scope, record)],
  });
  if (succeeded) return record;
  const existing = await groups.get(key);
  if (existing && isSame(existing.value, request)) return existing.value;
  throw new AwsError(
    'DuplicateTargetGroupNameException',
    `A target group with the same name '${request.name}' exists, but with different settings`,
  );
}

function isSame(existing: GroupRecord, request: NewGroup): boolean {
  const settings = ({ protocol, port, vpcId, targetType, healthCheck }: NewGroup) =>
    JSON.stringify([protocol, port, vpcId, targetType, healthCheck]);
  return settings(existing) === settings(request);
}

/** Removes a target group that no listener uses; one that is gone already is no failure. Throws `ResourceInUseException`. */
export async function deleteGroup(state: Elbv2State, scope: Scope, name: string, hash?: string): Promise<void> {
  const { store, groups, published } = state;
  const seen = await groups.get(keyOf(scope, name));
  if (!seen || (hash !== undefined && seen.value.hash !== hash)) return;
  if ((await usersOf(state, scope, name)).length > 0)
    throw new AwsError(
      'ResourceInUseException',
      `Target group '${groupArn(scope, seen.value)}' is currently in use by a listener or a rule`,
    );
  const id = publishedKey(scope, seen.value);
  await store.txn({
    success: [groups.remove(seen.id), published.targetGroups.remove(id), published.targetHealth.remove(id)],
  });
}

export async function usersOf(state: Elbv2State, scope: Scope, name: string): Promise<readonly BalancerRecord[]> {
  const all = await state.balancers.list(keyOf(scope, ''));
  return all
    .map(({ value }) => value)
    .filter(({ listeners }) => listeners.some(({ targetGroup }) => targetGroup === name));
}

export function targetGroupHandlers(state: Elbv2State) {
  const view = async (scope: Scope, record: GroupRecord) =>
    groupView(scope, record, await usersOf(state, scope, record.name));

  return {
    async CreateTargetGroup(input, context) {
      const name = checkName(input.Name, 'target group');
      const { TargetType: targetType = 'instance', ProtocolVersion: version } = input;
      if (targetType !== 'instance' && targetType !== 'ip') throw notBuilt(`Target groups of type '${targetType}'`);
      if (input.IpAddressType && input.IpAddressType !== 'ipv4') throw notBuilt('IPv6 target groups');
      if (version !== undefined) throw validationError('Protocol version is not supported for this protocol');
      if (input.Protocol === 'HTTP' || input.Protocol === 'HTTPS' || input.Protocol === 'TLS')
        throw notBuilt(`Target groups with protocol ${input.Protocol}`);
      if (!input.VpcId) throw validationError('A VPC ID must be specified');
      const protocol = readGroupProtocol(input.Protocol);
      await state.network.vpc(context, input.VpcId).catch((error: unknown) => {
        if (!(error instanceof AwsError)) throw error;
        throw validationError(`The VPC ID '${input.VpcId}' is not found`);
      });
      const record = await createGroup(state, context, {
        name,
        protocol,
        port: checkPort(input.Port, 'target group'),
        vpcId: input.VpcId,
        targetType,
        healthCheck: readHealthCheck(input),
        tags: readTags(input.Tags, 'ValidationError'),
      });
      return { TargetGroups: [await view(context, record)] };
    },

    async DescribeTargetGroups(input, context) {
      const { TargetGroupArns: arns = [], Names: names = [], LoadBalancerArn: balancerArn } = input;
      if ([arns.length > 0, names.length > 0, balancerArn !== undefined].filter(Boolean).length > 1)
        throw validationError(
          'Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time',
        );
      const found = async (): Promise<readonly GroupRecord[]> => {
        if (arns.length > 0)
          return await Promise.all(arns.map(async (arn) => (await mustFindGroup(state, context, arn)).value));
        const all = (await state.groups.list(keyOf(context, ''))).map(({ value }) => value);
        if (balancerArn !== undefined) {
          const { listeners } = (await mustFindBalancer(state, context, balancerArn)).value;
          return all.filter(({ name }) => listeners.some(({ targetGroup }) => targetGroup === name));
        }
        const missing = names.find((name) => !all.some((group) => group.name === name));
        if (missing !== undefined)
          throw new AwsError('TargetGroupNotFoundException', 'One or more target groups not found');
        return names.length > 0 ? all.filter(({ name }) => names.includes(name)) : all;
      };
      const { items, nextToken } = page(await found(), {
        token: input.Marker,
        limit: checkPageSize(input.PageSize),
        key: ({ name }) => name,
        badTokenCode: 'ValidationError',
      });
      return { TargetGroups: await Promise.all(items.map((each) => view(context, each))), NextMarker: nextToken };
    },

    async ModifyTargetGroup(input, context) {
      const find = () => mustFindGroup(state, context, input.TargetGroupArn);
      const record = await changeGroup(state, context, find, (seen) => ({
        ...seen,
        healthCheck: readHealthCheck(input, seen.healthCheck),
      }));
      return { TargetGroups: [await view(context, record)] };
    },

    async DeleteTargetGroup(input, context) {
      const seen = await mustFindGroup(state, context, input.TargetGroupArn).catch((error: unknown) => {
        // Deleting what is not there succeeds.
        if (error instanceof AwsError && error.code === 'TargetGroupNotFoundException') return undefined;
        throw error;
      });
      if (seen) await deleteGroup(state, context, seen.value.name, seen.value.hash);
      return {};
    },

    async DescribeTargetGroupAttributes(input, context) {
      const { value } = await mustFindGroup(state, context, input.TargetGroupArn);
      return { Attributes: wireAttributes(value.attributes) };
    },

    async ModifyTargetGroupAttributes(input, context) {
      const find = () => mustFindGroup(state, context, input.TargetGroupArn);
      const { attributes } = await changeGroup(state, context, find, (seen) => ({
        ...seen,
        attributes: withAttributes(seen.attributes, input.Attributes, 'group'),
      }));
      return { Attributes: wireAttributes(attributes) };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-elastic-load-balancing-v2')>;
}
