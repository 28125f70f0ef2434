import type { RunInstancesRequest } from '@aws-sdk/client-ec2';
import type { SecurityGroup } from '#network';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { defaultSubnet } from './default-vpc.ts';
import { paginate, select, selectFrom } from './describe.ts';
import { privateDnsName } from './dns-names.ts';
import { applyFilters, type FilterFields } from './filters.ts';
import { checkImage } from './images.ts';
import { stateCodes, type InstanceRecord } from './instance-records.ts';
import { DEFAULT_INSTANCE_TYPE, instanceTypes } from './instance-types.ts';
import { toInstanceStatus, toReservations, toState, toTypeInfo } from './instance-view.ts';
import { newReservation, type InstanceRequest, type Instances } from './instances.ts';
import { mustGet } from './kinds.ts';
import { withTemplate, type LaunchTemplates } from './launch-templates/launch-templates.ts';
import { metadataOptions, toMetadataOptions } from './metadata/options.ts';
import { allIn, type Ec2State, type Scope } from './scope.ts';
import { tagsFor } from './tags.ts';
import { unbuiltMember } from './unbuilt.ts';
import { checkUserData } from './user-data.ts';

/** Finds the profile by name or ARN, and the role in it that the caller passes. */
export type InstanceProfiles = (
  account: string,
  nameOrArn: string,
) => { readonly arn: string; readonly id: string; readonly roleArn: string | undefined } | undefined;

const MAX_INSTANCES = 20;

const fields: FilterFields<InstanceRecord> = {
  'instance-id': ({ id }) => id,
  'instance-state-name': ({ state }) => state,
  'instance-state-code': ({ state }) => stateCodes[state],
  'instance-type': ({ instanceType }) => instanceType,
  'image-id': ({ imageId }) => imageId,
  'availability-zone': ({ zone }) => zone,
  'vpc-id': ({ vpcId }) => vpcId,
  'subnet-id': ({ subnetId }) => subnetId,
  'private-ip-address': ({ privateIp }) => privateIp,
  'ip-address': ({ publicIp }) => publicIp,
  'private-dns-name': ({ region, privateIp }) => privateDnsName(region, privateIp),
  'reservation-id': ({ reservationId }) => reservationId,
  'instance.group-id': ({ securityGroupIds }) => securityGroupIds,
  'group-id': ({ securityGroupIds }) => securityGroupIds,
  'network-interface.network-interface-id': ({ networkInterfaceId }) => networkInterfaceId,
  'iam-instance-profile.arn': ({ instanceProfile }) => instanceProfile?.arn,
  'client-token': ({ clientToken }) => clientToken,
  'owner-id': ({ tenant }) => tenant,
};

const userRequest = (what: string) => ({
  code: `Client.UserInitiated${what}`,
  message: `Client.UserInitiated${what}: User initiated ${what.toLowerCase()}`,
});

export interface InstanceHandlerParts {
  readonly state: Ec2State;
  readonly instances: Instances;
  readonly profiles: InstanceProfiles;
  readonly templates: LaunchTemplates;
}

