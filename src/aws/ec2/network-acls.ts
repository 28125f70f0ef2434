import type { NetworkAcl } from '@aws-sdk/client-ec2';
import type { Subnet, Tags, Vpc } from '#network';
import type { Handlers } from '../service.ts';
import { selectFrom } from './describe.ts';
import type { FilterFields } from './filters.ts';
import { allIn, type Ec2State } from './scope.ts';

/** The ACL that a VPC is born with. It lets everything pass, as the fabric does, and others cannot be made: so it needs no record. */
interface DefaultAcl {
  readonly id: string;
  readonly tags: Tags;
  readonly vpc: Vpc;
  readonly subnets: readonly Subnet[];
}

const associationId = ({ id }: Subnet) => id.replace(/^subnet-/, 'aclassoc-');

const fields: FilterFields<DefaultAcl> = {
  'network-acl-id': ({ id }) => id,
  'vpc-id': ({ vpc }) => vpc.id,
  'owner-id': ({ vpc }) => vpc.tenant,
  default: () => true,
  'association.network-acl-id': ({ id }) => id,
  'association.association-id': ({ subnets }) => subnets.map(associationId),
  'association.subnet-id': ({ subnets }) => subnets.map(({ id }) => id),
  'entry.rule-number': () => ['100', '32767'],
  'entry.rule-action': () => ['allow', 'deny'],
  'entry.protocol': () => '-1',
  'entry.cidr': () => '0.0.0.0/0',
};

/** Amazon VPC User Guide, "Default network ACL for a VPC". */
const entries = [true, false].flatMap((Egress) => [
  { CidrBlock: '0.0.0.0/0', Egress, Protocol: '-1', RuleAction: 'allow' as const, RuleNumber: 100 },
  { CidrBlock: '0.0.0.0/0', Egress, Protocol: '-1', RuleAction: 'deny' as const, RuleNumber: 32_767 },
]);

function toAcl({ id, vpc, subnets }: DefaultAcl): NetworkAcl {
  return {
    NetworkAclId: id,
    VpcId: vpc.id,
    OwnerId: vpc.tenant,
    IsDefault: true,
    Entries: entries,
    Associations: subnets.map((subnet) => ({
      NetworkAclId: id,
      NetworkAclAssociationId: associationId(subnet),
      SubnetId: subnet.id,
    })),
    Tags: [],
  };
}

export function networkAclHandlers({ records }: Ec2State) {
  return {
    async DescribeNetworkAcls(input, context) {
      const [vpcs, subnets] = await Promise.all([
        records.vpcs.list(allIn(context)),
        records.subnets.list(allIn(context)),
      ]);
      const acls = vpcs.map(({ value: vpc }) => ({
        id: vpc.id.replace(/^vpc-/, 'acl-'),
        tags: {},
        vpc,
        subnets: subnets.map(({ value }) => value).filter(({ vpcId }) => vpcId === vpc.id),
      }));
      const page = selectFrom(acls, {
        kind: 'network-acl',
        fields,
        selection: {
          ids: input.NetworkAclIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { NetworkAcls: page.items.map(toAcl), NextToken: page.nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
