import type { CreateNetworkInterfaceRequest, RunInstancesRequest } from '@aws-sdk/client-ec2';
import { AwsError } from '../../errors.ts';
import type { CallContext } from '../../service.ts';
import { defaultGroups, defaultSubnet, findDefaultVpc, securityGroupsOf } from '../default-vpc.ts';
import { withTemplate, type LaunchTemplates } from '../launch-templates/launch-templates.ts';
import { allIn, type Ec2State, type Scope } from '../scope.ts';

interface ResolvingParts {
  readonly state: Ec2State;
  readonly templates: LaunchTemplates;
}

type Resolver = (parts: ResolvingParts, input: never, scope: Scope) => Promise<object>;

/**
 * The input with ids in the place of names, versions that move, and defaults: what permission is asked for is then what is done, whatever changes between. Throws the
 * API's own errors for what is not there.
 */
export async function resolveInput(
  parts: ResolvingParts,
  { operation, input }: { readonly operation: string; readonly input: object },
  context: CallContext,
): Promise<object> {
  // The operation says whose input it is.
  return (await resolvers[operation]?.(parts, input as never, context)) ?? input;
}

const ownTemplate: Resolver = async ({ templates }, input: NamedTemplate, scope) => {
  const { LaunchTemplateName: name, ...rest } = input;
  if (name === undefined || input.LaunchTemplateId !== undefined) return input;
  return { ...rest, LaunchTemplateId: (await templates.resolve(scope, { LaunchTemplateName: name })).id };
};

interface NamedTemplate {
  readonly LaunchTemplateId?: string;
  readonly LaunchTemplateName?: string;
}

/** A group named without its id is one of the default VPC. */
const ownGroup: Resolver = async ({ state }, input: NamedGroup, scope) => {
  const { GroupName: name, ...rest } = input;
  if (name === undefined || input.GroupId) return input;
  const vpc = await findDefaultVpc(state, scope);
  const groups = await securityGroupsOf(state, scope);
  const group = groups.find((one) => one.vpcId === vpc?.id && one.name === name);
  if (!group) throw new AwsError('InvalidGroup.NotFound', `The security group '${name}' does not exist in default VPC`);
  return { ...rest, GroupId: group.id };
};

interface NamedGroup {
  readonly GroupId?: string;
  readonly GroupName?: string;
}

/** An address named by itself or by what holds it, which has a say too when it is taken from there. */
const ownAddress: Resolver = async ({ state }, input: NamedAddress, scope) => {
  const { PublicIp: ip, ...rest } = input;
  const addresses = (await state.records.elasticIps.list(allIn(scope))).map(({ value }) => value);
  const address = addresses.find((one) =>
    input.AssociationId ? one.associationId === input.AssociationId : !input.AllocationId && one.ip === ip,
  );
  if (!address) {
    if (ip === undefined || input.AllocationId || input.AssociationId) return input;
    throw new AwsError('InvalidAddress.NotFound', `Address '${ip}' not found.`);
  }
  const { id, associationId, networkInterfaceId } = address;
  return {
    ...(networkInterfaceId && { NetworkInterfaceId: networkInterfaceId }),
    ...(associationId && { AssociationId: associationId }),
    ...rest,
    AllocationId: id,
  };
};

interface NamedAddress {
  readonly AllocationId?: string;
  readonly AssociationId?: string;
  readonly PublicIp?: string;
}

const ownAssociation: Resolver = async ({ state }, input: { readonly AssociationId?: string }, scope) => {
  for (const { value } of await state.records.routeTables.list(allIn(scope))) {
    const found = value.associations.find(({ id }) => id === input.AssociationId);
    if (found) return { ...input, RouteTableId: value.id, SubnetId: found.subnetId };
  }
  return input;
};

/** The table that an association is taken from has a say beside the one that it goes to. */
const replacedAssociation: Resolver = async ({ state }, input: { readonly AssociationId?: string }, scope) => {
  const { AssociationId: id } = input;
  const tables = await state.records.routeTables.list(allIn(scope));
  const from = tables.find(
    ({ value }) => value.mainAssociationId === id || value.associations.some((one) => one.id === id),
  );
  if (!from) return input;
  const SubnetId = from.value.associations.find((one) => one.id === id)?.subnetId;
  return { ...input, ReplacedRouteTableId: from.value.id, ...(SubnetId && { SubnetId }) };
};

