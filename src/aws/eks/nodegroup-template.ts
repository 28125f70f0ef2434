/** Launch templates of node groups: Amazon EKS User Guide, "Customize managed nodes with launch templates". */
import type { LaunchTemplateSpecification } from '@aws-sdk/client-eks';
import { AwsError } from '../errors.ts';
import { findInstanceType, lightImageId, metadataOptions, unbuiltMember } from '../ec2/index.ts';
import { invalidParameter, notSupported, type Scope } from './names.ts';
import { nodeMetadataOptions } from './nodes/metadata-options.ts';
import type { NodegroupTemplate } from './records.ts';
import type { EksState } from './state.ts';

/** What the template says of nodes, as of now. Throws for what there is not, what node groups do not take, and what nodes here cannot have. */
export async function nodegroupTemplate(
  state: Pick<EksState, 'launchTemplates' | 'network'>,
  scope: Scope,
  named: LaunchTemplateSpecification,
): Promise<NodegroupTemplate> {
  const { id, name, version, data } = await asParameters(() =>
    state.launchTemplates.resolve(scope, {
      LaunchTemplateId: named.id,
      LaunchTemplateName: named.name,
      Version: named.version,
    }),
  );
  const lacking = unbuiltMember(data);
  if (lacking) throw notSupported(`${lacking} of the launch template ${name}`);
  if (data.ImageId && data.ImageId !== lightImageId)
    throw notSupported(`The image ${data.ImageId} of the launch template ${name}`);
  if (data.IamInstanceProfile)
    throw invalidParameter(
      `Launch template ${id} should not specify an instance profile. The noderole in your request will be used to construct an instance profile.`,
    );
  const [card, ...more] = data.NetworkInterfaces ?? [];
  if (more.length) throw notSupported(`More than one network interface of the launch template ${name}`);
  if (card?.SubnetId)
    throw invalidParameter(`Launch template ${id} should not specify a subnet in its network interfaces.`);
  if (data.InstanceType && !findInstanceType(data.InstanceType))
    throw invalidParameter(`The following supplied instance types do not exist: [${data.InstanceType}]`);
  const securityGroupIds = card?.Groups ?? data.SecurityGroupIds ?? [];
  await asParameters(() => state.network.securityGroups(scope, securityGroupIds));
  const tags = (data.TagSpecifications ?? []).flatMap(({ ResourceType, Tags }) =>
    ResourceType === 'instance' ? (Tags ?? []) : [],
  );
  return {
    id,
    name,
    version,
    ...(data.InstanceType && { instanceType: data.InstanceType }),
    securityGroupIds,
    tags: Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value])),
    ...(card?.AssociatePublicIpAddress !== undefined && { assignsPublicIp: card.AssociatePublicIpAddress }),
    metadataOptions: metadataOptions(data.MetadataOptions, nodeMetadataOptions),
  };
}

async function asParameters<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw invalidParameter(`${error.message} (Service: Ec2, Code: ${error.code})`);
  }
}
