import type { Vpc as ApiVpc } from '@aws-sdk/client-ec2';
import type { Vpc } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { blockOf, cidrOf } from './cidr.ts';
import { DEFAULT_VPC_CIDR, defaultSecurityGroup, findDefaultVpc, mainRouteTable } from './default-vpc.ts';
import { select } from './describe.ts';
import type { FilterFields } from './filters.ts';
import { mustGet } from './kinds.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { tagsFor, toTags } from './tags.ts';
import type { Uses } from './uses.ts';

const fields: FilterFields<Vpc> = {
  'vpc-id': (vpc) => vpc.id,
  cidr: (vpc) => vpc.cidr,
  'cidr-block': (vpc) => vpc.cidr,
  cidrBlock: (vpc) => vpc.cidr,
  'cidr-block-association.cidr-block': (vpc) => vpc.cidr,
  'cidr-block-association.association-id': (vpc) => associationId(vpc),
  'cidr-block-association.state': () => 'associated',
  isDefault: (vpc) => vpc.isDefault,
  'is-default': (vpc) => vpc.isDefault,
  'owner-id': (vpc) => vpc.tenant,
  'dhcp-options-id': () => 'default',
  state: () => 'available',
};

function associationId({ id }: Vpc): string {
  return id.replace(/^vpc-/, 'vpc-cidr-assoc-');
}

function toVpc(vpc: Vpc): ApiVpc {
  return {
    VpcId: vpc.id,
    OwnerId: vpc.tenant,
    State: 'available',
    CidrBlock: vpc.cidr,
    CidrBlockAssociationSet: [
      { AssociationId: associationId(vpc), CidrBlock: vpc.cidr, CidrBlockState: { State: 'associated' } },
    ],
    Ipv6CidrBlockAssociationSet: [],
    DhcpOptionsId: 'default',
    InstanceTenancy: 'default',
    IsDefault: vpc.isDefault,
    Tags: toTags(vpc.tags),
  };
}

export function vpcHandlers(state: Ec2State, uses: Uses) {
  const { records, random, clock, store } = state;

  async function create(scope: Scope, vpc: Vpc): Promise<void> {
    const routeTable = mainRouteTable(state, scope, vpc);
    const group = defaultSecurityGroup(state, scope, vpc.id);
    await store.txn({
      success: [
        records.vpcs.put(keyIn(scope, vpc.id), vpc),
        records.routeTables.put(keyIn(scope, routeTable.id), routeTable),
        records.securityGroups.put(keyIn(scope, group.id), group),
      ],
    });
  }

  /** The records a VPC was born with, which go with it, and whether it has others, which forbid that. */
  async function contents(scope: Scope, vpcId: string) {
    const prefix = allIn(scope);
    const [subnets, tables, groups, gateways] = await Promise.all([
      records.subnets.list(prefix),
      records.routeTables.list(prefix),
      records.securityGroups.list(prefix),
      records.internetGateways.list(prefix),
    ]);
    const inVpc = ({ value }: { readonly value: { readonly vpcId?: string } }) => value.vpcId === vpcId;
    const ownTables = tables.filter(inVpc);
    const ownGroups = groups.filter(inVpc);
    return {
      born: [
        ...ownTables.map((table) => records.routeTables.remove(table.id)),
        ...ownGroups.map((group) => records.securityGroups.remove(group.id)),
      ],
      isInUse:
        subnets.some(inVpc) ||
        gateways.some(inVpc) ||
        ownTables.some(({ value }) => !value.isMain) ||
        ownGroups.some(({ value }) => value.name !== 'default'),
    };
  }

  return {
    async CreateVpc(input, context) {
      if (input.AmazonProvidedIpv6CidrBlock || input.Ipv6CidrBlock)
        throw new AwsError('UnsupportedOperation', 'IPv6 is not supported', { status: 501 });
      const { prefixLength } = blockOf('cidrBlock', input.CidrBlock);
      if (prefixLength < 16 || prefixLength > 28)
        throw new AwsError('InvalidVpc.Range', `The CIDR '${input.CidrBlock}' is invalid.`);
      const vpc: Vpc = {
        id: newId(random, 'vpc'),
        tenant: context.account,
        region: context.region,
        tags: tagsFor('vpc', input.TagSpecifications),
        createdAt: clock.now(),
        cidr: cidrOf('cidrBlock', input.CidrBlock),
        isDefault: false,
        enableDnsSupport: true,
        enableDnsHostnames: false,
      };
      await create(context, vpc);
      return { Vpc: { ...toVpc(vpc), State: 'pending' } };
    },

    async CreateDefaultVpc(_input, context) {
      const existing = await findDefaultVpc(state, context);
      if (existing)
        throw new AwsError('DefaultVpcAlreadyExists', `A Default VPC already exists for this account in this region.`);
      throw new AwsError(
        'UnsupportedOperation',
        `The default VPC ${DEFAULT_VPC_CIDR} was deleted; making it anew is not supported`,
        { status: 501 },
      );
    },

    async DescribeVpcs(input, context) {
      const page = await select(records.vpcs, context, {
        kind: 'vpc',
        fields,
        selection: {
          ids: input.VpcIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { Vpcs: page.items.map(toVpc), NextToken: page.nextToken };
    },

    async DeleteVpc(input, context) {
      const vpc = await mustGet(records.vpcs, context, 'vpc', input.VpcId);
      let born: Awaited<ReturnType<typeof contents>>['born'] = [];
      await uses.remove(
        context,
        { id: vpc.value.id, refusal: `The vpc '${vpc.value.id}' has dependencies and cannot be deleted.` },
        async () => {
          const found = await contents(context, vpc.value.id);
          born = found.born;
          return found.isInUse;
        },
        () => ({ success: [records.vpcs.remove(vpc.id), ...born] }),
      );
      return {};
    },

    async ModifyVpcAttribute(input, context) {
      await mustGet(records.vpcs, context, 'vpc', input.VpcId);
      await records.vpcs.update(keyIn(context, input.VpcId!), (vpc) => ({
        ...vpc,
        enableDnsSupport: input.EnableDnsSupport?.Value ?? vpc.enableDnsSupport,
        enableDnsHostnames: input.EnableDnsHostnames?.Value ?? vpc.enableDnsHostnames,
      }));
      return {};
    },

    async DescribeVpcAttribute(input, context) {
      const { value } = await mustGet(records.vpcs, context, 'vpc', input.VpcId);
      switch (input.Attribute) {
        case 'enableDnsSupport':
          return { VpcId: value.id, EnableDnsSupport: { Value: value.enableDnsSupport } };
        case 'enableDnsHostnames':
          return { VpcId: value.id, EnableDnsHostnames: { Value: value.enableDnsHostnames } };
        case 'enableNetworkAddressUsageMetrics':
          return { VpcId: value.id, EnableNetworkAddressUsageMetrics: { Value: false } };
        case undefined:
        default:
          throw new AwsError('InvalidParameterValue', `Value (${input.Attribute}) for parameter attribute is invalid.`);
      }
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