const intoDefaultVpc: Resolver = async ({ state }, input: { readonly VpcId?: string }, scope) => {
  if (input.VpcId) return input;
  const vpc = await findDefaultVpc(state, scope);
  return vpc ? { ...input, VpcId: vpc.id } : input;
};

/** An interface without groups has its VPC's default group. */
const intoDefaultGroup: Resolver = async ({ state }, input: CreateNetworkInterfaceRequest, scope) => {
  if (input.SubnetId === undefined || input.Groups?.length) return input;
  const Groups = await defaultGroups(state, scope, input.SubnetId);
  return Groups.length ? { ...input, Groups } : input;
};

/** The version of its template by number; the subnet and the group of interfaces for which neither names one. */
const instances: Resolver = async ({ state, templates }, input: RunInstancesRequest, scope) => {
  const pinned = input.LaunchTemplate ? { ...input, LaunchTemplate: await pin(templates, scope, input) } : input;
  const merged = await withTemplate(templates, scope, pinned);
  const place = async (card: Place): Promise<{ SubnetId: string; Groups: readonly string[] }> => {
    const SubnetId = card.SubnetId ?? (await defaultSubnet(state, scope, merged.Placement?.AvailabilityZone));
    return { SubnetId, Groups: card.Groups?.length ? card.Groups : await defaultGroups(state, scope, SubnetId) };
  };
  const own = { SubnetId: merged.SubnetId, Groups: merged.SecurityGroupIds };
  const cards = merged.NetworkInterfaces ?? [];
  if (!cards.length) {
    const { SubnetId, Groups } = await place(own);
    return withDefaults(pinned, {
      ...(own.SubnetId === undefined && { SubnetId }),
      ...(!own.Groups?.length && { SecurityGroupIds: Groups }),
    });
  }
  if (cards.every((card) => card.NetworkInterfaceId ?? (card.SubnetId && card.Groups?.length))) return pinned;
  const placed = cards.map(async (card) =>
    card.NetworkInterfaceId
      ? card
      : {
          ...card,
          ...(await place({
            SubnetId: card.SubnetId ?? own.SubnetId,
            Groups: card.Groups?.length ? card.Groups : own.Groups,
          })),
        },
  );
  return withDefaults(pinned, { NetworkInterfaces: await Promise.all(placed) });
};

/** A call with everything in its place that it left to its template or to a default. */
export interface ResolvedRun extends RunInstancesRequest {
  /** The members that the call itself did not have. */
  readonly LeftMembers?: readonly string[];
}

function withDefaults(input: RunInstancesRequest, defaults: object): ResolvedRun {
  const LeftMembers = Object.keys(defaults).filter(
    (member) => input[member as keyof RunInstancesRequest] === undefined,
  );
  return { ...input, ...defaults, LeftMembers };
}

interface Place {
  readonly SubnetId: string | undefined;
  readonly Groups: readonly string[] | undefined;
}

async function pin(templates: LaunchTemplates, scope: Scope, { LaunchTemplate }: RunInstancesRequest) {
  const { id, version } = await templates.resolve(scope, LaunchTemplate!);
  return { LaunchTemplateId: id, Version: String(version) };
}

const resolvers: { readonly [operation: string]: Resolver } = {
  AssociateAddress: ownAddress,
  AuthorizeSecurityGroupEgress: ownGroup,
  AuthorizeSecurityGroupIngress: ownGroup,
  CreateLaunchTemplateVersion: ownTemplate,
  CreateNetworkInterface: intoDefaultGroup,
  CreateSecurityGroup: intoDefaultVpc,
  DeleteLaunchTemplate: ownTemplate,
  DeleteLaunchTemplateVersions: ownTemplate,
  DeleteSecurityGroup: ownGroup,
  DisassociateAddress: ownAddress,
  DisassociateRouteTable: ownAssociation,
  ModifyLaunchTemplate: ownTemplate,
  ReleaseAddress: ownAddress,
  RevokeSecurityGroupEgress: ownGroup,
  RevokeSecurityGroupIngress: ownGroup,
  ReplaceRouteTableAssociation: replacedAssociation,
  RunInstances: instances,
  UpdateSecurityGroupRuleDescriptionsEgress: ownGroup,
  UpdateSecurityGroupRuleDescriptionsIngress: ownGroup,
};
