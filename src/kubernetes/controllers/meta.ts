/** Reading what every stored object has. */
import { isoSeconds, type Clock } from '#base';
import { mergePatch } from '../merge/merge-patch.ts';
import type { KubernetesObject } from '../object.ts';
import type { ObjectMeta } from '../types.ts';

/** The metadata of an object that a server stored: it has an identity. */
export interface StoredMeta extends ObjectMeta {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
}

/** The metadata of a stored object; of a draft, wrong. */
export function metaOf({ metadata }: KubernetesObject): StoredMeta {
  return metadata as StoredMeta;
}

/** Which object, as client calls name it. */
export function nameOf(object: KubernetesObject): { readonly namespace?: string | undefined; readonly name: string } {
  const { namespace, name } = metaOf(object);
  return namespace ? { namespace, name } : { name };
}

/**
 * The object with a merge patch in it, to be written as an update: the roles of some controllers hold `update` and not `patch`. The version it was read at stays, so that
 * whoever wrote meanwhile is not overwritten.
 */
export function changed<T extends KubernetesObject>(object: T, patch: object): T {
  // A patch of members of the kind.
  return mergePatch(object, patch) as T;
}

export function isDeleting(object: KubernetesObject): boolean {
  return object.metadata?.deletionTimestamp !== undefined;
}

/** RFC 3339, second precision, as Kubernetes writes instants. */
export function timestampOf(clock: Clock): string {
  return isoSeconds(clock.now());
}

/** Milliseconds since the epoch; absent is never. */
export function instantOf(timestamp: string | undefined): number {
  return timestamp === undefined ? Number.POSITIVE_INFINITY : Date.parse(timestamp);
}

/** Oldest first, then by name. */
export function byAge(a: KubernetesObject, b: KubernetesObject): number {
  const [first, second] = [metaOf(a), metaOf(b)];
  return (
    instantOf(first.creationTimestamp) - instantOf(second.creationTimestamp) || compareText(first.name, second.name)
  );
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** The object without the fields that are undefined, zero or an empty list: Go's `omitempty`, for statuses. */
export function omitEmpty<T extends object>(fields: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const isEmpty = (value: unknown) => value === undefined || value === 0 || (Array.isArray(value) && !value.length);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value))) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}

/** The object without the fields that are undefined. */
export function omitUndefined<T extends object>(fields: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>;
  };
}
