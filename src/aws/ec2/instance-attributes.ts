import type { ModifyInstanceAttributeRequest } from '@aws-sdk/client-ec2';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import type { Instances } from './instances.ts';
import { mustGet } from './kinds.ts';
import { keyIn, type Ec2State } from './scope.ts';
import type { Uses } from './uses.ts';

/** Attributes of instances, one at a time, as the API has them. */
export function instanceAttributeHandlers({ records, store }: Ec2State, instances: Instances, uses: Uses) {
  return {
    async DescribeInstanceAttribute(input, context) {
      const { value } = await mustGet(instances.records, context, 'instance', input.InstanceId);
      const InstanceId = value.id;
      const eni = (await records.networkInterfaces.get(keyIn(context, value.networkInterfaceId)))?.value;
      switch (input.Attribute) {
        case 'instanceType':
          return { InstanceId, InstanceType: { Value: value.instanceType } };
        case 'disableApiTermination':
          return { InstanceId, DisableApiTermination: { Value: value.isTerminationProtected } };
        case 'disableApiStop':
          return { InstanceId, DisableApiStop: { Value: false } };
        case 'instanceInitiatedShutdownBehavior':
          return { InstanceId, InstanceInitiatedShutdownBehavior: { Value: 'stop' } };
        case 'groupSet':
          return { InstanceId, Groups: (eni?.securityGroupIds ?? []).map((GroupId) => ({ GroupId })) };
        case 'sourceDestCheck':
          return { InstanceId, SourceDestCheck: { Value: eni?.sourceDestCheck ?? true } };
        case 'ebsOptimized':
          return { InstanceId, EbsOptimized: { Value: value.isEbsOptimized ?? false } };
        // An instance here has neither disks nor a system of its own that could be given data.
        case 'userData':
          return { InstanceId, UserData: {} };
        case 'blockDeviceMapping':
          return { InstanceId, BlockDeviceMappings: [] };
        default:
          throw new AwsError('InvalidParameterValue', `Value (${input.Attribute}) for parameter attribute is invalid.`);
      }
    },

    async ModifyInstanceAttribute(input, context) {
      refuseUnbuilt(input);
      const seen = await mustGet(instances.records, context, 'instance', input.InstanceId);
      const eni = await mustGet(records.networkInterfaces, context, 'network-interface', seen.value.networkInterfaceId);
      for (const id of input.Groups ?? []) {
        const group = await mustGet(records.securityGroups, context, 'security-group', id);
        if (group.value.vpcId !== seen.value.vpcId)
          throw new AwsError(
            'InvalidGroup.NotFound',
            `The security group '${id}' does not exist in VPC '${seen.value.vpcId}'`,
          );
      }
      const securityGroupIds = input.Groups?.length ? [...new Set(input.Groups)] : eni.value.securityGroupIds;
      const isTerminationProtected = input.DisableApiTermination?.Value ?? seen.value.isTerminationProtected;
      const sourceDestCheck = input.SourceDestCheck?.Value ?? eni.value.sourceDestCheck;
      const { succeeded } = await store.txn({
        compare: [
          instances.records.ifUnchanged(seen),
          records.networkInterfaces.ifUnchanged(eni),
          ...securityGroupIds.map((id) => records.securityGroups.ifPresent(keyIn(context, id))),
        ],
        success: [
          instances.records.put(seen.id, { ...seen.value, isTerminationProtected, securityGroupIds }),
          records.networkInterfaces.put(eni.id, { ...eni.value, securityGroupIds, sourceDestCheck }),
          ...securityGroupIds.map((id) => uses.touch(context, id)),
        ],
      });
      if (!succeeded) throw new AwsError('IncorrectState', `The instance ${seen.value.id} was changed meanwhile`);
      return {};
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}

const built: ReadonlySet<string> = new Set([
  'InstanceId',
  'DryRun',
  'DisableApiTermination',
  'Groups',
  'SourceDestCheck',
  'Attribute',
  'Value',
]);

/** `Attribute` and `Value` are the older way to name one member. */
function refuseUnbuilt(input: ModifyInstanceAttributeRequest): void {
  const [asked] = Object.entries(input).filter(([member, value]) => value !== undefined && !built.has(member));
  const member = asked?.[0] ?? input.Attribute;
  if (member)
    throw new AwsError('UnsupportedOperation', `The attribute ${member} of instances cannot be modified.`, {
      status: 501,
    });
}
