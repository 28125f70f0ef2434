/**
 * The tokens by which pods and other bearers act as a service account: issued by the `token` subresource, bound to what they were issued for, good only
 * while all of it exists. Claims and refusals are upstream's `pkg/serviceaccount`.
 */
import type { Clock, Random } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { KubernetesObject, ResourceType } from '../object.ts';
import { nodes, pods, secrets, serviceAccounts } from '../resources.ts';
import { isStatusError } from '../status.ts';
import { isSignedBy, keySetOf, peekClaims, readSigningKey, signToken } from './json-web-token.ts';
import type { UserInfo } from './user.ts';

/** An object that a token is bound to: gone, or another one of the same name, ends the token. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node';
  readonly name: string;
  readonly uid: string;
}

export interface TokenClaims {
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly audiences: readonly string[];
  /** Absent only for the token that a secret holds, which is good for as long as the secret. */
  readonly lifeSeconds: number | undefined;
  readonly bound?: BoundObject | undefined;
  /** The node of a bound pod: told to whoever reviews the token, and not itself required to last. */
  readonly node?: { readonly name: string; readonly uid?: string | undefined } | undefined;
}

/** What became of a token that was shown. `unknown`: not one of ours at all, another authenticator may know it. */
export type Verdict =
  | { readonly kind: 'user'; readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly reason: string };

