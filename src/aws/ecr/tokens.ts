import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { DabbaError, type Clock } from '#base';
import { Collection, type Store } from '#store';
import type { RegistryOperation } from '#registry';
import type { Identities, Principal } from '../auth/index.ts';

const TOKEN_LIFE_MS = 12 * 60 * 60 * 1000;
const USER_NAME = 'AWS';

/** What a token lets its bearer do: act as the principal, perhaps only in one respect. */
export interface Grant {
  readonly principal: Principal;
  readonly expiresAt: number;
  /** Of a download URL: the one operation on the one repository it is for. */
  readonly only?: { readonly repositoryArn: string; readonly operation: RegistryOperation };
}

/**
 * Registry passwords: a grant signed with a key that lives in the store, so they outlive restarts and need no record of their own. They hold
 * no rights: what the principal may do is decided anew at each use.
 */
export interface Tokens {
  /** A password for 12 hours, or until `expiresAt`. */
  issue(
    grant: Pick<Grant, 'principal' | 'only'> & { readonly expiresAt?: number },
  ): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** The grant in an `Authorization` header; undefined without one. Throws `Unauthenticated`, or `PermissionDenied` once it has expired. */
  verify(authorization: string | undefined): Promise<Grant | undefined>;
}

/** `Basic` credentials of a token. */
export function basicAuthorization(token: string): string {
  return `Basic ${Buffer.from(`${USER_NAME}:${token}`).toString('base64')}`;
}

export function createTokens(options: {
  readonly store: Store;
  readonly identities: Pick<Identities, 'find'>;
  readonly clock: Clock;
}): Tokens {
  const { store, identities, clock } = options;
  return {
    async issue({ principal, only, expiresAt = clock.now() + TOKEN_LIFE_MS }) {
      const grant: Grant = { principal, expiresAt, ...(only && { only }) };
      const payload = Buffer.from(JSON.stringify(grant)).toString('base64url');
      return { token: `${payload}.${signature(await signingKey(store), payload)}`, expiresAt };
    },

    async verify(authorization) {
      if (authorization === undefined) return undefined;
      const grant = readGrant(passwordOf(authorization), await signingKey(store));
      if (grant.expiresAt <= clock.now())
        throw new DabbaError('PermissionDenied', 'Your authorization token has expired. Reauthenticate and try again.');
      const { principal } = grant;
      // A session outlives its credentials here, as it does in AWS; a key that was deleted or switched off does not.
      if (principal.kind === 'user' || principal.kind === 'root')
        if (!(await identities.find(principal.accessKeyId))) throw badToken();
      return grant;
    },
  };
}

function passwordOf(authorization: string): string {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=_-]+)$/i.exec(authorization.trim()) ?? [];
  const text = Buffer.from(encoded ?? '', 'base64').toString('utf8');
  if (!text.startsWith(`${USER_NAME}:`)) throw badToken();
  return text.slice(USER_NAME.length + 1);
}

function readGrant(token: string, key: Buffer): Grant {
  const [payload, given] = token.split('.');
  if (!payload || !given) throw badToken();
  const [expected, actual] = [Buffer.from(signature(key, payload)), Buffer.from(given)];
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) throw badToken();
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Grant; // we signed it, so we wrote it
}

function signature(key: Buffer, payload: string): string {
  return createHmac('sha256', key).update(payload).digest('base64url');
}

interface SigningKey {
  readonly secret: string;
}

/** Read each time: a reset of all state takes the key, and with it every token, away. */
async function signingKey(store: Store): Promise<Buffer> {
  const keys = new Collection<SigningKey>(store, 'ecr/token-keys/');
  const found = await keys.get('current');
  if (found) return Buffer.from(found.value.secret, 'base64');
  // Whoever is first decides; the others read what it wrote.
  await store.txn({
    compare: [keys.ifAbsent('current')],
    success: [keys.put('current', { secret: randomBytes(32).toString('base64') })],
  });
  return await signingKey(store);
}

function badToken(): DabbaError {
  return new DabbaError('Unauthenticated', 'Your Authorization Token is invalid.');
}
