import type { InstanceNetworkInterfaceSpecification, RunInstancesRequest } from '@aws-sdk/client-ec2';
import { AwsError } from '../../errors.ts';
import type { CallContext, ConditionContext } from '../../service.ts';
import { DEFAULT_INSTANCE_TYPE } from '../instance-types.ts';
import { metadataOptions, toMetadataOptions } from '../metadata/options.ts';
import { withTemplate } from '../launch-templates/launch-templates.ts';
import { arnOf } from './conditions.ts';
import type { AskedResource, PermissionParts } from './permissions.ts';
import type { ResolvedRun } from './resolve.ts';
import { made, named } from './resources.ts';

/**
 * Every resource that instances are made from, in the call or in its launch template, and those that are made: Amazon EC2 User Guide, "Example policies: launch
 * instances". The input is the resolved one.
 */
export async function runInstancesResources(
  parts: PermissionParts,
  input: ResolvedRun,
  context: CallContext,
): Promise<{ readonly resources: readonly AskedResource[]; readonly merged: RunInstancesRequest }> {
  const merged = await mergedWith(parts, input, context);
  const launch = launchConditions(input, context);
  const cards = merged.NetworkInterfaces?.length ? merged.NetworkInterfaces : [cardOf(merged)];
  const places = await Promise.all(cards.map(async (card) => await placeOf(parts, card, context)));
  const zone = places[0]?.['ec2:AvailabilityZone'] ?? merged.Placement?.AvailabilityZone;
  const resources: AskedResource[] = [
    ...named('image', merged.ImageId).map((image) => ({ ...image, conditions: ofImage })),
    { ...made('instance'), conditions: { ...ofInstance(parts, merged, context), 'ec2:AvailabilityZone': zone } },
    ...cards.flatMap((card, index) => cardResources(card, places[index]!)),
    ...named('key-pair', merged.KeyName),
    ...(merged.BlockDeviceMappings ?? []).flatMap(({ Ebs }) =>
      Ebs ? [made('volume'), ...named('snapshot', Ebs.SnapshotId)] : [],
    ),
    ...named('placement-group', merged.Placement?.GroupName),
    ...named('launch-template', input.LaunchTemplate?.LaunchTemplateId),
  ];
  return {
    merged,
    resources: resources.map((one) => ({ ...one, conditions: { ...one.conditions, ...launch(one.kind) } })),
  };
}

/** The handler says what is wrong with a template that cannot be read. */
async function mergedWith({ templates }: PermissionParts, input: RunInstancesRequest, context: CallContext) {
  try {
    return await withTemplate(templates, context, input);
  } catch (error) {
    if (error instanceof AwsError) return input;
    throw error;
  }
}

type Card = Pick<
  InstanceNetworkInterfaceSpecification,
  'NetworkInterfaceId' | 'SubnetId' | 'Groups' | 'AssociatePublicIpAddress'
>;

/** The interface of an instance that names none. */
function cardOf({ SubnetId, SecurityGroupIds }: RunInstancesRequest): Card {
  return { SubnetId, Groups: SecurityGroupIds };
}

/** Where an interface will be. */
async function placeOf({ conditions }: PermissionParts, card: Card, context: CallContext): Promise<ConditionContext> {
  if (!card.SubnetId) return {};
  const { 'ec2:Vpc': vpc, 'ec2:AvailabilityZone': zone } = await conditions(context, 'subnet', card.SubnetId);
  return {
    'ec2:Subnet': arnOf(context, 'subnet', card.SubnetId),
    'ec2:Vpc': vpc,
    'ec2:AvailabilityZone': zone,
  };
}

function cardResources(card: Card, place: ConditionContext): AskedResource[] {
  const [existing] = named('network-interface', card.NetworkInterfaceId);
  const conditions = { ...place, 'ec2:AssociatePublicIpAddress': card.AssociatePublicIpAddress };
  return [
    existing ?? { ...made('network-interface'), conditions },
    ...named('subnet', card.SubnetId),
    ...(card.Groups ?? []).flatMap((id) => named('security-group', id)),
  ];
}

const ofImage: ConditionContext = {
  'ec2:ImageType': 'machine',
  'ec2:Owner': 'amazon',
  'ec2:Public': true,
  'ec2:RootDeviceType': 'instance-store',
};

function ofInstance(
  { profiles }: PermissionParts,
  merged: RunInstancesRequest,
  { account }: CallContext,
): ConditionContext {
  const metadata = readMetadata(merged);
  const profile = merged.IamInstanceProfile?.Arn ?? merged.IamInstanceProfile?.Name;
  return {
    'ec2:InstanceType': merged.InstanceType ?? DEFAULT_INSTANCE_TYPE,
    'ec2:InstanceProfile': profile === undefined ? undefined : profiles(account, profile)?.arn,
    'ec2:InstanceMarketType': 'on-demand',
    'ec2:EbsOptimized': merged.EbsOptimized ?? false,
    'ec2:RootDeviceType': 'instance-store',
    'ec2:Tenancy': merged.Placement?.Tenancy ?? 'default',
    'ec2:MetadataHttpEndpoint': metadata?.HttpEndpoint,
    'ec2:MetadataHttpTokens': metadata?.HttpTokens,
    'ec2:MetadataHttpPutResponseHopLimit': metadata?.HttpPutResponseHopLimit,
  };
}

function readMetadata({ MetadataOptions }: RunInstancesRequest) {
  try {
    return toMetadataOptions(metadataOptions(MetadataOptions));
  } catch (error) {
    // The handler refuses it.
    if (error instanceof AwsError) return undefined;
    throw error;
  }
}

/** Members of a call that say what a resource of the kind is, in the place of its template. */
const overrides: { readonly [kind: string]: readonly (keyof RunInstancesRequest)[] } = {
  image: ['ImageId'],
  instance: ['InstanceType', 'IamInstanceProfile', 'MetadataOptions', 'UserData', 'Placement', 'TagSpecifications'],
  subnet: ['SubnetId', 'NetworkInterfaces'],
  'security-group': ['SecurityGroupIds', 'NetworkInterfaces'],
  'network-interface': ['NetworkInterfaces'],
  'key-pair': ['KeyName'],
  volume: ['BlockDeviceMappings'],
  snapshot: ['BlockDeviceMappings'],
};

/**
 * `ec2:LaunchTemplate` and `ec2:IsLaunchTemplateResource`, which is false for what the call says over its template: Amazon EC2 User Guide, "Use launch templates to
 * control launching instances". What both leave to a default is not overridden.
 */
function launchConditions(input: ResolvedRun, context: CallContext): (kind: string) => ConditionContext {
  const id = input.LaunchTemplate?.LaunchTemplateId;
  if (id === undefined) return () => ({});
  const isSaid = (member: keyof RunInstancesRequest) =>
    input[member] !== undefined && !input.LeftMembers?.includes(member);
  return (kind) => ({
    'ec2:LaunchTemplate': arnOf(context, 'launch-template', id),
    'ec2:IsLaunchTemplateResource': !(overrides[kind] ?? []).some(isSaid),
  });
}
