import type { Clock } from '#base';
import type { ApiClient } from '../../client/client.ts';
import type { KubernetesObject } from '../../object.ts';
import { serviceAccounts } from '../../resources.ts';
import type { PodRef } from '../identity.ts';

/** `authentication.k8s.io/v1` TokenRequest, as far as the kubelet speaks it. */
interface TokenRequest extends KubernetesObject {
  readonly spec?: {
    readonly audiences: readonly string[];
    readonly expirationSeconds: number;
    readonly boundObjectRef: {
      readonly apiVersion: string;
      readonly kind: string;
      readonly name: string;
      readonly uid: string;
    };
  };
  readonly status?: { readonly token: string; readonly expirationTimestamp: string };
}

interface Issued {
  readonly token: string;
  readonly refreshAt: number;
}

const longestAgeMs = 24 * 3_600_000;
/** Of its life, after which a token is replaced. */
const freshPart = 0.8;

/** Tokens of one pod's service account, bound to the pod. Each is asked for again when four fifths of its life are over, at the latest after a day. */
export class PodTokens {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #pod: PodRef & { readonly serviceAccount: string };
  readonly #issued = new Map<string, Issued>();

  constructor(client: ApiClient, clock: Clock, pod: PodRef & { readonly serviceAccount: string }) {
    this.#client = client;
    this.#clock = clock;
    this.#pod = pod;
  }

  /** When the first of them wants replacing; undefined when there is none. */
  get refreshAt(): number | undefined {
    const times = Array.from(this.#issued.values(), (issued) => issued.refreshAt);
    return times.length ? Math.min(...times) : undefined;
  }

  async get(audience: string | undefined, expirationSeconds: number, signal: AbortSignal): Promise<string> {
    const key = `${expirationSeconds} ${audience ?? ''}`;
    const known = this.#issued.get(key);
    const now = this.#clock.now();
    if (known && now < known.refreshAt) return known.token;
    const { namespace, name, uid, serviceAccount } = this.#pod;
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: audience ? [audience] : [], expirationSeconds, boundObjectRef },
    };
    const { status } = await this.#client.post<TokenRequest>(
      serviceAccounts,
      { namespace, name: serviceAccount },
      'token',
      request,
      { signal },
    );
    if (!status) throw new Error('the server answered a token request without a token');
    const livesMs = Date.parse(status.expirationTimestamp) - now;
    this.#issued.set(key, { token: status.token, refreshAt: now + Math.min(livesMs * freshPart, longestAgeMs) });
    return status.token;
  }
}
