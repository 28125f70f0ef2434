/**
 * All that a controller, a kubelet, a proxy or a test may do to a cluster. Two adapters: in process (`apiserver/`, without sockets or copies) and over HTTPS
 * (`http-client.ts`), so that a component does not know which side of a socket it is on. Every call is authenticated, authorised and admitted as the
 * client's user.
 *
 * Errors are `StatusError` with upstream's reasons. A `signal` that aborts ends the call.
 *
 * **Example.** `await client.patch(pods, { namespace: 'default', name: 'web' }, { kind: 'merge', body: { metadata: { labels: { a: 'b' } } } })`.
 */
import type { KubernetesObject, ObjectName, ResourceType } from '../object.ts';
import type { DeleteOptions } from '../types.ts';

export interface ApiClient {
  get<T extends KubernetesObject>(type: ResourceType<T>, name: ObjectName, options?: GetOptions): Promise<T>;
  list<T extends KubernetesObject>(type: ResourceType<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /**
   * Changes behind `resourceVersion` (default: from now). Ends when the signal aborts or the server ends it; throws `StatusError` `Expired` when
   * that version is no longer kept: list again.
   */
  watch<T extends KubernetesObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** The namespace is the object's own. */
  create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Replaces; throws `Conflict` if `metadata.resourceVersion` is set and no longer the object's. */
  update<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: SubresourceOptions): Promise<T>;
  patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    name: ObjectName,
    patch: Patch,
    options?: SubresourceOptions,
  ): Promise<T>;
  /** Resolves when the deletion is accepted: finalizers and grace may keep the object for a while. Throws `NotFound`. */
  delete(type: ResourceType, name: ObjectName, options?: DeleteOptions & CallOptions): Promise<void>;
  /** POST to a subresource that takes a body of its own kind: `pods/binding`, `pods/eviction`, `serviceaccounts/token`. Answers the server's object. */
  post<Answer extends KubernetesObject>(
    type: ResourceType,
    name: ObjectName,
    subresource: string,
    body: KubernetesObject,
    options?: CallOptions,
  ): Promise<Answer>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string;
  readonly isDryRun?: boolean;
}

export interface GetOptions extends CallOptions {
  /** `scale`: the answer is one, whatever the type. */
  readonly subresource?: string;
}

export interface SubresourceOptions extends WriteOptions {
  /** `status`, `scale`, `ephemeralcontainers`. */
  readonly subresource?: string;
  /** Server-side apply alone: take over fields of other managers. */
  readonly isForced?: boolean;
}

export type Patch =
  | { readonly kind: 'json'; readonly body: readonly object[] }
  | { readonly kind: 'merge' | 'strategic' | 'apply'; readonly body: object };

export interface Selection {
  /** Default: all namespaces. */
  readonly namespace?: string;
  /** `app=web,tier in (a, b)`. */
  readonly labelSelector?: string;
  /** `spec.nodeName=n1`. */
  readonly fieldSelector?: string;
}

export interface ListOptions extends CallOptions, Selection {
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Set when there is more. */
  readonly continue?: string;
}

export interface WatchOptions extends Selection {
  readonly resourceVersion?: string;
  readonly signal: AbortSignal;
}

/** A bookmark's object carries a resource version and nothing else. */
export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}
