import type { IpPermission, SecurityGroupRule as ApiRule } from '@aws-sdk/client-ec2';
import type { SecurityGroup, SecurityGroupRule, Tags } from '#network';
import { AwsError } from '../errors.ts';
import { cidrOf } from './cidr.ts';
import { type Drawing, ec2Arn, newId } from './scope.ts';
import { toTags } from './tags.ts';

/** A rule before it is a group's: what makes two rules the same. */
export type RuleBody = Omit<SecurityGroupRule, 'id' | 'tags'>;

/** Protocol, ports and a source or destination as single members of a request. */
export interface Shorthand {
  readonly IpProtocol?: string | undefined;
  readonly FromPort?: number | undefined;
  readonly ToPort?: number | undefined;
  readonly CidrIp?: string | undefined;
  readonly SourceSecurityGroupName?: string | undefined;
}

/** The egress rule a new group has: everything to everywhere. */
export function openEgress(random: Drawing): SecurityGroupRule {
  return { id: newId(random, 'sgr'), protocol: '-1', peer: { kind: 'cidr', cidr: '0.0.0.0/0' }, tags: {} };
}

export function bodyOf(rule: SecurityGroupRule): RuleBody {
  const { id: _id, tags: _tags, ...body } = rule;
  return body;
}

/** Two rules with the same identity are duplicates; the description does not count. */
export function identityOf({ protocol, fromPort, toPort, peer }: RuleBody): string {
  return [protocol, fromPort ?? -1, toPort ?? -1, peer.kind === 'cidr' ? peer.cidr : peer.groupId].join(' ');
}

/** A rule in the words of EC2's error messages. */
export function describeRule(rule: RuleBody): string {
  const peer = rule.peer.kind === 'cidr' ? rule.peer.cidr : rule.peer.groupId;
  const ports = rule.protocol === '-1' ? 'ALL' : `from port: ${rule.fromPort ?? -1}, to port: ${rule.toPort ?? -1}`;
  return `peer: ${peer}, ${rule.protocol === '-1' ? 'ALL' : `${rule.protocol.toUpperCase()}, ${ports}`}, ALLOW`;
}

const protocolNames: { readonly [name: string]: string } = { all: '-1', '6': 'tcp', '17': 'udp', '1': 'icmp' };

/** The rules that a request names, by `IpPermissions` or in the shorthand of one rule. */
export function rulesOf(
  input: Shorthand & { readonly IpPermissions?: readonly IpPermission[] | undefined },
  groupIdOf: (name: string) => string,
): RuleBody[] {
  const permissions = input.IpPermissions?.length ? input.IpPermissions : shorthand(input, groupIdOf);
  const rules = permissions.flatMap((permission) => expand(permission, groupIdOf));
  if (!rules.length)
    throw new AwsError('InvalidRequest', 'The request received was invalid: no source or destination was specified');
  return rules;
}

function shorthand(input: Shorthand, groupIdOf: (name: string) => string): IpPermission[] {
  if (!input.IpProtocol && !input.CidrIp && !input.SourceSecurityGroupName)
    throw new AwsError('MissingParameter', 'Either IpPermissions or IpProtocol and CidrIp must be specified');
  return [
    {
      IpProtocol: input.IpProtocol ?? '-1',
      FromPort: input.FromPort,
      ToPort: input.ToPort,
      IpRanges: input.CidrIp ? [{ CidrIp: input.CidrIp }] : [],
      UserIdGroupPairs: input.SourceSecurityGroupName ? [{ GroupId: groupIdOf(input.SourceSecurityGroupName) }] : [],
    },
  ];
}

function expand(permission: IpPermission, groupIdOf: (name: string) => string): RuleBody[] {
  if (permission.Ipv6Ranges?.length || permission.PrefixListIds?.length)
    throw new AwsError('UnsupportedOperation', 'IPv6 ranges and prefix lists are not supported in rules', {
      status: 501,
    });
  const base = traffic(permission);
  const describe = (text: string | undefined) => (text === undefined ? {} : { description: text });
  return [
    ...(permission.IpRanges ?? []).map(({ CidrIp, Description }) => ({
      ...base,
      peer: { kind: 'cidr' as const, cidr: cidrOf('cidrIp', CidrIp) },
      ...describe(Description),
    })),
    ...(permission.UserIdGroupPairs ?? []).map(({ GroupId, GroupName, Description }) => ({
      ...base,
      peer: { kind: 'group' as const, groupId: GroupId ?? groupIdOf(GroupName ?? '') },
      ...describe(Description),
    })),
  ];
}

