/** `metadata.managedFields` of what is written: who owns which fields, in the version that he spoke. */
import { isoSeconds } from '#base';
import { apiVersionOf, type KubernetesObject } from '../../object.ts';
import type { Versions } from '../../merge/versions.ts';
import { type ApiParts, type Call, schemaOf } from '../parts.ts';
import type { ServedVersion } from '../resource.ts';

/** `next`, as it would be stored, after a write that was no apply. */
export function tracksManagers(
  parts: ApiParts,
  call: Call,
  next: KubernetesObject,
  live?: KubernetesObject,
): KubernetesObject {
  const schema = schemaOf(parts, call);
  if (!schema) return next;
  const { conversion, fromStored } = call.version;
  const isOther = !conversion && fromStored !== undefined;
  const shown = (object: KubernetesObject) => (isOther ? fromStored(object) : object);
  const tracked = parts.merge.trackManagers({
    schema,
    live: live && shown(live),
    next: shown(next),
    manager: call.fieldManager,
    ...(call.subresource !== undefined && { subresource: call.subresource }),
    now: isoSeconds(parts.clock.now()),
    versions: versionsOf(parts, call),
  });
  if (!isOther) return tracked;
  const { managedFields: _, ...metadata } = next.metadata ?? {};
  const managedFields = tracked.metadata?.managedFields;
  return { ...next, metadata: { ...metadata, ...(managedFields && { managedFields }) } };
}

/** The other versions of the resource, but for those that a webhook converts: nobody is asked while fields are compared. */
export function versionsOf(parts: ApiParts, { resource, version }: Call): Versions | undefined {
  const { versions } = resource;
  if (versions.length === 1 || versions.some(({ conversion }) => conversion)) return undefined;
  const through = (from: ServedVersion, to: ServedVersion) => (object: KubernetesObject) => {
    const stored = from.toStored ? from.toStored(object) : object;
    return to.fromStored ? to.fromStored(stored) : stored;
  };
  return (apiVersion) => {
    const other = versions.find((each) => apiVersionOf(each) === apiVersion);
    const schema = other && other !== version ? schemaOf(parts, { resource, version: other }) : undefined;
    return schema && { schema, of: through(version, other!), from: through(other!, version) };
  };
}
