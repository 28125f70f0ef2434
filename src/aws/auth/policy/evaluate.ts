import type { CompiledPolicy, PolicyQuestion } from './compile.ts';

/**
 * Every policy that has a say in one decision. Service control policies of an organisation would be one more limit, beside the boundary and
 * the session policies.
 */
export interface PolicySet {
  /** What the identity was given: its own, its groups', or, for an account's root, everything. */
  readonly identity: readonly CompiledPolicy[] | 'everything';
  /** Each limit must allow too. Absent: no such limit. */
  readonly boundary?: CompiledPolicy;
  readonly session?: readonly CompiledPolicy[];
  readonly resource?: {
    readonly policy: CompiledPolicy;
    /** The caller belongs to another account than the resource, so both sides must allow. */
    readonly isCrossAccount: boolean;
    /** Nobody gets in whom the policy does not name: a role's trust policy. */
    readonly isRequired: boolean;
  };
}

export type PolicyKind = 'identity-based policy' | 'permissions boundary' | 'session policy' | 'resource-based policy';

export type Verdict =
  | { readonly decision: 'allowed' }
  /** `policy` is the first kind that did not allow, or that denied. */
  | { readonly decision: 'implicitDeny' | 'explicitDeny'; readonly policy: PolicyKind };

/**
 * IAM's logic ("Policy evaluation logic", IAM User Guide): an explicit deny anywhere ends it; then the resource's policy may allow by itself
 * within an account; else the identity must be allowed, and every limit must allow as well.
 */
export function evaluate(policies: PolicySet, question: PolicyQuestion): Verdict {
  const identity = policies.identity === 'everything' ? 'itself' : effectOf(policies.identity, question);
  const boundary = policies.boundary && effectOf([policies.boundary], question);
  const session = policies.session && effectOf(policies.session, question);
  const resource = policies.resource && effectOf([policies.resource.policy], question);

  if (identity === 'denied') return { decision: 'explicitDeny', policy: 'identity-based policy' };
  if (resource === 'denied') return { decision: 'explicitDeny', policy: 'resource-based policy' };
  if (boundary === 'denied') return { decision: 'explicitDeny', policy: 'permissions boundary' };
  if (session === 'denied') return { decision: 'explicitDeny', policy: 'session policy' };

  if (policies.resource) {
    const { isCrossAccount, isRequired } = policies.resource;
    const isGranted = resource === 'itself' && !isCrossAccount;
    if (isGranted && question.principal.kind !== 'assumed-role') return { decision: 'allowed' };
    // A session stays within its limits even when the resource names its role.
    if (isGranted) return withinLimits(policies, boundary, session);
    if (resource === undefined && (isRequired || isCrossAccount))
      return { decision: 'implicitDeny', policy: 'resource-based policy' };
  }
  if (identity === undefined) return { decision: 'implicitDeny', policy: 'identity-based policy' };
  return withinLimits(policies, boundary, session);
}

function withinLimits(policies: PolicySet, boundary: string | undefined, session: string | undefined): Verdict {
  if (policies.boundary && boundary === undefined) return { decision: 'implicitDeny', policy: 'permissions boundary' };
  if (policies.session && session === undefined) return { decision: 'implicitDeny', policy: 'session policy' };
  return { decision: 'allowed' };
}

/** The strongest word of some policies: a deny, else a grant to the caller itself, else one to its account, else none. */
function effectOf(
  policies: readonly CompiledPolicy[],
  question: PolicyQuestion,
): 'denied' | 'itself' | 'account' | undefined {
  let granted: 'itself' | 'account' | undefined;
  for (const policy of policies)
    for (const statement of policy) {
      if (granted === 'itself' && statement.effect === 'Allow') continue;
      const match = statement.applies(question);
      if (!match) continue;
      if (statement.effect === 'Deny') return 'denied';
      granted = match === 'itself' || granted === 'itself' ? 'itself' : 'account';
    }
  return granted;
}
