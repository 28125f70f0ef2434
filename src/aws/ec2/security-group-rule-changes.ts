import type { IpPermission, SecurityGroupRuleRequest } from '@aws-sdk/client-ec2';
import type { SecurityGroup, SecurityGroupRule } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { mustGet, notFound } from './kinds.ts';
import { allIn, keyIn, type Ec2State, type Scope } from './scope.ts';
import { identityOf, rulesOf, type RuleBody } from './security-group-rules.ts';
import type { Uses } from './uses.ts';

const ATTEMPTS = 32;

interface DescriptionsInput {
  readonly GroupId?: string | undefined;
  readonly IpPermissions?: readonly IpPermission[] | undefined;
  readonly SecurityGroupRuleDescriptions?:
    | readonly { readonly SecurityGroupRuleId?: string | undefined; readonly Description?: string | undefined }[]
    | undefined;
}

/** Changes of rules that are there, by their ids. */
export function securityGroupRuleChangeHandlers(state: Ec2State, uses: Uses) {
  const { records, store } = state;

  /** Writes a group until nobody else was faster; groups that its rules name anew learn that they are used. */
  async function change(
    scope: Scope,
    groupId: string | undefined,
    next: (group: SecurityGroup) => { readonly group: SecurityGroup; readonly peers?: readonly string[] },
  ): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const seen = await mustGet(records.securityGroups, scope, 'security-group', groupId);
      const { group, peers = [] } = next(seen.value);
      const others = [...new Set(peers)].filter((id) => id !== group.id);
      for (const id of others) await mustGet(records.securityGroups, scope, 'security-group', id);
      const { succeeded } = await store.txn({
        compare: [
          records.securityGroups.ifUnchanged(seen),
          ...others.map((id) => records.securityGroups.ifPresent(keyIn(scope, id))),
        ],
        success: [records.securityGroups.put(seen.id, group), ...others.map((id) => uses.touch(scope, id))],
      });
      if (succeeded) return;
    }
    throw new AwsError(
      'RequestLimitExceeded',
      'The security group changes faster than the request can be carried out.',
    );
  }

  async function describe(input: DescriptionsInput, scope: Scope, direction: 'ingress' | 'egress') {
    const groups = (await records.securityGroups.list(allIn(scope))).map(({ value }) => value);
    const idOf = (name: string) => groups.find((group) => group.name === name)?.id ?? name;
    const named = input.IpPermissions?.length ? rulesOf({ IpPermissions: input.IpPermissions }, idOf) : [];
    const byIdentity = new Map(named.map((rule) => [identityOf(rule), rule.description]));
    const byId = new Map(
      (input.SecurityGroupRuleDescriptions ?? []).map((one) => [one.SecurityGroupRuleId ?? '', one.Description]),
    );
    if (!byIdentity.size && !byId.size)
      throw new AwsError('MissingParameter', 'Either IpPermissions or SecurityGroupRuleDescriptions must be specified');
    await change(scope, input.GroupId, (group) => {
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
        const peers = [...wanted.values()].flatMap(({ peer }) => (peer.kind === 'group' ? [peer.groupId] : []));
        return { group: { ...group, ingress: inDirection(group.ingress), egress: inDirection(group.egress) }, peers };
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
