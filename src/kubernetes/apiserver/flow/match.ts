/** Which flow schema a request falls under. Source: apiserver `util/flowcontrol/rule.go`. */
import type { UserInfo } from '../../auth/user.ts';
import { usernameOf } from '../../auth/service-account-tokens.ts';
import type { FlowSchema } from '../../types.ts';
import type { RequestInfo } from '../http/request-info.ts';

type Rule = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];
type Subject = Rule['subjects'][number];
type ResourceRule = NonNullable<Rule['resourceRules']>[number];

export interface Digest {
  readonly info: RequestInfo;
  readonly user: UserInfo;
}

export function matches({ spec }: FlowSchema, digest: Digest): boolean {
  return !!spec?.rules?.some((rule) => ruleMatches(rule, digest));
}

function ruleMatches({ subjects, resourceRules = [], nonResourceRules = [] }: Rule, { info, user }: Digest): boolean {
  if (!subjects.some((subject) => isSubject(subject, user))) return false;
  if (info.kind === 'resource') return resourceRules.some((rule) => resourceMatches(rule, info));
  return nonResourceRules.some(
    ({ verbs, nonResourceURLs }) =>
      holds(verbs, info.verb) && nonResourceURLs.some((pattern) => pathMatches(pattern, info.path)),
  );
}

function isSubject({ kind, user: named, group, serviceAccount }: Subject, { username, groups }: UserInfo): boolean {
  if (kind === 'User') return named?.name === '*' || named?.name === username;
  if (kind === 'Group') return group?.name === '*' || groups.includes(group?.name ?? '');
  const { namespace = '', name = '' } = serviceAccount ?? {};
  return name === '*' ? username.startsWith(usernameOf(namespace, '')) : username === usernameOf(namespace, name);
}

function resourceMatches(rule: ResourceRule, info: Extract<RequestInfo, { kind: 'resource' }>): boolean {
  const resource = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
  if (!holds(rule.verbs, info.verb) || !holds(rule.apiGroups, info.groupVersion.group)) return false;
  if (!holds(rule.resources, resource)) return false;
  return info.namespace ? holds(rule.namespaces ?? [], info.namespace) : rule.clusterScope === true;
}

/** A path, one that ends in a star, or all. */
function pathMatches(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('/*') && path.startsWith(pattern.slice(0, -1));
}

function holds(values: readonly string[], value: string): boolean {
  return values.includes('*') || values.includes(value);
}
