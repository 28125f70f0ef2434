import type { IpPermission, TagSpecification } from '@aws-sdk/client-ec2';
import type { SecurityGroup, SecurityGroupRule } from '#network';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { findDefaultVpc } from './default-vpc.ts';
import { mustGet, notFound } from './kinds.ts';
import { allIn, newId, type Ec2State, type Scope } from './scope.ts';
import { describeRule, identityOf, ruleRows, toRule, type RuleBody, type Shorthand } from './security-group-rules.ts';
import type { GroupWrites } from './security-group-writes.ts';
import { tagsFor } from './tags.ts';

interface RulesInput extends Shorthand {
  readonly GroupId?: string | undefined;
  readonly GroupName?: string | undefined;
  readonly IpPermissions?: readonly IpPermission[] | undefined;
  readonly SecurityGroupRuleIds?: readonly string[] | undefined;
  readonly TagSpecifications?: readonly TagSpecification[] | undefined;
}

type Direction = 'ingress' | 'egress';

const MAX_RULES = 1000;

/** Authorize and revoke, in both directions. */
export function securityGroupChangeHandlers(state: Ec2State, writes: GroupWrites) {
  const { records, random } = state;

  async function groupOf(input: RulesInput, scope: Scope): Promise<Versioned<SecurityGroup>> {
    if (input.GroupId || !input.GroupName)
      return mustGet(records.securityGroups, scope, 'security-group', input.GroupId);
    const vpc = await findDefaultVpc(state, scope);
    const groups = await records.securityGroups.list(allIn(scope));
    const group = groups.find(({ value }) => value.vpcId === vpc?.id && value.name === input.GroupName);
    if (!group)
      throw new AwsError(
        'InvalidGroup.NotFound',
        `The security group '${input.GroupName}' does not exist in default VPC`,
      );
    return group;
  }

  /** Changes one direction of a group's rules. */
  async function change(
    input: RulesInput,
    scope: Scope,
    direction: Direction,
    next: (group: SecurityGroup, wanted: readonly RuleBody[]) => readonly SecurityGroupRule[],
  ) {
    return await writes.change(
      scope,
      () => groupOf(input, scope),
      async (group) => {
        const rules = input.SecurityGroupRuleIds?.length ? [] : await writes.rulesFor(scope, group, input);
        return { group: { ...group, [direction]: next(group, rules) }, rules };
      },
    );
  }

  async function authorize(input: RulesInput, scope: Scope, direction: Direction) {
    const tags = tagsFor('security-group-rule', input.TagSpecifications);
    const { before, after } = await change(input, scope, direction, (group, wanted) => {
      const present = new Set(group[direction].map(identityOf));
      for (const rule of wanted) {
        const identity = identityOf(rule);
        if (present.has(identity))
          throw new AwsError(
            'InvalidPermission.Duplicate',
            `the specified rule "${describeRule(rule)}" already exists`,
          );
        present.add(identity);
      }
      if (present.size > MAX_RULES)
        throw new AwsError(
          'RulesPerSecurityGroupLimitExceeded',
          `The maximum number of rules per security group has been reached: ${MAX_RULES}`,
        );
      return [...group[direction], ...wanted.map((rule) => ({ ...rule, id: newId(random, 'sgr'), tags }))];
    });
    const known = new Set(before[direction].map(({ id }) => id));
    const isEgress = direction === 'egress';
    const added = ruleRows(after).filter((row) => row.isEgress === isEgress && !known.has(row.id));
    return { Return: true, SecurityGroupRules: added.map(toRule) };
  }

  async function revoke(input: RulesInput, scope: Scope, direction: Direction) {
    const { before, after } = await change(input, scope, direction, (group, wanted) => {
      const ids = new Set(input.SecurityGroupRuleIds);
      const identities = new Set(wanted.map(identityOf));
      const present = new Set(group[direction].map(identityOf));
      for (const id of ids)
        if (!group[direction].some((rule) => rule.id === id)) throw notFound('security-group-rule', id);
      for (const rule of wanted)
        if (!present.has(identityOf(rule)))
          throw new AwsError('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
      return group[direction].filter((rule) => !ids.has(rule.id) && !identities.has(identityOf(rule)));
    });
    const kept = new Set(after[direction].map(({ id }) => id));
    return {
      Return: true,
      RevokedSecurityGroupRules: before[direction]
        .filter(({ id }) => !kept.has(id))
        .map((rule) => ({
          SecurityGroupRuleId: rule.id,
          GroupId: before.id,
          IsEgress: direction === 'egress',
          IpProtocol: rule.protocol,
          FromPort: rule.fromPort ?? -1,
          ToPort: rule.toPort ?? -1,
          CidrIpv4: rule.peer.kind === 'cidr' ? rule.peer.cidr : undefined,
          ReferencedGroupId: rule.peer.kind === 'group' ? rule.peer.groupId : undefined,
          Description: rule.description,
        })),
    };
  }

  return {
    AuthorizeSecurityGroupIngress: (input, context) => authorize(input, context, 'ingress'),
    AuthorizeSecurityGroupEgress: (input, context) => authorize(input, context, 'egress'),
    RevokeSecurityGroupIngress: (input, context) => revoke(input, context, 'ingress'),
    RevokeSecurityGroupEgress: (input, context) => revoke(input, context, 'egress'),
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
