import type { AttachedPolicies, PolicySource, Principal } from '../auth/index.ts';
import type { Directory } from './directory.ts';
import { managedPolicyDocument } from './managed-policies.ts';
import { entityArn } from './names.ts';
import type { PolicyHolder, PolicyRecord } from './records.ts';

/** The policies that apply to a user (its own and its groups') or to a session's role. */
export function createPolicySource(directory: Directory): PolicySource {
  const documentsOf = (holder: PolicyHolder) => [
    ...Object.values(holder.inlinePolicies),
    ...holder.attachedPolicies.flatMap((arn) => policyDocument(directory, arn) ?? []),
  ];
  return {
    policiesOf(principal: Principal & { readonly kind: 'user' | 'assumed-role' }): AttachedPolicies | undefined {
      const { account } = principal;
      const isUser = principal.kind === 'user';
      const user = isUser ? directory.users.get(account, principal.userName) : undefined;
      const identity = user ?? (isUser ? undefined : directory.roles.get(account, principal.roleName));
      // A name made anew is another identity: sessions and keys of the old one get nothing.
      if (!identity || !principal.principalId.startsWith(identity.id)) return undefined;
      const groups = user?.groups.flatMap((name) => directory.groups.get(account, name) ?? []) ?? [];
      const { permissionsBoundary } = identity;
      return {
        identity: [identity, ...groups].flatMap(documentsOf),
        // A boundary that is gone bounds everything away rather than nothing.
        boundary: permissionsBoundary && (policyDocument(directory, permissionsBoundary) ?? NOTHING),
        tags: identity.tags,
      };
    },
  };
}

const NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}';

/** The default version of a managed policy, ours or AWS's; undefined if there is none of this ARN. */
export function policyDocument(directory: Directory, arn: string): string | undefined {
  const own = findPolicy(directory, arn);
  if (!own) return managedPolicyDocument(arn);
  return own.versions.find((version) => version.id === own.defaultVersionId)?.document;
}

/** A customer's managed policy by its ARN. */
export function findPolicy(directory: Directory, arn: string): PolicyRecord | undefined {
  const match = /^arn:aws:iam::(\d{12}):policy\/(?:.*\/)?([^/]+)$/.exec(arn);
  const policy = match ? directory.policies.get(match[1]!, match[2]!) : undefined;
  return policy && entityArn('policy', policy) === arn ? policy : undefined;
}
