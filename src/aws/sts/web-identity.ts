/** AssumeRoleWithWebIdentity: a role for whoever an OpenID Connect provider vouches for, such as a pod by its service-account token. */
import type { Clock } from '#base';
import { invalidIdentityToken, verifyIdentityToken, type IssuerKeys } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import { checkPolicy, findOidcProvider, findRole, oidcProviderArn, rolePrincipal, type Iam } from '../iam/index.ts';
import type { Handlers } from '../service.ts';
import { wireCredentials } from './wire-credentials.ts';

type AssumeRoleWithWebIdentity = NonNullable<
  Handlers<typeof import('@aws-sdk/client-sts')>['AssumeRoleWithWebIdentity']
>;

const DEFAULT_SECONDS = 3600;

export function webIdentityHandler(iam: Iam, clock: Clock, issuerKeys: IssuerKeys): AssumeRoleWithWebIdentity {
  return async (input, context) => {
    const seconds = input.DurationSeconds ?? DEFAULT_SECONDS;
    if (!/^[\w+=,.@-]{2,64}$/.test(input.RoleSessionName!)) throw invalid('The role session name is not valid.');
    if (seconds < 900) throw invalid('DurationSeconds must be at least 900.');
    if (input.PolicyArns?.length)
      throw new AwsError('UnsupportedOperation', 'dabba does not honour PolicyArns of web identities yet.', {
        status: 501,
      });
    const claims = await verifyIdentityToken(input.WebIdentityToken!, { issuerKeys, now: clock.now() });
    const role = findRole(iam.directory, input.RoleArn!);
    const account = role?.account ?? '';
    const provider = findOidcProvider(iam.directory, account, claims.iss);
    if (!provider) throw invalidIdentityToken(`No OpenIDConnect provider found in your account for ${claims.iss}`);
    const audience = claims.aud.find((each) => provider.clientIds.includes(each));
    if (audience === undefined) throw invalidIdentityToken('Incorrect token audience');
    const { allowed } = await iam.authorizer.decide({
      principal: { kind: 'federated', account: provider.account, arn: oidcProviderArn(provider) },
      action: 'sts:AssumeRoleWithWebIdentity',
      resource: input.RoleArn!,
      account: provider.account,
      context: {
        'aws:SourceIp': context.sourceIp,
        'sts:RoleSessionName': input.RoleSessionName,
        [`${provider.url}:aud`]: audience,
        [`${provider.url}:sub`]: claims.sub,
      },
      resourcePolicy: { document: role!.trustPolicy, isTrust: true },
    });
    if (!allowed)
      throw new AwsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', { status: 403 });
    if (seconds > role!.maxSessionSeconds)
      throw invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
    const principal = rolePrincipal(role!, {
      sessionName: input.RoleSessionName!,
      sessionPolicies: input.Policy === undefined ? [] : [checkPolicy(input.Policy, 'identity')],
      issuedAt: clock.now(),
    });
    const credentials = await iam.sessions.create(principal, seconds * 1000);
    return {
      Credentials: wireCredentials(credentials),
      AssumedRoleUser: { AssumedRoleId: principal.principalId, Arn: principal.arn },
      SubjectFromWebIdentityToken: claims.sub,
      Audience: audience,
      Provider: oidcProviderArn(provider),
    };
  };
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationError', message, { status: 400 });
}
