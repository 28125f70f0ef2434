import type { SecurityGroup as ApiGroup } from '@aws-sdk/client-ec2';
import type { SecurityGroup } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { findDefaultVpc } from './default-vpc.ts';
import { select, selectFrom } from './describe.ts';
import type { FilterFields } from './filters.ts';
import { mustGet, notFound } from './kinds.ts';
import { allIn, ec2Arn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { openEgress, ruleRows, toPermissions, toRule, type RuleRow } from './security-group-rules.ts';
import { tagsFor, toTags } from './tags.ts';
import type { Uses } from './uses.ts';

const fields: FilterFields<SecurityGroup> = {
  'group-id': (group) => group.id,
  'group-name': (group) => group.name,
  'vpc-id': (group) => group.vpcId,
  'owner-id': (group) => group.tenant,
  description: (group) => group.description,
  'ip-permission.protocol': (group) => group.ingress.map(({ protocol }) => protocol),
  'ip-permission.from-port': (group) => group.ingress.map(({ fromPort }) => fromPort),
  'ip-permission.to-port': (group) => group.ingress.map(({ toPort }) => toPort),
  'ip-permission.cidr': (group) => peers(group.ingress, 'cidr'),
  'ip-permission.group-id': (group) => peers(group.ingress, 'group'),
  'egress.ip-permission.protocol': (group) => group.egress.map(({ protocol }) => protocol),
  'egress.ip-permission.from-port': (group) => group.egress.map(({ fromPort }) => fromPort),
  'egress.ip-permission.to-port': (group) => group.egress.map(({ toPort }) => toPort),
  'egress.ip-permission.cidr': (group) => peers(group.egress, 'cidr'),
  'egress.ip-permission.group-id': (group) => peers(group.egress, 'group'),
};

const ruleFields: FilterFields<RuleRow> = {
  'group-id': (row) => row.group.id,
  'security-group-rule-id': (row) => row.id,
};

function peers(rules: SecurityGroup['ingress'], kind: 'cidr' | 'group'): string[] {
  return rules.flatMap(({ peer }) => (peer.kind !== kind ? [] : peer.kind === 'cidr' ? [peer.cidr] : [peer.groupId]));
}

export function groupArn(group: SecurityGroup): string {
  return ec2Arn({ account: group.tenant, region: group.region }, 'security-group', group.id);
}

function toGroup(group: SecurityGroup): ApiGroup {
  return {
    GroupId: group.id,
    SecurityGroupArn: groupArn(group),
    GroupName: group.name,
    Description: group.description,
    OwnerId: group.tenant,
    VpcId: group.vpcId,
    IpPermissions: toPermissions(group.ingress, group.tenant),
    IpPermissionsEgress: toPermissions(group.egress, group.tenant),
    Tags: toTags(group.tags),
  };
}

/** What the API allows in names and descriptions of groups in a VPC. */
const TEXT = /^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]{1,255}$/;

function checkText(parameter: string, text: string | undefined): string {
  if (!text) throw new AwsError('MissingParameter', `The request must contain the parameter ${parameter}`);
  if (!TEXT.test(text))
    throw new AwsError(
      'InvalidParameterValue',
      `Value (${text}) for parameter ${parameter} is invalid. Character sets beyond ASCII are not supported.`,
    );
  return text;
}

