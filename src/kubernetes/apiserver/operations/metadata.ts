/** What every write does to `metadata`. Source: apiserver `registry/rest/create.go`, `update.go`, `meta.go`. */
import { isoSeconds } from '#base';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { conflict, StatusError } from '../../status.ts';
import type { ObjectMeta } from '../../types.ts';
import type { Draft } from '../draft.ts';
import type { ApiParts, NamedCall, Call } from '../parts.ts';

/** Letters of generated names: no vowels, so no words; apimachinery `util/rand`. */
const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const GENERATED_LENGTH = 5;
const MAX_GENERATED_BASE = 63 - GENERATED_LENGTH;

export function metaOf(object: Draft<KubernetesObject>): Draft<ObjectMeta> {
  return (object.metadata ??= {});
}

/** The namespace of the call becomes the object's; another one is refused. */
export function placeInNamespace(object: Draft<KubernetesObject>, { resource, namespace }: Call): void {
  const meta = metaOf(object);
  if (!resource.type.isNamespaced) {
    if (meta.namespace) delete meta.namespace;
    return;
  }
  if (meta.namespace && namespace && meta.namespace !== namespace)
    throw new StatusError(
      'BadRequest',
      `the namespace of the provided object does not match the namespace sent on the request`,
    );
  const own = meta.namespace ?? namespace;
  if (!own) throw new StatusError('BadRequest', 'an empty namespace may not be set during creation');
  meta.namespace = own;
}

/** A name behind `metadata.generateName`, when no name was given. */
export function generateName({ random }: Pick<ApiParts, 'random'>, meta: Draft<ObjectMeta>): void {
  if (meta.name || !meta.generateName) return;
  meta.name = meta.generateName.slice(0, MAX_GENERATED_BASE) + random.text(GENERATED_LENGTH, nameAlphabet);
}

/** What the system alone says of a new object. */
export function fillNewMetadata({ clock, random }: Pick<ApiParts, 'clock' | 'random'>, meta: Draft<ObjectMeta>): void {
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.selfLink;
  delete meta.generation;
  meta.uid = random.uuid();
  meta.creationTimestamp = isoSeconds(clock.now());
}

/** What an update may not change: kept from the old object. Throws `Conflict` and `BadRequest` for what contradicts it. */
export function keepMetadata(next: Draft<KubernetesObject>, old: KubernetesObject, call: NamedCall): void {
  const meta = metaOf(next);
  const was = old.metadata ?? {};
  if (meta.name === undefined || meta.name === '') meta.name = call.name;
  if (meta.name !== call.name)
    throw new StatusError(
      'BadRequest',
      `the name of the object (${meta.name}) does not match the name on the URL (${call.name})`,
    );
  placeInNamespace(next, call);
  if (meta.uid && meta.uid !== was.uid)
    throw conflict(
      typeOf(call),
      call.name,
      `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${was.uid}`,
    );
  copy(meta, was, [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'generateName',
  ]);
  delete meta.selfLink;
  dropEmpty(meta);
}

/** Empty maps and lists are not written, as upstream's `omitempty`. */
export function dropEmpty(meta: Draft<ObjectMeta>): void {
  for (const field of ['labels', 'annotations'] as const)
    if (meta[field] && !Object.keys(meta[field]).length) delete meta[field];
  for (const field of ['finalizers', 'ownerReferences', 'managedFields'] as const)
    if (meta[field]?.length === 0) delete meta[field];
}

function copy<Key extends keyof ObjectMeta>(to: Draft<ObjectMeta>, from: ObjectMeta, keys: readonly Key[]): void {
  for (const key of keys) {
    // Both sides are the same member of the same type; a draft differs by being writable only.
    if (from[key] === undefined) delete to[key];
    else (to as { [K in Key]?: unknown })[key] = from[key];
  }
}

/** How messages name what a call is about: the group the client used. */
export function typeOf({ resource, version }: Call): Pick<ResourceType, 'group' | 'resource' | 'kind'> {
  return { group: version.group, resource: resource.type.resource, kind: version.kind };
}
