/** What a policy rule allows, and whether rules cover another. Upstream: `pkg/apis/rbac/v1/evaluation_helpers.go`, `component-helpers/auth/rbac/validation`. */
import type { ClusterRole } from '../../types.ts';
import type { Attributes } from '../user.ts';

export type PolicyRule = NonNullable<ClusterRole['rules']>[number];

export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!holds(rule.verbs, attributes.verb)) return false;
  if (attributes.kind === 'path')
    return !!rule.nonResourceURLs?.some((pattern) => pathMatches(pattern, attributes.path));
  return (
    holds(rule.apiGroups, attributes.group) &&
    !!rule.resources?.some((pattern) => resourceMatches(pattern, attributes.resource, attributes.subresource)) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(attributes.name ?? ''))
  );
}

/**
 * The parts of `wanted` that `owned` does not allow, each a rule of one verb, one group and one resource or path; empty if all of it is covered. A rule
 * that is limited to names is covered by one that is not, never the other way round.
 */
export function uncoveredRules(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(partsOf).filter((part) => !owned.some((rule) => covers(rule, part)));
}

/** How upstream prints a rule in a refusal: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
export function describeRule({ apiGroups, nonResourceURLs, resourceNames, resources, verbs }: PolicyRule): string {
  const parts = Object.entries({
    NonResourceURLs: nonResourceURLs,
    APIGroups: apiGroups,
    Resources: resources,
    ResourceNames: resourceNames,
    Verbs: verbs,
  }).filter(([, values]) => values?.length);
  return `{${parts.map(([name, values]) => `${name}:[${values!.map((value) => JSON.stringify(value)).join(' ')}]`).join(', ')}}`;
}

/** Rules that differ in their verbs alone, told as one: what makes a refusal readable. */
export function compactRules(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  const byRest = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const key = JSON.stringify(rest);
    const before = byRest.get(key);
    byRest.set(key, { ...rest, verbs: [...new Set([...(before?.verbs ?? []), ...verbs])] });
  }
  return [...byRest.values()];
}

function holds(values: readonly string[] | undefined, value: string): boolean {
  return !!values && (values.includes(value) || values.includes('*'));
}

// `*` is every resource, `*/scale` one subresource of every resource.
function resourceMatches(pattern: string, resource: string, subresource: string | undefined): boolean {
  if (pattern === '*') return true;
  if (!subresource) return pattern === resource;
  const slash = pattern.indexOf('/');
  if (slash < 0 || pattern.slice(slash + 1) !== subresource) return false;
  const owner = pattern.slice(0, slash);
  return owner === '*' || owner === resource;
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, '')));
}

function partsOf({ verbs, apiGroups = [], resources = [], resourceNames, nonResourceURLs = [] }: PolicyRule) {
  const names: readonly (string | undefined)[] = resourceNames?.length ? resourceNames : [undefined];
  const ofResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      names.flatMap((name) =>
        verbs.map((verb): PolicyRule => ({
          apiGroups: [group],
          resources: [resource],
          ...(name !== undefined && { resourceNames: [name] }),
          verbs: [verb],
        })),
      ),
    ),
  );
  const ofPaths = nonResourceURLs.flatMap((url) =>
    verbs.map((verb): PolicyRule => ({ nonResourceURLs: [url], verbs: [verb] })),
  );
  return [...ofResources, ...ofPaths];
}

function covers(rule: PolicyRule, part: PolicyRule): boolean {
  if (!holds(rule.verbs, part.verbs[0]!)) return false;
  const [url] = part.nonResourceURLs ?? [];
  if (url !== undefined) return !!rule.nonResourceURLs?.some((pattern) => pathMatches(pattern, url));
  const [resource, subresource] = part.resources![0]!.split('/') as [string, string?];
  return (
    holds(rule.apiGroups, part.apiGroups![0]!) &&
    !!rule.resources?.some((pattern) => resourceMatches(pattern, resource, subresource)) &&
    (!rule.resourceNames?.length || (!!part.resourceNames && rule.resourceNames.includes(part.resourceNames[0]!)))
  );
}
