import { isDabbaError, type Clock } from '#base';
import type { TokenOrigin } from '#kubernetes';
import { readClaim, SignatureFault, SignatureVerifier, type Identities, type Principal } from '../../auth/index.ts';

/** Bearer tokens of `aws eks get-token`: a presigned `sts:GetCallerIdentity`, never sent to STS but checked as STS would. */
const PREFIX = 'k8s-aws-v1.';
const MAX_LENGTH = 16 * 1024;
/** The header by which a token is good for one cluster alone. */
const CLUSTER_HEADER = 'x-k8s-aws-id';
/** How long a token is good whatever its URL says: aws-iam-authenticator, "tokenverifier". */
const LIFETIME_MS = 15 * 60_000;

const parameters = new Set([
  'action',
  'version',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amz-user-agent',
]);

/** Who may call a cluster, by tokens of AWS. */
export interface CallerTokens {
  /** The principal that signed the token for this cluster; undefined for any other text. */
  verify(token: string, clusterName: string, origin: TokenOrigin): Promise<Principal | undefined>;
}

export function createCallerTokens(parts: {
  readonly identities: Pick<Identities, 'find'>;
  /** Who may sign tokens that are shown from within the cluster. */
  readonly guestIdentities: Pick<Identities, 'find'>;
  readonly clock: Clock;
}): CallerTokens {
  const verifier = new SignatureVerifier();
  return {
    async verify(token, clusterName, origin) {
      const identities = origin === 'cluster' ? parts.guestIdentities : parts.identities;
      const url = presignedUrl(token);
      if (!url) return undefined;
      try {
        return await signer(url, clusterName, { identities, clock: parts.clock, verifier });
      } catch (error) {
        if (error instanceof SignatureFault || isDabbaError(error, 'InvalidArgument')) return undefined;
        throw error;
      }
    },
  };
}

/** The URL in a token, if it asks who the caller is and nothing else. */
function presignedUrl(token: string): URL | undefined {
  if (!token.startsWith(PREFIX) || token.length > MAX_LENGTH) return undefined;
  const text = Buffer.from(token.slice(PREFIX.length), 'base64url').toString('utf8');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.pathname !== '/' || url.username || url.password) return undefined;
  const names = [...url.searchParams.keys()];
  const isKnown = names.every((name) => parameters.has(name.toLowerCase())) && new Set(names).size === names.length;
  return isKnown && url.searchParams.get('Action') === 'GetCallerIdentity' ? url : undefined;
}

async function signer(
  url: URL,
  clusterName: string,
  parts: { readonly identities: Pick<Identities, 'find'>; readonly clock: Clock; readonly verifier: SignatureVerifier },
): Promise<Principal | undefined> {
  const query = url.search.slice(1);
  const headers = { host: url.host, [CLUSTER_HEADER]: clusterName };
  const claim = readClaim(headers, query);
  if (claim?.form !== 'presigned' || claim.service !== 'sts' || !claim.signedHeaders.includes(CLUSTER_HEADER))
    return undefined;
  const key = await parts.identities.find(claim.accessKeyId);
  if (!key) return undefined;
  const request = { method: 'GET', path: '/', query, headers, body: Buffer.alloc(0) };
  parts.verifier.verify(request, { ...claim, lifetimeMs: LIFETIME_MS }, key, parts.clock.now());
  return key.principal;
}