export function instanceHandlers({ state, instances, profiles, templates }: InstanceHandlerParts) {
  const { records } = instances;

  async function groupsIn(scope: Scope): Promise<Map<string, SecurityGroup>> {
    return new Map((await state.records.securityGroups.list(allIn(scope))).map(({ value }) => [value.id, value]));
  }

  /** Instances that the caller may act on; one that a service looks after is the service's. */
  async function named(context: CallContext, ids: readonly string[] | undefined): Promise<readonly InstanceRecord[]> {
    return await Promise.all(
      [...new Set(ids)].map(async (id) => (await mustGet(records, context, 'instance', id)).value),
    );
  }

  /** Instances with the public addresses that their interfaces have now. */
  async function current(scope: Scope): Promise<readonly InstanceRecord[]> {
    const [all, interfaces] = await Promise.all([
      records.list(allIn(scope)),
      state.records.networkInterfaces.list(allIn(scope)),
    ]);
    const publicIps = new Map(interfaces.map(({ value }) => [value.id, value.publicIp]));
    return all.map(({ value: { publicIp: _first, ...instance } }) => {
      const publicIp = publicIps.get(instance.networkInterfaceId);
      return { ...instance, ...(publicIp && { publicIp }) };
    });
  }

  async function changed(context: CallContext, before: readonly InstanceRecord[]) {
    return await Promise.all(
      before.map(async ({ id, state: previous }) => ({
        InstanceId: id,
        PreviousState: toState(previous),
        CurrentState: toState((await mustGet(records, context, 'instance', id)).value.state),
      })),
    );
  }

  return {
    async RunInstances(asked, context) {
      const input = await withTemplate(templates, context, asked);
      checkUserData(input.UserData, 'InvalidParameterValue');
      refuseUnbuilt(input);
      const request = await requestOf(state, context, input, profiles);
      if (request.roleArn)
        await context.authorize('iam:PassRole', request.roleArn, { 'iam:PassedToService': 'ec2.amazonaws.com' });
      const count = input.MaxCount ?? 1;
      if (count < 1 || (input.MinCount ?? 1) > count || count > MAX_INSTANCES)
        throw new AwsError(
          'InvalidParameterCombination',
          `MinCount and MaxCount must be between 1 and ${MAX_INSTANCES}, and MinCount not above MaxCount`,
        );
      const reservationId = newReservation(state.random);
      const groups = await groupsIn(context);
      const outputOf = (made: readonly InstanceRecord[]) => toReservations(made, groups)[0]!;
      const made = await instances.run(
        Array.from({ length: count }, (_, launchIndex) => ({ ...request.base, reservationId, launchIndex })),
        (planned) => context.remember(outputOf(planned)),
      );
      return outputOf(made);
    },

    async DescribeInstances(input, context) {
      const page = selectFrom(await current(context), {
        kind: 'instance',
        fields,
        selection: {
          ids: input.InstanceIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { Reservations: toReservations(page.items, await groupsIn(context)), NextToken: page.nextToken };
    },

    async DescribeInstanceStatus(input, context) {
      const page = await select(records, context, {
        kind: 'instance',
        fields,
        selection: {
          ids: input.InstanceIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      const shown = page.items.filter((record) => input.IncludeAllInstances || record.state === 'running');
      return { InstanceStatuses: shown.map(toInstanceStatus), NextToken: page.nextToken };
    },

    async TerminateInstances(input, context) {
      const before = await named(context, input.InstanceIds);
      const held = before.find(({ isTerminationProtected }) => isTerminationProtected);
      if (held)
        throw new AwsError(
          'OperationNotPermitted',
          `The instance '${held.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
        );
      for (const { id } of before) await instances.terminate(context, id, userRequest('Shutdown'));
      return { TerminatingInstances: await changed(context, before) };
    },

    async StopInstances(input, context) {
      const before = await named(context, input.InstanceIds);
      checkStates(before, ['pending', 'running', 'stopping', 'stopped'], 'stopped');
      for (const { id } of before) await instances.stop(context, id, userRequest('Shutdown'));
      return { StoppingInstances: await changed(context, before) };
    },

    async StartInstances(input, context) {
      const before = await named(context, input.InstanceIds);
      checkStates(before, ['pending', 'running', 'stopped'], 'started');
      for (const { id } of before) await instances.start(context, id);
      return { StartingInstances: await changed(context, before) };
    },

    async ModifyInstanceMetadataOptions(input, context) {
      const { id } = await mustGet(records, context, 'instance', input.InstanceId);
      const { value } = await records.update(id, (instance) => ({
        ...instance,
        metadataOptions: metadataOptions(input, instance.metadataOptions),
      }));
      return { InstanceId: value.id, InstanceMetadataOptions: toMetadataOptions(value.metadataOptions) };
    },

    DescribeInstanceTypes(input) {
      const rows = instanceTypes()
        .map((type) => ({ ...type, id: type.name, tags: {} }))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      const wanted: readonly string[] = input.InstanceTypes ?? [];
      const unknown = wanted.find((name) => !rows.some(({ id }) => id === name));
      if (unknown)
        throw new AwsError('InvalidInstanceType', `The following supplied instance types do not exist: [${unknown}]`);
      const filtered = applyFilters(
        rows.filter(({ id }) => !wanted.length || wanted.includes(id)),
        input.Filters,
        {
          'instance-type': ({ name }) => name,
          'processor-info.supported-architecture': ({ architecture }) => architecture,
          'vcpu-info.default-vcpus': ({ vcpus }) => vcpus,
          'memory-info.size-in-mib': ({ memoryMiB }) => memoryMiB,
          'burstable-performance-supported': ({ isBurstable }) => isBurstable,
          'current-generation': () => true,
          'bare-metal': () => false,
        },
      );
      const page = paginate(filtered, { maxResults: input.MaxResults, nextToken: input.NextToken });
      return { InstanceTypes: page.items.map(toTypeInfo), NextToken: page.nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}

/** What an instance here cannot have is refused, never accepted and ignored. */
function refuseUnbuilt(input: RunInstancesRequest): void {
  const unbuilt = unbuiltMember(input);
  if (unbuilt)
    throw new AwsError(
      'UnsupportedOperation',
      `${unbuilt} of RunInstances is not supported: an instance is an address and a share of the machine, without a system of its own.`,
      { status: 501 },
    );
}

async function requestOf(
  state: Ec2State,
  context: CallContext,
  input: RunInstancesRequest,
  profiles: InstanceProfiles,
): Promise<{ readonly base: InstanceRequest; readonly roleArn: string | undefined }> {
  const [card, ...more] = input.NetworkInterfaces ?? [];
  if (more.length || card?.NetworkInterfaceId)
    throw new AwsError('UnsupportedOperation', 'An instance has one interface, which is made with it', { status: 501 });
  const subnetId =
    card?.SubnetId ?? input.SubnetId ?? (await defaultSubnet(state, context, input.Placement?.AvailabilityZone));
  const profileName = input.IamInstanceProfile?.Arn ?? input.IamInstanceProfile?.Name;
  const profile = profileName === undefined ? undefined : profiles(context.account, profileName);
  if (profileName !== undefined && !profile)
    throw new AwsError(
      'InvalidParameterValue',
      `Value (${profileName}) for parameter iamInstanceProfile is invalid. Invalid IAM Instance Profile`,
    );
  return {
    roleArn: profile?.roleArn,
    base: {
      account: context.account,
      region: context.region,
      instanceType: input.InstanceType ?? DEFAULT_INSTANCE_TYPE,
      imageId: checkImage(input.ImageId),
      subnetId,
      securityGroupIds: card?.Groups ?? input.SecurityGroupIds,
      privateIp: card?.PrivateIpAddress ?? input.PrivateIpAddress,
      assignPublicIp: card?.AssociatePublicIpAddress,
      tags: tagsFor('instance', input.TagSpecifications),
      instanceProfile: profile && { arn: profile.arn, id: profile.id },
      metadataOptions: metadataOptions(input.MetadataOptions),
      isTerminationProtected: input.DisableApiTermination ?? false,
      isEbsOptimized: input.EbsOptimized ?? false,
      clientToken: input.ClientToken,
    },
  };
}

function checkStates(
  records: readonly InstanceRecord[],
  allowed: readonly InstanceRecord['state'][],
  what: string,
): void {
  const wrong = records.find(({ state }) => !allowed.includes(state));
  if (wrong)
    throw new AwsError(
      'IncorrectInstanceState',
      `The instance '${wrong.id}' is not in a state from which it can be ${what}.`,
    );
}
