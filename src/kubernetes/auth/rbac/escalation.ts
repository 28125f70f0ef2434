/**
 * Nobody grants what they do not hold: a role may be written only by who has all its rules or may `escalate`, a binding only by who has all rules of its role
 * or may `bind` it. Upstream: `registry/rbac/{role,rolebinding}/policybased`.
 */
import type { KubernetesObject } from '../../object.ts';
import { forbidden } from '../../status.ts';
import type { ClusterRole, RoleBinding } from '../../types.ts';
import type { AdmissionPlugin, AdmissionRequest, Authorizer, UserInfo } from '../user.ts';
import type { Rbac, RuleSet } from './authorizer.ts';
import { compactRules, describeRule, uncoveredRules, type PolicyRule } from './rules.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

/** `authorizer` decides about `escalate` and `bind`; `rbac` tells what the user holds and what a role gives. */
export function rbacEscalation({
  rbac,
  authorizer,
}: {
  readonly rbac: Rbac;
  readonly authorizer: Authorizer;
}): AdmissionPlugin {
  return {
    name: 'RBACEscalation',
    async validate(request) {
      const { type, operation, object } = request;
      if (type.group !== rbacGroup || !object || (operation !== 'CREATE' && operation !== 'UPDATE')) return [];
      if (request.user.groups.includes('system:masters')) return [];
      if (type.kind === 'Role' || type.kind === 'ClusterRole') await checkRole(request, object);
      else if (type.kind === 'RoleBinding' || type.kind === 'ClusterRoleBinding')
        await checkBinding(request, object as RoleBinding);
      return [];
    },
  };

  async function checkRole(request: AdmissionRequest, role: ClusterRole): Promise<void> {
    const old: ClusterRole | undefined = request.oldObject;
    if (old && isSame(old.rules, role.rules) && isSame(old.aggregationRule, role.aggregationRule)) return;
    if (await may('escalate', request, request.type.resource, request.name)) return;
    const held = await rbac.rulesFor(request.user, request.namespace);
    // Whoever says which roles are gathered decides about rules that nobody knows yet.
    const wanted: readonly PolicyRule[] = role.aggregationRule
      ? [
          { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
          { nonResourceURLs: ['*'], verbs: ['*'] },
        ]
      : (role.rules ?? []);
    refuseUncovered(request, held, wanted, []);
  }

  async function checkBinding(request: AdmissionRequest, binding: RoleBinding): Promise<void> {
    const old = request.oldObject as RoleBinding | undefined;
    if (old && isSame(old.roleRef, binding.roleRef) && isSame(old.subjects, binding.subjects)) return;
    const { kind, name } = binding.roleRef;
    if (await may('bind', request, kind === 'ClusterRole' ? 'clusterroles' : 'roles', name)) return;
    const { rules, problems } = rbac.rulesOfReference(binding.roleRef, request.namespace);
    if (problems.length > 0) throw refusal(request, problems.join(', '));
    refuseUncovered(request, await rbac.rulesFor(request.user, request.namespace), rules, problems);
  }

  async function may(verb: string, request: AdmissionRequest, resource: string, name: string): Promise<boolean> {
    const { user, namespace } = request;
    const { isAllowed } = await authorizer.authorize({
      kind: 'resource',
      user,
      verb,
      group: rbacGroup,
      version: 'v1',
      resource,
      name,
      ...(namespace && { namespace }),
    });
    return isAllowed;
  }
}

function refuseUncovered(
  request: AdmissionRequest,
  held: RuleSet,
  wanted: readonly PolicyRule[],
  more: readonly string[],
) {
  const missing = compactRules(uncoveredRules(held.rules, wanted));
  if (missing.length === 0) return;
  const lines = missing.map(describeRule).sort();
  const problems = [...held.problems, ...more];
  const resolution = problems.length > 0 ? `; resolution errors: [${problems.join(', ')}]` : '';
  throw refusal(
    request,
    `${describeUser(request.user)} is attempting to grant RBAC permissions not currently held:\n${lines.join('\n')}${resolution}`,
  );
}

function refusal({ type, name }: AdmissionRequest, why: string) {
  return forbidden(type, { name }, why);
}

function describeUser({ username, groups }: UserInfo): string {
  return `user ${JSON.stringify(username)} (groups=[${groups.map((group) => JSON.stringify(group)).join(' ')}])`;
}

function isSame(a: KubernetesObject | object | undefined, b: object | undefined): boolean {
  return JSON.stringify(a ?? []) === JSON.stringify(b ?? []);
}
