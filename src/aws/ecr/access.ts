import type { RepositoryName } from '#registry';
import type { Principal } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { ConditionContext } from '../service.ts';
import { resourceTagContext } from '../tags.ts';
import { scopeOf } from './hosts.ts';
import { documentOf } from './policy-text.ts';
import { repositoryArn, type EcrState, type RepositoryRecord } from './repository.ts';

export interface AccessRequest {
  readonly principal: Principal;
  /** `ecr:PutImage`. */
  readonly action: string;
  readonly repository: RepositoryName;
  readonly record: RepositoryRecord | undefined;
  readonly context?: ConditionContext;
}

/**
 * Why the principal may not, as AWS says it; undefined if it may. Its own policies and the repository's take part: within an account either
 * may allow, across accounts both must (IAM User Guide, "Cross-account policy evaluation logic").
 */
export async function refusalOf(
  { authorizer }: Pick<EcrState, 'authorizer'>,
  { principal, action, repository, record, context }: AccessRequest,
): Promise<string | undefined> {
  const { account } = scopeOf(repository);
  const resource = repositoryArn(repository);
  if (principal.kind === 'anonymous' || (principal.account !== account && !record?.policy)) {
    const who = principal.kind === 'anonymous' ? 'anonymous' : principal.arn;
    return `User: ${who} is not authorized to perform: ${action} on resource: ${resource} because no resource-based policy allows the ${action} action`;
  }
  const answer = await authorizer.decide({
    principal,
    action,
    resource,
    account,
    context: { ...resourceTagContext(record?.tags ?? {}, 'ecr'), ...context },
    ...(record?.policy && { resourcePolicy: { document: documentOf(record.policy), isTrust: false } }),
  });
  return answer.allowed ? undefined : answer.reason;
}

/** Throws `AccessDeniedException` unless the principal may. */
export async function requireAccess(state: Pick<EcrState, 'authorizer'>, request: AccessRequest): Promise<void> {
  const refusal = await refusalOf(state, request);
  if (refusal !== undefined) throw new AwsError('AccessDeniedException', refusal);
}