export interface ServiceAccountTokens {
  issue(claims: TokenClaims): { readonly token: string; readonly id: string; readonly expiresAt: number | undefined };
  /** `audiences`: those of which the token must be for one; default the API server's own. */
  verify(
    token: string,
    options: { readonly audiences?: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<Verdict>;
  /** What `/openid/v1/jwks` answers. */
  keySet(): object;
  /** What `/.well-known/openid-configuration` answers. */
  configuration(): object;
  /** The audiences of the API server. */
  readonly audiences: readonly string[];
}

export interface TokenParts {
  readonly key: { readonly privateKeyPem: string; readonly publicKeyPem: string };
  readonly issuer: string;
  /** The API server's audiences. Default: `https://kubernetes.default.svc`, the in-cluster name of it. */
  readonly audiences?: readonly string[];
  readonly client: Pick<ApiClient, 'get'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** A bound pod that is being deleted still counts for this long: upstream's leeway for what pods do in their last moments. */
const deletionLeewayMs = 60_000;
const maxTokenLength = 32 * 1024;

export function createServiceAccountTokens(parts: TokenParts): ServiceAccountTokens {
  const { issuer, clock, random } = parts;
  const key = readSigningKey(parts.key);
  const ownAudiences = parts.audiences ?? ['https://kubernetes.default.svc'];

  return {
    audiences: ownAudiences,
    issue(claims) {
      const id = random.uuid();
      const issuedAt = Math.floor(clock.now() / 1000);
      if (claims.lifeSeconds === undefined && claims.bound?.kind !== 'Secret')
        throw new Error('a token that does not expire is bound to a secret');
      const expiresAt = claims.lifeSeconds === undefined ? undefined : issuedAt + claims.lifeSeconds;
      const token = signToken(key, {
        aud: claims.audiences,
        ...(expiresAt !== undefined && { exp: expiresAt }),
        iat: issuedAt,
        iss: issuer,
        jti: id,
        'kubernetes.io': privateClaimsOf(claims),
        nbf: issuedAt,
        sub: usernameOf(claims.namespace, claims.serviceAccount.name),
      });
      return { token, id, expiresAt: expiresAt === undefined ? undefined : expiresAt * 1000 };
    },

    async verify(token, { audiences = ownAudiences, signal }) {
      if (token.length > maxTokenLength) return { kind: 'unknown' };
      const claims = peekClaims(token);
      if (claims?.['iss'] !== issuer) return { kind: 'unknown' };
      if (!isSignedBy(key, token)) return refused('invalid bearer token');
      // From here on the claims are ours, so their shape is known.
      const { exp, nbf, jti, aud, 'kubernetes.io': bound } = claims as unknown as SignedClaims;
      if (exp !== undefined && clock.now() >= exp * 1000) return refused('service account token has expired');
      if (clock.now() < nbf * 1000) return refused('service account token is not valid yet');
      const matched = audiences.filter((audience) => aud.includes(audience));
      if (matched.length === 0) {
        return refused(`token audiences ${goList(aud)} is invalid for the target audiences ${goList(audiences)}`);
      }
      const reason = await whyEnded(bound, signal);
      return reason ? refused(reason) : { kind: 'user', user: userOf(bound, jti), audiences: matched };
    },

    keySet: () => keySetOf(key),
    configuration: () => ({
      issuer,
      jwks_uri: `${issuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [key.algorithm],
    }),
  };

  /** Why a token is no longer good although its signature and its dates are; undefined when it is. */
  async function whyEnded(claims: PrivateClaims, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { namespace, serviceaccount, pod, secret, node } = claims;
    if (await isGone(serviceAccounts, namespace, serviceaccount, signal))
      return 'service account token has been invalidated';
    if (secret && (await isGone(secrets, namespace, secret, signal)))
      return 'service account token has been invalidated';
    if (pod && (await isGone(pods, namespace, pod, signal))) return 'service account token has been invalidated';
    // A pod's token names the pod's node as well, and outlives it: only a token bound to the node itself does not.
    if (node && !pod && (await isGone(nodes, undefined, node, signal)))
      return 'service account token has been invalidated';
    return undefined;
  }

  async function isGone(
    type: ResourceType,
    namespace: string | undefined,
    { name, uid }: ClaimedObject,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const found = await parts.client
      .get<KubernetesObject>(type, { namespace, name }, { ...(signal && { signal }) })
      .catch((error: unknown) => {
        if (isStatusError(error, 'NotFound')) return undefined;
        throw error;
      });
    if (!found?.metadata || found.metadata.uid !== uid) return true;
    const { deletionTimestamp } = found.metadata;
    return deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + deletionLeewayMs < clock.now();
  }
}

/** `system:serviceaccount:<namespace>:<name>`. */
export function usernameOf(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** Reads what `usernameOf` made; undefined for any other user. */
export function serviceAccountOf(username: string): { readonly namespace: string; readonly name: string } | undefined {
  const [system, type, namespace, name, ...rest] = username.split(':');
  if (system !== 'system' || type !== 'serviceaccount' || !namespace || !name || rest.length > 0) return undefined;
  return { namespace, name };
}

interface ClaimedObject {
  readonly name: string;
  readonly uid?: string | undefined;
}

/** The claim `kubernetes.io`. */
interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: ClaimedObject;
  readonly pod?: ClaimedObject;
  readonly secret?: ClaimedObject;
  readonly node?: ClaimedObject;
}

interface SignedClaims {
  readonly aud: readonly string[];
  readonly exp?: number;
  readonly nbf: number;
  readonly jti: string;
  readonly 'kubernetes.io': PrivateClaims;
}

function privateClaimsOf({ namespace, serviceAccount, bound, node }: TokenClaims): PrivateClaims {
  const claimed = bound && { name: bound.name, uid: bound.uid };
  const boundNode = bound?.kind === 'Node' ? claimed : node;
  return {
    namespace,
    ...(boundNode && { node: boundNode }),
    ...(bound?.kind === 'Pod' && { pod: claimed! }),
    ...(bound?.kind === 'Secret' && { secret: claimed! }),
    serviceaccount: { name: serviceAccount.name, uid: serviceAccount.uid },
  };
}

function userOf({ namespace, serviceaccount, pod, node }: PrivateClaims, id: string): UserInfo {
  const extra = {
    'authentication.kubernetes.io/credential-id': [`JTI=${id}`],
    ...(node && { 'authentication.kubernetes.io/node-name': [node.name] }),
    ...(node?.uid && { 'authentication.kubernetes.io/node-uid': [node.uid] }),
    ...(pod && { 'authentication.kubernetes.io/pod-name': [pod.name] }),
    ...(pod?.uid && { 'authentication.kubernetes.io/pod-uid': [pod.uid] }),
  };
  return {
    username: usernameOf(namespace, serviceaccount.name),
    ...(serviceaccount.uid && { uid: serviceaccount.uid }),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra,
  };
}

function refused(reason: string): Verdict {
  return { kind: 'refused', reason };
}

/** How Go prints a list of quoted strings. */
function goList(items: readonly string[]): string {
  return `[${items.map((item) => JSON.stringify(item)).join(' ')}]`;
}
