import { kinds, type ResourceKind } from '../kinds.ts';

/** What permission is asked for beside the kinds that have records here. */
export type AskedKind = ResourceKind | 'image' | 'key-pair' | 'volume' | 'snapshot' | 'placement-group';

/** One resource of a call; an id of `*` is one that the call makes, which has none yet. */
export interface Asked {
  readonly kind: AskedKind;
  readonly id: string;
}

/** Members of inputs that name resources, as far as the rows below read them. */
export interface NamingInput {
  readonly VpcId?: string;
  readonly SubnetId?: string;
  readonly GroupId?: string;
  readonly Groups?: readonly string[];
  readonly NetworkInterfaceId?: string;
  readonly InternetGatewayId?: string;
  readonly RouteTableId?: string;
  readonly ReplacedRouteTableId?: string;
  readonly GatewayId?: string;
  readonly NatGatewayId?: string;
  readonly AllocationId?: string;
  readonly InstanceId?: string;
  readonly InstanceIds?: readonly string[];
  readonly LaunchTemplateId?: string;
  readonly Resources?: readonly string[];
  readonly TagSpecifications?: readonly unknown[];
}

export function made(kind: AskedKind): Asked {
  return { kind, id: '*' };
}

/** The resource that a member names, if it was given. */
export function named(kind: AskedKind, id: unknown): readonly Asked[] {
  return typeof id === 'string' && id !== '' ? [{ kind, id }] : [];
}

const each = (kind: AskedKind, ids: readonly string[] | undefined) => (ids ?? []).flatMap((id) => named(kind, id));

type Row = (input: NamingInput) => readonly Asked[];

const ownVpc: Row = ({ VpcId }) => named('vpc', VpcId);
const ownSubnet: Row = ({ SubnetId }) => named('subnet', SubnetId);
const ownGroup: Row = ({ GroupId }) => named('security-group', GroupId);
const ownRouteTable: Row = ({ RouteTableId }) => named('route-table', RouteTableId);
const ownTemplate: Row = ({ LaunchTemplateId }) => named('launch-template', LaunchTemplateId);
const ownInstances: Row = ({ InstanceIds }) => each('instance', InstanceIds);
const gatewayAndVpc: Row = (input) => [...named('internet-gateway', input.InternetGatewayId), ...ownVpc(input)];
const tableAndEnd: Row = (input) => [
  ...ownRouteTable(input),
  ...ownSubnet(input),
  ...named('internet-gateway', input.GatewayId),
];
const addressAndHolder: Row = (input) => [
  ...named('elastic-ip', input.AllocationId),
  ...named('network-interface', input.NetworkInterfaceId),
  ...named('instance', input.InstanceId),
];
// Rules that another group's members match ask for no permission on that group.
const groupAndRules: Row = (input) => [
  ...ownGroup(input),
  ...(input.TagSpecifications?.length ? [made('security-group-rule')] : []),
];
const tagged: Row = ({ Resources }) =>
  (Resources ?? []).flatMap((id) => {
    const kind = (Object.keys(kinds) as ResourceKind[]).find((name) => id.startsWith(`${kinds[name].prefix}-`));
    return kind ? [{ kind, id }] : [];
  });

/**
 * The resources that each action asks permission for: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2". `RunInstances` has a
 * file of its own. An action without a row, as those that only read, asks for `*`.
 */
export const resourceRows: { readonly [operation: string]: Row } = {
  AllocateAddress: () => [made('elastic-ip')],
  AssociateAddress: addressAndHolder,
  AssociateRouteTable: tableAndEnd,
  AttachInternetGateway: gatewayAndVpc,
  AuthorizeSecurityGroupEgress: groupAndRules,
  AuthorizeSecurityGroupIngress: groupAndRules,
  CreateDefaultVpc: () => [],
  CreateInternetGateway: () => [made('internet-gateway')],
  CreateLaunchTemplate: () => [made('launch-template')],
  CreateLaunchTemplateVersion: ownTemplate,
  CreateNatGateway: (input) => [made('natgateway'), ...ownSubnet(input), ...named('elastic-ip', input.AllocationId)],
  CreateNetworkInterface: (input) => [
    made('network-interface'),
    ...ownSubnet(input),
    ...each('security-group', input.Groups),
  ],
  CreateRoute: ownRouteTable,
  CreateRouteTable: (input) => [made('route-table'), ...ownVpc(input)],
  CreateSecurityGroup: (input) => [made('security-group'), ...ownVpc(input)],
  CreateSubnet: (input) => [made('subnet'), ...ownVpc(input)],
  CreateTags: tagged,
  CreateVpc: () => [made('vpc')],
  DeleteInternetGateway: ({ InternetGatewayId }) => named('internet-gateway', InternetGatewayId),
  DeleteLaunchTemplate: ownTemplate,
  DeleteLaunchTemplateVersions: ownTemplate,
  DeleteNatGateway: ({ NatGatewayId }) => named('natgateway', NatGatewayId),
  DeleteNetworkInterface: ({ NetworkInterfaceId }) => named('network-interface', NetworkInterfaceId),
  DeleteRoute: ownRouteTable,
  DeleteRouteTable: ownRouteTable,
  DeleteSecurityGroup: ownGroup,
  DeleteSubnet: ownSubnet,
  DeleteTags: tagged,
  DeleteVpc: ownVpc,
  DetachInternetGateway: gatewayAndVpc,
  DisassociateAddress: addressAndHolder,
  DisassociateRouteTable: tableAndEnd,
  ModifyInstanceAttribute: (input) => [...named('instance', input.InstanceId), ...each('security-group', input.Groups)],
  ModifyInstanceMetadataOptions: ({ InstanceId }) => named('instance', InstanceId),
  ModifyLaunchTemplate: ownTemplate,
  ModifyNetworkInterfaceAttribute: (input) => [
    ...named('network-interface', input.NetworkInterfaceId),
    ...each('security-group', input.Groups),
  ],
  ModifySecurityGroupRules: ownGroup,
  ModifySubnetAttribute: ownSubnet,
  ModifyVpcAttribute: ownVpc,
  ReleaseAddress: ({ AllocationId }) => named('elastic-ip', AllocationId),
  ReplaceRoute: ownRouteTable,
  ReplaceRouteTableAssociation: (input) => [...tableAndEnd(input), ...named('route-table', input.ReplacedRouteTableId)],
  RevokeSecurityGroupEgress: groupAndRules,
  RevokeSecurityGroupIngress: groupAndRules,
  StartInstances: ownInstances,
  StopInstances: ownInstances,
  TerminateInstances: ownInstances,
  UpdateSecurityGroupRuleDescriptionsEgress: ownGroup,
  UpdateSecurityGroupRuleDescriptionsIngress: ownGroup,
};
