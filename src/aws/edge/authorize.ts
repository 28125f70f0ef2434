import type { AccountId } from '#base';
import type { Authorizer, Principal } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import { rememberNothing } from '../idempotency.ts';
import type { CallContext, ConditionContext, RequiredPermission } from '../service.ts';
import type { WireName } from '../wire/index.ts';
import type { Call } from './call.ts';

/** Fills in what the handler will know of its call, with the right to ask for more permissions. */
export function giveContext(call: Call, authorizer: Authorizer): void {
  const principal = call.principal!;
  const context: CallContext = {
    // An anonymous caller has no account; the few operations that take one work on what their input names.
    account: principal.kind === 'anonymous' ? ('' as AccountId) : principal.account,
    region: call.claim?.region ?? 'us-east-1',
    principal,
    requestId: call.requestId,
    sourceIp: call.sourceIp,
    userAgent: call.userAgent,
    now: call.startedAt,
    endpoint: call.endpoint,
    authorize: (action, resource, more) =>
      authorizeOne({ action, resources: [resource], ...(more && { context: more }) }, call, principal, authorizer),
    remember: rememberNothing,
  };
  call.context = context;
}

/** Asks for every permission that the operation needs; the first refusal answers. */
export async function authorize(call: Call, authorizer: Authorizer): Promise<void> {
  const { definition } = call.service!;
  const operation = call.wireCall!.operation.name;
  if (definition.unguarded?.includes(operation) || call.principal!.kind === 'anonymous') return;
  const permissions = definition.permissions
    ? await definition.permissions(operation, call.resolved, call.context!)
    : [{ action: `${definition.name}:${operation}`, resources: ['*'] }];
  call.resources = permissions.flatMap(({ resources }) => resources).filter((resource) => resource !== '*');
  for (const permission of permissions) await authorizeOne(permission, call, call.principal!, authorizer);
}

async function authorizeOne(
  permission: RequiredPermission,
  call: Call,
  principal: Principal,
  authorizer: Authorizer,
): Promise<void> {
  // Nothing limits an account's root (yet: service control policies would), so it need not be asked.
  if (principal.kind === 'root') return;
  const context: ConditionContext = {
    ...originContext(call),
    'aws:UserAgent': call.userAgent,
    'aws:SecureTransport': call.isSecure,
    'aws:RequestedRegion': call.context!.region,
    ...permission.context,
  };
  for (const resource of permission.resources) {
    const { account } = call.context!;
    const answer = await authorizer.decide({ principal, action: permission.action, resource, context, account });
    if (!answer.allowed) throw accessDenied(call.wire!.name, answer.reason);
  }
}

/** Calls that stay inside AWS have no public source: IAM User Guide, "AWS global condition context keys", `aws:SourceIp` and `aws:VpcSourceIp`. */
function originContext({ sourceIp, vpcId }: Call): ConditionContext {
  return vpcId === undefined ? { 'aws:SourceIp': sourceIp } : { 'aws:SourceVpc': vpcId, 'aws:VpcSourceIp': sourceIp };
}

/** A refusal in the words of the caller's protocol. */
export function accessDenied(wire: WireName, reason: string): AwsError {
  if (wire === 'ec2')
    return new AwsError('UnauthorizedOperation', `You are not authorized to perform this operation. ${reason}`, {
      status: 403,
    });
  if (wire === 'query') return new AwsError('AccessDenied', reason, { status: 403 });
  return new AwsError('AccessDeniedException', reason, { status: wire === 'rest-json' ? 403 : 400 });
}
