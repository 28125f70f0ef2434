import type { ConditionContext } from '../../service.ts';
import type { Principal } from '../principal.ts';
import type { ContextLookup } from './pattern.ts';

/** The condition keys of one decision: those of the call, of its caller, and the time. Made when the first condition asks. */
export function contextLookup(
  context: ConditionContext,
  principal: Principal,
  tags: PrincipalTags,
  now: number,
): ContextLookup {
  let values: Map<string, readonly string[]> | undefined;
  return (key) => (values ??= valuesOf(context, principal, tags, now)).get(key);
}

/** Tags of the caller's user or role, for `aws:PrincipalTag/…`. */
export type PrincipalTags = { readonly [key: string]: string };

function valuesOf(
  context: ConditionContext,
  principal: Principal,
  tags: PrincipalTags,
  now: number,
): Map<string, readonly string[]> {
  const all: ConditionContext = {
    'aws:CurrentTime': new Date(now).toISOString(),
    'aws:EpochTime': Math.floor(now / 1000),
    'aws:ViaAWSService': false,
    ...context,
    ...principalContext(principal),
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:PrincipalTag/${key}`, value])),
  };
  const values = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(all))
    if (value !== undefined) values.set(key.toLowerCase(), typeof value === 'object' ? value : [String(value)]);
  return values;
}

function principalContext(principal: Principal): ConditionContext {
  if (principal.kind === 'federated') return { 'aws:FederatedProvider': principal.arn };
  if (principal.kind === 'anonymous') return { 'aws:PrincipalType': 'Anonymous', 'aws:userid': 'anonymous' };
  const common = {
    'aws:PrincipalAccount': principal.account,
    'aws:PrincipalArn': principal.kind === 'assumed-role' ? principal.roleArn : principal.arn,
    'aws:PrincipalIsAWSService': principal.kind === 'service',
  };
  switch (principal.kind) {
    case 'service':
      return { ...common, 'aws:PrincipalType': 'AWSService', 'aws:PrincipalServiceName': principal.service };
    case 'root':
      return { ...common, 'aws:PrincipalType': 'Account', 'aws:userid': principal.principalId };
    case 'user':
      return {
        ...common,
        'aws:PrincipalType': 'User',
        'aws:userid': principal.principalId,
        'aws:username': principal.userName,
      };
    default:
      return {
        ...common,
        'aws:PrincipalType': 'AssumedRole',
        'aws:userid': principal.principalId,
        'aws:TokenIssueTime': new Date(principal.issuedAt).toISOString(),
        'aws:MultiFactorAuthPresent': false,
      };
  }
}
