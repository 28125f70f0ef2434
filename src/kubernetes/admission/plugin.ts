/** What admission plugins share: telling which request concerns them, refusing, waiting. */
import type { AdmissionRequest } from '../auth/user.ts';
import type { Informer, Informers } from '../client/informer.ts';
import type { KubernetesObject, ResourceType } from '../object.ts';
import { forbidden, type StatusError } from '../status.ts';
import type { Clock, Random } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { Authorizer } from '../auth/user.ts';

/** What the plugins of one API server are made from. */
export interface AdmissionParts {
  /** Acts as the API server itself: every right. Only what must be written at admission goes through it. */
  readonly client: ApiClient;
  /** The API server's own copies: a change is in them when the write that made it is answered. */
  readonly informers: Informers;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly random: Random;
}

/** True if the request makes a new object of the resource; a subresource (`pods/eviction`) is another matter. */
export function creates({ operation, type, subresource }: AdmissionRequest, of: ResourceType): boolean {
  return operation === 'CREATE' && !subresource && isOf(type, of);
}

export function isOf(type: ResourceType, of: ResourceType): boolean {
  return type.group === of.group && type.resource === of.resource;
}

export function refusal({ type, name }: AdmissionRequest, why: string): StatusError {
  return forbidden(type, name ? { name } : {}, why);
}

/** Several refusals as upstream's `utilerrors.NewAggregate` prints them. */
export function aggregate(messages: readonly string[]): string {
  const unique = [...new Set(messages)];
  return unique.length === 1 ? unique[0]! : `[${unique.join(', ')}]`;
}

/** An informer that is read only when its first list is in. */
export function reader<T extends KubernetesObject>(informer: Informer<T>): () => Promise<Informer<T>> {
  let synced: Promise<Informer<T>> | undefined;
  return () => (synced ??= informer.synced().then(() => informer));
}

/** A field that the published shape calls required, and that admission may find missing: it comes before validation. */
export function present<T>(value: T): T | undefined {
  return value ?? undefined;
}
