/** Who a request comes from: client certificate, then bearer token, then nobody. Upstream: `authenticator` in `kubeapiserver/authenticator`. */
import type { X509Certificate } from 'node:crypto';
import { StatusError } from '../status.ts';
import type { TokenReview } from '../types.ts';
import { userOfCertificate } from './certificates.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';
import type { TokenAuthenticator, TokenOrigin, UserInfo } from './user.ts';

export interface AuthenticationParts {
  readonly serviceAccountTokens: ServiceAccountTokens;
  /** Asked in order for tokens that are no service account's. */
  readonly tokenAuthenticators: readonly TokenAuthenticator[];
}

export interface Credential {
  /** The peer's certificate, only when its chain was verified against the cluster's authority. */
  readonly certificate?: X509Certificate | undefined;
  /** The value of the `Authorization` header. */
  readonly authorization?: string | undefined;
  /** Default: loopback. */
  readonly origin?: TokenOrigin;
}

export interface Authentication {
  /** Throws `Unauthorized` for a token nobody knows; without any credential the user is `system:anonymous`. */
  authenticate(credential: Credential, signal: AbortSignal): Promise<UserInfo>;
  /** Answers a TokenReview: `authentication.k8s.io/v1`. */
  reviewToken(review: TokenReview, signal: AbortSignal): Promise<TokenReview>;
}

const anonymous: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };

export function createAuthentication({
  serviceAccountTokens,
  tokenAuthenticators,
}: AuthenticationParts): Authentication {
  async function ofToken(
    token: string,
    audiences: readonly string[],
    { signal, origin }: { readonly signal: AbortSignal; readonly origin: TokenOrigin },
  ): Promise<{ readonly user: UserInfo; readonly audiences: readonly string[] } | { readonly reason: string }> {
    const verdict = await serviceAccountTokens.verify(token, { audiences, signal });
    if (verdict.kind === 'user') return { user: authenticated(verdict.user), audiences: verdict.audiences };
    if (verdict.kind === 'refused') return { reason: verdict.reason };
    // What other authenticators know is good for the API server itself and for no other audience.
    const shared = audiences.filter((audience) => serviceAccountTokens.audiences.includes(audience));
    if (shared.length === 0) return { reason: 'invalid bearer token' };
    for (const authenticator of tokenAuthenticators) {
      const user = await authenticator.authenticate(token, signal, origin);
      if (user) return { user: authenticated(user), audiences: shared };
    }
    return { reason: 'invalid bearer token' };
  }

  return {
    async authenticate({ certificate, authorization, origin = 'loopback' }, signal) {
      const byCertificate = certificate && userOfCertificate(certificate);
      if (byCertificate) return authenticated(byCertificate);
      const token = authorization === undefined ? undefined : bearerToken(authorization);
      if (token === undefined) return anonymous;
      const answer = await ofToken(token, serviceAccountTokens.audiences, { signal, origin });
      if ('reason' in answer) throw new StatusError('Unauthorized', 'Unauthorized');
      return answer.user;
    },

    async reviewToken(review, signal) {
      const { token = '', audiences } = review.spec ?? {};
      if (!token) throw new StatusError('BadRequest', 'token is required for TokenReview in authentication');
      const wanted = audiences?.length ? audiences : serviceAccountTokens.audiences;
      const answer = await ofToken(token, wanted, { signal, origin: 'cluster' });
      const status =
        'reason' in answer
          ? { user: {}, error: `[${answer.reason}]` }
          : { authenticated: true, user: wireUser(answer.user), audiences: answer.audiences };
      return { ...review, status };
    },
  };
}

/** A user in the spelling of the API. */
export function wireUser({ username, uid, groups, extra }: UserInfo) {
  return { username, ...(uid && { uid }), groups: [...groups], ...(extra && { extra }) };
}

/** Everyone who proved who they are is in `system:authenticated`; upstream's `AuthenticatedGroupAdder`. */
export function authenticated(user: UserInfo): UserInfo {
  if (user.username === 'system:anonymous') return user;
  if (user.groups.includes('system:authenticated') || user.groups.includes('system:unauthenticated')) return user;
  return { ...user, groups: [...user.groups, 'system:authenticated'] };
}

function bearerToken(authorization: string): string | undefined {
  const match = /^bearer +(\S+)/i.exec(authorization.trim());
  return match?.[1];
}
