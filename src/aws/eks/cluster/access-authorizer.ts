import type { Attributes, Authorizer } from '#kubernetes';
import { accessPolicy, type PolicyRule } from '../access-policies.ts';
import { CANONICAL_ARN } from './cluster-users.ts';
import { idIn } from '../names.ts';
import type { AssociatedPolicy, ClusterRecord } from '../records.ts';
import type { EksState } from '../state.ts';

/**
 * The rights that access policies give. They are no objects of the cluster: EKS keeps them beside it, and asks for them as Kubernetes asks for its own. The
 * entry is found by what the authenticator said of the caller; who impersonates needs the right to say the same.
 */
export function accessAuthorizer(state: Pick<EksState, 'accessEntries'>, cluster: ClusterRecord): Authorizer {
  const scope = { ...cluster, cluster: cluster.name };
  return {
    async authorize(attributes) {
      const [arn] = attributes.user.extra?.[CANONICAL_ARN] ?? [];
      const entry = arn === undefined ? undefined : await state.accessEntries.get(idIn(scope, arn));
      const isAllowed = entry?.value.policies.some((policy) => allows(policy, attributes)) ?? false;
      return { isAllowed, reason: isAllowed ? 'EKS access policy' : '' };
    },
  };
}

function allows({ policyArn, scope }: AssociatedPolicy, attributes: Attributes): boolean {
  const policy = accessPolicy(policyArn);
  if (!policy) return false;
  if (attributes.kind === 'path')
    return policy.allowsPaths && scope.type === 'cluster' && verbsOfPaths(policy.rules, attributes.verb);
  return isInScope(scope, attributes.namespace) && policy.rules.some((rule) => covers(rule, attributes));
}

function verbsOfPaths(rules: readonly PolicyRule[], verb: string): boolean {
  return rules.some(({ verbs }) => matches(verbs, verb));
}

/** A namespace of a scope may end in `*`: Amazon EKS API reference, "AccessScope". */
function isInScope(scope: AssociatedPolicy['scope'], namespace: string | undefined): boolean {
  if (scope.type === 'cluster') return true;
  if (!namespace) return false;
  return scope.namespaces.some((name) =>
    name.endsWith('*') ? namespace.startsWith(name.slice(0, -1)) : name === namespace,
  );
}

function covers(rule: PolicyRule, attributes: Extract<Attributes, { kind: 'resource' }>): boolean {
  const { resource, subresource } = attributes;
  const name = subresource ? `${resource}/${subresource}` : resource;
  return (
    matches(rule.verbs, attributes.verb) && matches(rule.groups, attributes.group) && matches(rule.resources, name)
  );
}

function matches(allowed: readonly string[], value: string): boolean {
  return allowed.includes('*') || allowed.includes(value);
}