export function securityGroupHandlers(state: Ec2State, uses: Uses) {
  const { records, random, clock } = state;

  async function isUsed(scope: Scope, groupId: string): Promise<boolean> {
    const [interfaces, groups] = await Promise.all([
      records.networkInterfaces.list(allIn(scope)),
      records.securityGroups.list(allIn(scope)),
    ]);
    return (
      interfaces.some(({ value }) => value.securityGroupIds.includes(groupId)) ||
      groups.some(
        ({ value }) =>
          value.id !== groupId &&
          [...value.ingress, ...value.egress].some(({ peer }) => peer.kind === 'group' && peer.groupId === groupId),
      )
    );
  }

  return {
    async CreateSecurityGroup(input, context) {
      const name = checkText('GroupName', input.GroupName);
      const description = checkText('GroupDescription', input.Description);
      if (name.startsWith('sg-'))
        throw new AwsError(
          'InvalidParameterValue',
          `Value (${name}) for parameter GroupName is invalid. A group name may not begin with "sg-".`,
        );
      const vpcId = input.VpcId ?? (await findDefaultVpc(state, context))?.id;
      if (!vpcId) throw new AwsError('VPCIdNotSpecified', 'No default VPC for this user');
      const vpc = await mustGet(records.vpcs, context, 'vpc', vpcId);
      const group: SecurityGroup = {
        id: newId(random, 'sg'),
        tenant: context.account,
        region: context.region,
        tags: tagsFor('security-group', input.TagSpecifications),
        createdAt: clock.now(),
        vpcId,
        name,
        description,
        ingress: [],
        egress: [openEgress(random)],
      };
      await uses.add(context, vpcId, async () => {
        const groups = await records.securityGroups.list(allIn(context));
        if (groups.some(({ value }) => value.vpcId === vpcId && value.name === name))
          throw new AwsError(
            'InvalidGroup.Duplicate',
            `The security group '${name}' already exists for VPC '${vpcId}'`,
          );
        return {
          compare: [records.vpcs.ifPresent(vpc.id)],
          success: [records.securityGroups.put(keyIn(context, group.id), group)],
        };
      });
      return { GroupId: group.id, SecurityGroupArn: groupArn(group), Tags: toTags(group.tags) };
    },

    async DescribeSecurityGroups(input, context) {
      const named = (input.GroupNames ?? []).length ? [{ Name: 'group-name', Values: input.GroupNames }] : [];
      const page = await select(records.securityGroups, context, {
        kind: 'security-group',
        fields,
        selection: {
          ids: input.GroupIds,
          filters: [...(input.Filters ?? []), ...named],
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      for (const name of input.GroupNames ?? [])
        if (!page.items.some((group) => group.name === name))
          throw new AwsError('InvalidGroup.NotFound', `The security group '${name}' does not exist in default VPC`);
      return { SecurityGroups: page.items.map(toGroup), NextToken: page.nextToken };
    },

    async GetSecurityGroupsForVpc(input, context) {
      const vpc = await mustGet(records.vpcs, context, 'vpc', input.VpcId);
      const all = (await records.securityGroups.list(allIn(context))).map(({ value }) => value);
      const { items, nextToken } = selectFrom(
        all.filter(({ vpcId }) => vpcId === vpc.value.id),
        {
          kind: 'security-group',
          fields,
          selection: { filters: input.Filters, maxResults: input.MaxResults, nextToken: input.NextToken },
        },
      );
      const SecurityGroupForVpcs = items.map((group) => ({
        GroupId: group.id,
        GroupName: group.name,
        Description: group.description,
        OwnerId: group.tenant,
        PrimaryVpcId: group.vpcId,
        Tags: toTags(group.tags),
      }));
      return { SecurityGroupForVpcs, NextToken: nextToken };
    },

    async DeleteSecurityGroup(input, context) {
      const groups = (await records.securityGroups.list(allIn(context))).map((seen) => seen);
      const group = groups.find(({ value }) =>
        input.GroupId ? value.id === input.GroupId : value.name === input.GroupName,
      );
      if (!group) throw notFound('security-group', input.GroupId ?? `sg-${input.GroupName}`);
      if (group.value.name === 'default')
        throw new AwsError(
          'CannotDelete',
          `the specified group: "${group.value.id}" name: "default" cannot be deleted by a user`,
        );
      await uses.remove(
        context,
        { id: group.value.id, refusal: `resource ${group.value.id} has a dependent object` },
        () => isUsed(context, group.value.id),
        () => ({ success: [records.securityGroups.remove(group.id)] }),
      );
      return { Return: true, GroupId: group.value.id };
    },

    async DescribeSecurityGroupRules(input, context) {
      const groups = await records.securityGroups.list(allIn(context));
      const rows = groups.flatMap(({ value }) => ruleRows(value)).sort((a, b) => (a.id < b.id ? -1 : 1));
      const page = selectFrom(rows, {
        kind: 'security-group-rule',
        fields: ruleFields,
        selection: {
          ids: input.SecurityGroupRuleIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { SecurityGroupRules: page.items.map(toRule), NextToken: page.nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
