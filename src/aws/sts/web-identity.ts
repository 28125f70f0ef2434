/** AssumeRoleWithWebIdentity: a role for whoever an OpenID Connect provider vouches for, such as a pod by its service-account token. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { Clock } from '#base';
import { AwsError } from '../errors.ts';
import { checkPolicy, findOidcProvider, findRole, oidcProviderArn, rolePrincipal, type Iam } from '../iam/index.ts';
import type { Handlers } from '../service.ts';

type AssumeRoleWithWebIdentity = NonNullable<
  Handlers<typeof import('@aws-sdk/client-sts')>['AssumeRoleWithWebIdentity']
>;

/** The keys of issuers that live here: PEM of the public key, or undefined for an issuer that does not. */
export type IssuerKeys = (issuer: string) => Promise<string | undefined>;

const MAX_TOKEN_LENGTH = 20_000;
const DEFAULT_SECONDS = 3600;

interface Claims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
}

export function webIdentityHandler(iam: Iam, clock: Clock, issuerKeys: IssuerKeys): AssumeRoleWithWebIdentity {
  return async (input, context) => {
    const seconds = input.DurationSeconds ?? DEFAULT_SECONDS;
    if (!/^[\w+=,.@-]{2,64}$/.test(input.RoleSessionName!)) throw invalid('The role session name is not valid.');
    if (seconds < 900) throw invalid('DurationSeconds must be at least 900.');
    if (input.PolicyArns?.length)
      throw new AwsError('UnsupportedOperation', 'dabba does not honour PolicyArns of web identities yet.', {
        status: 501,
      });
    const claims = await verified(input.WebIdentityToken!, { issuerKeys, now: clock.now() });
    const role = findRole(iam.directory, input.RoleArn!);
    const account = role?.account ?? '';
    const provider = findOidcProvider(iam.directory, account, claims.iss);
    if (!provider) throw badToken('No OpenIDConnect provider found in your account for ' + claims.iss);
    const audience = claims.aud.find((each) => provider.clientIds.includes(each));
    if (audience === undefined) throw badToken('Incorrect token audience');
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
      Credentials: {
        AccessKeyId: credentials.accessKeyId,
        SecretAccessKey: credentials.secretAccessKey,
        SessionToken: credentials.sessionToken,
        Expiration: new Date(credentials.expiresAt),
      },
      AssumedRoleUser: { AssumedRoleId: principal.principalId, Arn: principal.arn },
      SubjectFromWebIdentityToken: claims.sub,
      Audience: audience,
      Provider: oidcProviderArn(provider),
    };
  };
}

async function verified(
  token: string,
  { issuerKeys, now }: { readonly issuerKeys: IssuerKeys; readonly now: number },
): Promise<Claims> {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.');
  if (token.length > MAX_TOKEN_LENGTH || rest.length) throw badToken('The token is not a JSON Web Token');
  const { alg } = parsed(header);
  const { iss, sub, aud, exp, nbf } = parsed(payload);
  if (typeof iss !== 'string' || typeof sub !== 'string' || typeof exp !== 'number')
    throw badToken('The token lacks iss, sub or exp');
  const key = await issuerKeys(iss);
  if (key === undefined) throw badToken(`Couldn't retrieve verification key from your identity provider`);
  const signed = Buffer.from(`${header}.${payload}`);
  if (!isSigned(createPublicKey(key), alg, { signed, signature: Buffer.from(signature, 'base64url') }))
    throw badToken('The signature of the token is not valid');
  if (now >= exp * 1000)
    throw new AwsError('ExpiredTokenException', 'Token expired: current date/time is past its exp', { status: 400 });
  if (typeof nbf === 'number' && now < nbf * 1000) throw badToken('The token is not valid yet');
  return { iss, sub, aud: (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === 'string') };
}

/** The algorithm is the key's own; a header that says another, `none` among them, is wrong. */
function isSigned(
  key: KeyObject,
  algorithm: unknown,
  { signed, signature }: { readonly signed: Buffer; readonly signature: Buffer },
): boolean {
  if (key.asymmetricKeyType === 'rsa') return algorithm === 'RS256' && verify('sha256', signed, key, signature);
  return algorithm === 'ES256' && verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function parsed(part: string): { readonly [claim: string]: unknown } {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as { readonly [claim: string]: unknown };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw badToken('The token is not a JSON Web Token');
}

function badToken(message: string): AwsError {
  return new AwsError('InvalidIdentityToken', message, { status: 400 });
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationError', message, { status: 400 });
}
