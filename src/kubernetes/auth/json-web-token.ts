/** Compact JSON web tokens (RFC 7515, 7519) signed with one key pair: the form of service-account tokens. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';

export interface SigningKey {
  readonly algorithm: 'ES256' | 'RS256';
  /** The key's id: SHA-256 over its SubjectPublicKeyInfo, as upstream's `keyIDFromPublicKey` makes it. */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A new P-256 key pair in PEM, as `ClusterSettings.serviceAccountKey` wants it. */
export function createSigningKey(): { readonly privateKeyPem: string; readonly publicKeyPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }),
  };
}

/** Reads a key pair. Throws an `Error` for keys that are neither P-256 nor RSA. */
export function readSigningKey({
  privateKeyPem,
  publicKeyPem,
}: {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}): SigningKey {
  const privateKey = createPrivateKey(privateKeyPem);
  const publicKey = createPublicKey(publicKeyPem);
  const isP256 = publicKey.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!isP256 && publicKey.asymmetricKeyType !== 'rsa')
    throw new Error('tokens are signed with P-256 or RSA keys only');
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return {
    algorithm: isP256 ? 'ES256' : 'RS256',
    id: createHash('sha256').update(der).digest('base64url'),
    privateKey,
    publicKey,
  };
}

export function signToken(key: SigningKey, claims: object): string {
  const signed = `${encode({ alg: key.algorithm, kid: key.id })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** The claims of a token, unproven: to see whose it claims to be. Undefined for what is no token. */
export function peekClaims(token: string): { readonly [claim: string]: unknown } | undefined {
  const parts = token.split('.');
  return parts.length === 3 ? decode(parts[1]!) : undefined;
}

/** True if `key` signed the token, by the one algorithm that is the key's: what the header says is compared, never obeyed. */
export function isSignedBy(key: SigningKey, token: string): boolean {
  const end = token.lastIndexOf('.');
  const header = decode(token.slice(0, token.indexOf('.')));
  if (header?.['alg'] !== key.algorithm) return false;
  return verify(
    'sha256',
    Buffer.from(token.slice(0, end)),
    { key: key.publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(token.slice(end + 1), 'base64url'),
  );
}

/** The key set that lets others verify (RFC 7517). */
export function keySetOf(key: SigningKey): object {
  return { keys: [{ use: 'sig', ...key.publicKey.export({ format: 'jwk' }), kid: key.id, alg: key.algorithm }] };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): { readonly [claim: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
