import { isArn, type Clock } from '#base';
import type { Authorizer, Principal } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import { checkPolicy, findRole, policyDocument, rolePrincipal, type Iam } from '../iam/index.ts';
import type { CallContext, ConditionContext, Handlers } from '../service.ts';
import { wireCredentials } from './wire-credentials.ts';

type StsHandlers = Handlers<typeof import('@aws-sdk/client-sts')>;
type AssumeRole = NonNullable<StsHandlers['AssumeRole']>;
type Input = Parameters<AssumeRole>[0];

const MIN_SECONDS = 900;
const DEFAULT_SECONDS = 3600;
const MAX_CHAINED_SECONDS = 3600;

/**
 * AssumeRole: the role's trust policy must name the caller, and, where it names only the caller's account or the role is in another account, the
 * caller's own policies must allow it as well. Deviation: an account's root may assume roles, because development keys are roots.
 */
export function assumeRoleHandler(iam: Iam, clock: Clock): AssumeRole {
  return async (input, context) => {
    const role = findRole(iam.directory, input.RoleArn!);
    checkInput(input, context.principal);
    await authorize(input, context, iam.authorizer, role?.trustPolicy);
    if (!role) throw new Error('a role without a trust policy was allowed');
    const seconds = input.DurationSeconds ?? DEFAULT_SECONDS;
    if (seconds > role.maxSessionSeconds)
      throw validation('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
    const principal = rolePrincipal(role, {
      sessionName: input.RoleSessionName!,
      sessionPolicies: sessionPolicies(input, iam, role.account),
      issuedAt: clock.now(),
    });
    const credentials = await iam.sessions.create(principal, seconds * 1000);
    return {
      Credentials: wireCredentials(credentials),
      AssumedRoleUser: { AssumedRoleId: principal.principalId, Arn: principal.arn },
    };
  };
}

function checkInput(input: Input, principal: Principal): void {
  // A session that silently lacked its tags would be allowed what their conditions forbid.
  const unbuilt = (['Tags', 'TransitiveTagKeys', 'SerialNumber', 'TokenCode', 'SourceIdentity'] as const).find(
    (member) => input[member]?.length,
  );
  if (unbuilt)
    throw new AwsError('UnsupportedOperation', `dabba does not honour ${unbuilt} of AssumeRole yet.`, { status: 501 });
  if (!isArn(input.RoleArn!)) throw validation(`${input.RoleArn} is invalid`);
  if (!/^[\w+=,.@-]{2,64}$/.test(input.RoleSessionName!))
    throw validation(
      `1 validation error detected: Value '${input.RoleSessionName}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]* and have 2 to 64 characters`,
    );
  const seconds = input.DurationSeconds ?? DEFAULT_SECONDS;
  if (seconds < MIN_SECONDS)
    throw validation(
      `1 validation error detected: Value '${seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to ${MIN_SECONDS}`,
    );
  if (principal.kind === 'assumed-role' && seconds > MAX_CHAINED_SECONDS)
    throw validation(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
}

/** A role that does not exist trusts nobody, and is refused in the same words. */
async function authorize(
  input: Input,
  context: CallContext,
  authorizer: Authorizer,
  trustPolicy: string | undefined,
): Promise<void> {
  const conditions: ConditionContext = {
    'aws:SourceIp': context.sourceIp,
    'aws:RequestedRegion': context.region,
    'sts:ExternalId': input.ExternalId,
    'sts:RoleSessionName': input.RoleSessionName,
  };
  const { allowed, reason } = await authorizer.decide({
    principal: context.principal,
    action: 'sts:AssumeRole',
    resource: input.RoleArn!,
    context: conditions,
    account: accountOf(input.RoleArn!),
    resourcePolicy: { document: trustPolicy ?? NOBODY, isTrust: true },
  });
  if (!allowed) throw new AwsError('AccessDenied', reason, { status: 403 });
}

const NOBODY =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"nobody"},"Action":"sts:AssumeRole"}]}';

function accountOf(arn: string): CallContext['account'] {
  // `checkInput` saw that it is an ARN; an account that is none owns no role.
  return arn.split(':')[4]! as CallContext['account'];
}

/** The documents that narrow the session: the inline one and the named managed policies. */
function sessionPolicies(input: Input, iam: Iam, account: string): string[] {
  const inline = input.Policy === undefined ? [] : [checkPolicy(input.Policy, 'identity')];
  const managed = (input.PolicyArns ?? []).map(({ arn = '' }) => {
    const owner = arn.split(':')[4];
    const document = owner === account || owner === 'aws' ? policyDocument(iam.directory, arn) : undefined;
    if (document === undefined) throw validation(`The policy ${arn} does not exist.`);
    return document;
  });
  return [...inline, ...managed];
}

function validation(message: string): AwsError {
  return new AwsError('ValidationError', message, { status: 400 });
}
