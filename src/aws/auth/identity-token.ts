/** Tokens by which an OpenID Connect provider vouches for somebody: JSON Web Tokens, RFC 7519. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { AwsError } from '../errors.ts';

/** The keys of issuers that live here: PEM of the public key, or undefined for an issuer that does not. */
export type IssuerKeys = (issuer: string) => Promise<string | undefined>;

const MAX_TOKEN_LENGTH = 20_000;

export interface IdentityClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  /** Everything it says, the claims that only its issuer knows among them. */
  readonly payload: { readonly [claim: string]: unknown };
}

/** What a token says, once its issuer's key and its dates were checked. Throws STS's `InvalidIdentityToken` and `ExpiredTokenException`. */
export async function verifyIdentityToken(
  token: string,
  { issuerKeys, now }: { readonly issuerKeys: IssuerKeys; readonly now: number },
): Promise<IdentityClaims> {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.');
  if (token.length > MAX_TOKEN_LENGTH || rest.length) throw invalidIdentityToken('The token is not a JSON Web Token');
  const { alg } = parsed(header);
  const claims = parsed(payload);
  const { iss, sub, aud, exp, nbf } = claims;
  if (typeof iss !== 'string' || typeof sub !== 'string' || typeof exp !== 'number')
    throw invalidIdentityToken('The token lacks iss, sub or exp');
  const key = await issuerKeys(iss);
  if (key === undefined) throw invalidIdentityToken(`Couldn't retrieve verification key from your identity provider`);
  const signed = Buffer.from(`${header}.${payload}`);
  if (!isSigned(createPublicKey(key), alg, { signed, signature: Buffer.from(signature, 'base64url') }))
    throw invalidIdentityToken('The signature of the token is not valid');
  if (now >= exp * 1000)
    throw new AwsError('ExpiredTokenException', 'Token expired: current date/time is past its exp', { status: 400 });
  if (typeof nbf === 'number' && now < nbf * 1000) throw invalidIdentityToken('The token is not valid yet');
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === 'string');
  return { iss, sub, aud: audiences, payload: claims };
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
  throw invalidIdentityToken('The token is not a JSON Web Token');
}

export function invalidIdentityToken(message: string): AwsError {
  return new AwsError('InvalidIdentityToken', message, { status: 400 });
}
