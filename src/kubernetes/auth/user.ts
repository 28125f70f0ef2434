/** Who asks, what for, and the answer: the vocabulary of authentication, authorisation and admission. */
import type { KubernetesObject, ResourceType } from '../object.ts';
import type { FieldError } from '../status.ts';
import type { ApiClient } from '../client/client.ts';

/** A user as an authenticator proves it. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] };
}

/** Where a token was shown: by a client on this machine's loopback, or by something that runs in the cluster, or by whoever had it reviewed. */
export type TokenOrigin = 'loopback' | 'cluster';

/** Knows a bearer token, or does not (undefined). Throws only when it cannot tell. */
export interface TokenAuthenticator {
  readonly name: string;
  authenticate(token: string, signal: AbortSignal, origin: TokenOrigin): Promise<UserInfo | undefined>;
}

/** What a request wants to do: upstream's `authorizer.Attributes`. */
export type Attributes =
  | {
      readonly kind: 'resource';
      readonly user: UserInfo;
      /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or a special verb. */
      readonly verb: string;
      readonly group: string;
      readonly version: string;
      readonly resource: string;
      readonly subresource?: string;
      readonly namespace?: string;
      readonly name?: string;
    }
  | { readonly kind: 'path'; readonly user: UserInfo; readonly verb: string; readonly path: string };

export interface Decision {
  readonly isAllowed: boolean;
  /** Why it was refused, for the user, or what allowed it, for whoever reads the audit log; empty when there is nothing to say. */
  readonly reason: string;
}

export interface Authorizer {
  authorize(attributes: Attributes): Promise<Decision>;
}

export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly type: ResourceType;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
  /** What would be stored; undefined for DELETE. */
  readonly object: KubernetesObject | undefined;
  /** What is stored; undefined for CREATE. */
  readonly oldObject: KubernetesObject | undefined;
  readonly user: UserInfo;
  readonly isDryRun: boolean;
}

/** One step of admission, in upstream's order. Both throw `StatusError` to refuse. */
export interface AdmissionPlugin {
  readonly name: string;
  /** What it changes somebody else has written: unknown fields of it are dropped, as of what a client sends. */
  readonly isForeign?: boolean;
  /** Returns the object to go on with, changed or not. */
  mutate?(request: AdmissionRequest): Promise<KubernetesObject>;
  /** Returns warnings for the client. */
  validate?(request: AdmissionRequest): Promise<readonly string[]>;
}

/** What admission plugins and authorisers read of the cluster they guard. */
export interface PolicyParts {
  /** Acts as the API server itself: every right, no admission loop beyond the ordinary. */
  readonly client: ApiClient;
}

/** Upstream's validation of one kind: nothing wrong is an empty list. `old` is given on update. */
export type Validate = (object: KubernetesObject, old: KubernetesObject | undefined) => readonly FieldError[];
