/**
 * Role-based access control. Bindings are found by who is bound, in memory, so that a decision costs microseconds; nothing of it is cached beyond the copies
 * the informers keep, so a role that was changed decides the next request. Upstream: `plugin/pkg/auth/authorizer/rbac`.
 */
import type { Informers } from '../../client/informer.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../resources.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../types.ts';
import { usernameOf } from '../service-account-tokens.ts';
import type { Attributes, Authorizer, UserInfo } from '../user.ts';
import { ruleAllows, type PolicyRule } from './rules.ts';

/** The rules of a user in one namespace, or those of the whole cluster alone; `problems` names roles that are bound and do not exist. */
export interface RuleSet {
  readonly rules: readonly PolicyRule[];
  readonly problems: readonly string[];
}

export interface Rbac extends Authorizer {
  rulesFor(user: UserInfo, namespace: string | undefined): Promise<RuleSet>;
  /** The rules of the role that a binding refers to; `namespace` is the binding's. Throws nothing: an absent role is a problem. */
  rulesOfReference(reference: RoleReference, namespace: string | undefined): RuleSet;
}

export type RoleReference = RoleBinding['roleRef'];
type Subject = NonNullable<RoleBinding['subjects']>[number];

/** A binding, and the key of the subject by which a user was found in it. */
interface Bound {
  readonly binding: RoleBinding | ClusterRoleBinding;
  readonly subject: string;
}

export function createRbac(informers: Informers): Rbac {
  const copies = {
    roles: informers.of<Role>(roles),
    clusterRoles: informers.of<ClusterRole>(clusterRoles),
    bindings: informers.of<RoleBinding>(roleBindings, { indexes: { subject: subjectsInNamespace } }),
    clusterBindings: informers.of<ClusterRoleBinding>(clusterRoleBindings, { indexes: { subject: subjectsOf } }),
  };
  let isSynced: Promise<unknown> | undefined;

  function rulesOfReference({ kind, name }: RoleReference, namespace: string | undefined): RuleSet {
    const role =
      kind === 'ClusterRole'
        ? copies.clusterRoles.get(name)
        : kind === 'Role' && namespace
          ? copies.roles.get(`${namespace}/${name}`)
          : undefined;
    if (role) return { rules: role.rules ?? [], problems: [] };
    const resource = kind === 'ClusterRole' ? 'clusterrole' : 'role';
    return { rules: [], problems: [`${resource}.rbac.authorization.k8s.io "${name}" not found`] };
  }

  /** Calls `visit` with the rules of every role bound to the user until it returns true. */
  function visit(
    user: UserInfo,
    namespace: string | undefined,
    visitor: (found: RuleSet, bound: Bound) => boolean,
  ): void {
    const subjects = keysOfUser(user);
    for (const subject of subjects)
      for (const binding of copies.clusterBindings.by('subject', subject))
        if (visitor(rulesOfReference(binding.roleRef, undefined), { binding, subject })) return;
    if (!namespace) return;
    for (const subject of subjects)
      for (const binding of copies.bindings.by('subject', `${namespace}/${subject}`))
        if (visitor(rulesOfReference(binding.roleRef, namespace), { binding, subject })) return;
  }

  const synced = () =>
    (isSynced ??= Promise.all([
      copies.roles.synced(),
      copies.clusterRoles.synced(),
      copies.bindings.synced(),
      copies.clusterBindings.synced(),
    ]));

  return {
    rulesOfReference,

    async authorize(attributes: Attributes) {
      await synced();
      const namespace = attributes.kind === 'resource' ? attributes.namespace : undefined;
      const problems: string[] = [];
      let by: Bound | undefined;
      visit(attributes.user, namespace, (found, bound) => {
        problems.push(...found.problems);
        if (found.rules.some((rule) => ruleAllows(rule, attributes))) by = bound;
        return by !== undefined;
      });
      return by ? { isAllowed: true, reason: allowedBy(by) } : { isAllowed: false, reason: reasonOf(problems) };
    },

    async rulesFor(user, namespace) {
      await synced();
      const all: RuleSet[] = [];
      visit(user, namespace, (found) => {
        all.push(found);
        return false;
      });
      return { rules: all.flatMap(({ rules }) => rules), problems: all.flatMap(({ problems }) => problems) };
    },
  };
}

/** Upstream's words, "clusterRoleBindingDescriber" and "roleBindingDescriber". */
function allowedBy({ binding: { metadata, roleRef, subjects = [] }, subject }: Bound): string {
  const { name = '', namespace } = metadata ?? {};
  const [kind, named] = namespace ? ['RoleBinding', `${name}/${namespace}`] : ['ClusterRoleBinding', name];
  const to = subjects.find((each) => keyOfSubject(each, namespace) === subject);
  const who = to?.kind === 'ServiceAccount' ? `${to.name}/${to.namespace ?? namespace}` : to?.name;
  const [binding, role, whom] = [named, roleRef.name, who].map((text) => JSON.stringify(text));
  return `RBAC: allowed by ${kind} ${binding} of ${roleRef.kind} ${role} to ${to?.kind} ${whom}`;
}

function reasonOf(problems: readonly string[]): string {
  const unique = [...new Set(problems)];
  if (unique.length === 0) return '';
  return `RBAC: ${unique.length === 1 ? unique[0] : `[${unique.join(', ')}]`}`;
}

function keysOfUser({ username, groups }: UserInfo): readonly string[] {
  return [`User:${username}`, ...groups.map((group) => `Group:${group}`)];
}

/** A service account without a namespace of its own is in the binding's; in a cluster binding it is nobody. */
function keyOfSubject({ kind, name, namespace }: Subject, bindingNamespace: string | undefined): string | undefined {
  if (kind !== 'ServiceAccount') return `${kind}:${name}`;
  const home = namespace ?? bindingNamespace;
  return home && `User:${usernameOf(home, name)}`;
}

function subjectsOf({ subjects = [] }: ClusterRoleBinding): readonly string[] {
  return subjects.flatMap((subject) => keyOfSubject(subject, undefined) ?? []);
}

function subjectsInNamespace({ metadata, subjects = [] }: RoleBinding): readonly string[] {
  const namespace = metadata?.namespace;
  return subjects.flatMap((subject) => `${namespace}/${keyOfSubject(subject, namespace)}`);
}
