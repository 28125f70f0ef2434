import { formatArn, type Clock } from '#base';
import type { IssuerKeys } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { Iam } from '../iam/index.ts';
import { defineService, type CallContext, type ServiceDefinition } from '../service.ts';
import { assumeRoleHandler } from './assume-role.ts';
import { webIdentityHandler } from './web-identity.ts';
import { wireCredentials } from './wire-credentials.ts';

const DAY_SECONDS = 86_400;

/** STS: who am I, and credentials for a while. */
export function createStsService(options: {
  readonly iam: Iam;
  readonly clock: Clock;
  /** Whose tokens can be checked. Default: nobody's. */
  readonly issuerKeys?: IssuerKeys;
}): ServiceDefinition {
  const { iam, clock } = options;
  return defineService<typeof import('@aws-sdk/client-sts')>({
    name: 'sts',
    signingNames: ['sts'],
    eventSource: 'sts.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-sts'),
    // GetCallerIdentity needs no permission; AssumeRole asks for itself, because the role's trust policy has a say.
    unguarded: ['GetCallerIdentity', 'GetSessionToken', 'AssumeRole', 'AssumeRoleWithWebIdentity'],
    unsigned: ['AssumeRoleWithWebIdentity'],
    handlers: {
      AssumeRole: assumeRoleHandler(iam, clock),
      AssumeRoleWithWebIdentity: webIdentityHandler(iam, clock, options.issuerKeys ?? (async () => undefined)),

      GetCallerIdentity: (_input, { account, principal }) => ({
        Account: account,
        Arn: principal.kind === 'anonymous' ? '' : principal.arn,
        UserId: 'principalId' in principal ? principal.principalId : '',
      }),

      async GetSessionToken(input, context) {
        if (input.SerialNumber !== undefined || input.TokenCode !== undefined)
          throw new AwsError('UnsupportedOperation', 'dabba does not check MFA devices yet.', { status: 501 });
        const principal = longTermPrincipal(context);
        const seconds = input.DurationSeconds ?? DAY_SECONDS / 2;
        const longest = principal.kind === 'root' ? 3600 : 1.5 * DAY_SECONDS;
        if (seconds < 900 || seconds > 1.5 * DAY_SECONDS)
          throw new AwsError(
            'ValidationError',
            `DurationSeconds must be between 900 and ${1.5 * DAY_SECONDS}, not ${seconds}`,
            { status: 400 },
          );
        const credentials = await iam.sessions.create(principal, Math.min(seconds, longest) * 1000);
        return {
          Credentials: wireCredentials(credentials),
        };
      },

      async GetAccessKeyInfo(input) {
        const id = input.AccessKeyId!;
        const key = await iam.identities.find(id);
        const account = key && 'account' in key.principal ? key.principal.account : undefined;
        if (account === undefined)
          throw new AwsError('ValidationError', `The access key ${id} is not known.`, { status: 400 });
        return { Account: account };
      },
    },
    permissions: (operation, input) => [
      { action: `sts:${operation}`, resources: [operation === 'AssumeRole' ? roleArnOf(input) : '*'] },
    ],
  });
}

function roleArnOf(input: unknown): string {
  const arn = (input as { readonly RoleArn?: unknown }).RoleArn;
  return typeof arn === 'string' ? arn : formatArn({ service: 'iam', region: '', account: '*', resource: 'role/*' });
}

/** Temporary credentials cannot make more of their kind. */
function longTermPrincipal({ principal }: CallContext): Extract<CallContext['principal'], { kind: 'user' | 'root' }> {
  const isLongTerm =
    (principal.kind === 'user' || principal.kind === 'root') && !principal.accessKeyId.startsWith('ASIA');
  if (!isLongTerm)
    throw new AwsError('AccessDenied', 'Cannot call GetSessionToken with session credentials', { status: 403 });
  return principal;
}