/** Protocol and ports in canonical form: all protocols have no ports, ICMP has type and code, others need both ports. */
function traffic({
  IpProtocol = '',
  FromPort,
  ToPort,
}: IpPermission): Pick<RuleBody, 'protocol' | 'fromPort' | 'toPort'> {
  const protocol = protocolNames[IpProtocol.toLowerCase()] ?? IpProtocol.toLowerCase();
  if (protocol === '-1') return { protocol };
  if (protocol === 'icmp') return { protocol, fromPort: FromPort ?? -1, toPort: ToPort ?? -1 };
  if (protocol === 'tcp' || protocol === 'udp') return { protocol, ...ports(FromPort, ToPort) };
  if (!/^\d{1,3}$/.test(protocol) || Number(protocol) > 255)
    throw new AwsError(
      'InvalidPermission.Malformed',
      `Unsupported IP protocol "${IpProtocol}" - supported: [tcp, udp, icmp, -1]`,
    );
  return { protocol };
}

function ports(from: number | undefined, to: number | undefined): { fromPort: number; toPort: number } {
  if (from === undefined || to === undefined)
    throw new AwsError(
      'InvalidParameterValue',
      'Invalid value for portRange. Must specify both from and to ports with TCP/UDP.',
    );
  if (from === -1 && to === -1) return { fromPort: 0, toPort: 65_535 };
  for (const port of [from, to])
    if (port < 0 || port > 65_535)
      throw new AwsError(
        'InvalidParameterValue',
        `Invalid value '${port}' for portRange. Must be between 0 and 65535.`,
      );
  if (from > to) throw new AwsError('InvalidParameterValue', `Invalid TCP/UDP port range (${from}:${to})`);
  return { fromPort: from, toPort: to };
}

/** A group's rules as the API shows them there: one permission for each protocol and port range, with all its peers. */
export function toPermissions(rules: readonly SecurityGroupRule[], owner: string): IpPermission[] {
  const byTraffic = Map.groupBy(rules, ({ protocol, fromPort, toPort }) => `${protocol} ${fromPort} ${toPort}`);
  return [...byTraffic.values()].map((group) => ({
    IpProtocol: group[0]!.protocol,
    FromPort: group[0]!.fromPort,
    ToPort: group[0]!.toPort,
    IpRanges: group.flatMap(({ peer, description }) =>
      peer.kind === 'cidr' ? [{ CidrIp: peer.cidr, Description: description }] : [],
    ),
    UserIdGroupPairs: group.flatMap(({ peer, description }) =>
      peer.kind === 'group' ? [{ GroupId: peer.groupId, UserId: owner, Description: description }] : [],
    ),
    Ipv6Ranges: [],
    PrefixListIds: [],
  }));
}

/** A rule with where it belongs: what DescribeSecurityGroupRules lists. */
export interface RuleRow {
  readonly id: string;
  readonly group: SecurityGroup;
  readonly isEgress: boolean;
  readonly rule: SecurityGroupRule;
  readonly tags: Tags;
}

export function ruleRows(group: SecurityGroup): RuleRow[] {
  const row = (isEgress: boolean) => (rule: SecurityGroupRule) => ({
    id: rule.id,
    group,
    isEgress,
    rule,
    tags: rule.tags,
  });
  return [...group.ingress.map(row(false)), ...group.egress.map(row(true))];
}

export function toRule({ group, isEgress, rule }: RuleRow): ApiRule {
  return {
    SecurityGroupRuleId: rule.id,
    SecurityGroupRuleArn: ec2Arn({ account: group.tenant, region: group.region }, 'security-group-rule', rule.id),
    GroupId: group.id,
    GroupOwnerId: group.tenant,
    IsEgress: isEgress,
    IpProtocol: rule.protocol,
    FromPort: rule.fromPort ?? -1,
    ToPort: rule.toPort ?? -1,
    CidrIpv4: rule.peer.kind === 'cidr' ? rule.peer.cidr : undefined,
    ReferencedGroupInfo: rule.peer.kind === 'group' ? { GroupId: rule.peer.groupId, UserId: group.tenant } : undefined,
    Description: rule.description,
    Tags: toTags(rule.tags),
  };
}
