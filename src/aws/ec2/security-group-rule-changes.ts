import type { IpPermission, SecurityGroupRuleRequest } from '@aws-sdk/client-ec2';
import type { SecurityGroupRule } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { mustGet, notFound } from './kinds.ts';
import type { Ec2State, Scope } from './scope.ts';
import { identityOf, rulesOf, type RuleBody } from './security-group-rules.ts';
import type { GroupWrites } from './security-group-writes.ts';

interface DescriptionsInput {
  readonly GroupId?: string | undefined;
  readonly IpPermissions?: readonly IpPermission[] | undefined;
  readonly SecurityGroupRuleDescriptions?:
    | readonly { readonly SecurityGroupRuleId?: string | undefined; readonly Description?: string | undefined }[]
    | undefined;
}

/** Changes of rules that are there, by their ids. */
export function securityGroupRuleChangeHandlers({ records }: Ec2State, writes: GroupWrites) {
  const change = async (scope: Scope, id: string | undefined, next: Parameters<GroupWrites['change']>[2]) =>
    await writes.change(scope, () => mustGet(records.securityGroups, scope, 'security-group', id), next);

  async function describe(input: DescriptionsInput, scope: Scope, direction: 'ingress' | 'egress') {
    const { IpPermissions, SecurityGroupRuleDescriptions = [] } = input;
    if (!IpPermissions?.length && !SecurityGroupRuleDescriptions.length)
      throw new AwsError('MissingParameter', 'Either IpPermissions or SecurityGroupRuleDescriptions must be specified');
    const byId = new Map(SecurityGroupRuleDescriptions.map((one) => [one.SecurityGroupRuleId ?? '', one.Description]));
    await change(scope, input.GroupId, async (group) => {
      const named = IpPermissions?.length ? await writes.rulesFor(scope, group, { IpPermissions }) : [];
      const byIdentity = new Map(named.map((rule) => [identityOf(rule), rule.description]));
      for (const id of byId.keys())
        if (!group[direction].some((rule) => rule.id === id)) throw notFound('security-group-rule', id);
      for (const identity of byIdentity.keys())
        if (!group[direction].some((rule) => identityOf(rule) === identity))
          throw new AwsError('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
      const rules = group[direction].map((rule) => {
        if (byId.has(rule.id)) return described(rule, byId.get(rule.id));
        return byIdentity.has(identityOf(rule)) ? described(rule, byIdentity.get(identityOf(rule))) : rule;
      });
      return { group: { ...group, [direction]: rules } };
    });
    return { Return: true };
  }

  return {
    async ModifySecurityGroupRules(input, context) {
      const wanted = new Map(
        (input.SecurityGroupRules ?? []).map(({ SecurityGroupRuleId: id, SecurityGroupRule: rule }) => [
          id ?? '',
          bodyFrom(rule ?? {}),
        ]),
      );
      await change(context, input.GroupId, (group) => {
        const present = new Set([...group.ingress, ...group.egress].map(({ id }) => id));
        for (const id of wanted.keys()) if (!present.has(id)) throw notFound('security-group-rule', id);
        const inDirection = (rules: readonly SecurityGroupRule[]) => {
          const changed = rules.map((rule) => {
            const body = wanted.get(rule.id);
            return body ? { id: rule.id, tags: rule.tags, ...body } : rule;
          });
          if (new Set(changed.map(identityOf)).size < changed.length)
            throw new AwsError('InvalidPermission.Duplicate', 'The specified rule already exists.');
          return changed;
        };
        return {
          group: { ...group, ingress: inDirection(group.ingress), egress: inDirection(group.egress) },
          rules: [...wanted.values()],
        };
      });
      return { Return: true };
    },

    UpdateSecurityGroupRuleDescriptionsIngress: (input, context) => describe(input, context, 'ingress'),
    UpdateSecurityGroupRuleDescriptionsEgress: (input, context) => describe(input, context, 'egress'),
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}

/** The one rule that a change makes of another. */
function bodyFrom(rule: SecurityGroupRuleRequest): RuleBody {
  if (rule.CidrIpv6 || rule.PrefixListId)
    throw new AwsError('UnsupportedOperation', 'IPv6 ranges and prefix lists are not supported in rules', {
      status: 501,
    });
  const { IpProtocol, FromPort, ToPort, Description } = rule;
  const permission: IpPermission = {
    IpProtocol,
    FromPort,
    ToPort,
    IpRanges: rule.CidrIpv4 ? [{ CidrIp: rule.CidrIpv4, Description }] : [],
    UserIdGroupPairs: rule.ReferencedGroupId ? [{ GroupId: rule.ReferencedGroupId, Description }] : [],
  };
  const [body, ...more] = rulesOf({ IpPermissions: [permission] }, (name) => name);
  if (more.length)
    throw new AwsError('InvalidParameterCombination', 'A rule has one source or destination: a CIDR block or a group.');
  return body!;
}

function described(rule: SecurityGroupRule, description: string | undefined): SecurityGroupRule {
  const { description: _before, ...rest } = rule;
  return description ? { ...rest, description } : rest;
}
