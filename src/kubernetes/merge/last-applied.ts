/** The annotation in which client-side `kubectl apply` keeps what it applied, so that server-side apply can take over from it and give back to it. */
import type { KubernetesObject } from '../object.ts';
import { isObject } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import { compare } from './compare.ts';
import { fieldSetOf } from './field-set-of.ts';
import type { FieldSet } from './field-set.ts';
import { difference, emptySet, union } from './field-set.ts';
import { withoutManagers } from './managed-fields.ts';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** Larger annotations cannot be stored. */
const mostBytes = 256 * 1024;

/** Fields that client-side apply set and that still have the value it set: `kubectl` may change them although others own them. */
export function allowedByLastApplied(live: KubernetesObject, schema: Schema): FieldSet {
  const text = live.metadata?.annotations?.[annotation];
  const applied = text === undefined ? undefined : parse(text);
  if (!applied) return emptySet;
  const { added, modified, removed } = compare(applied, live, schema);
  return difference(fieldSetOf(applied, schema), union(union(added, modified), removed));
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch (error) {
    // A client may write anything there; it then allows nothing.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** `object` with the annotation saying `applied`, if it has the annotation. */
export function withLastApplied(object: KubernetesObject, applied: KubernetesObject): KubernetesObject {
  const { metadata } = object;
  if (!metadata?.annotations || !(annotation in metadata.annotations)) return object;
  const { [annotation]: _, ...others } = applied.metadata?.annotations ?? {};
  const bare = withoutManagers(applied);
  const said = { ...bare, metadata: { ...bare.metadata, annotations: others } };
  const text = `${JSON.stringify(said)}\n`;
  if (text.length > mostBytes) return object;
  return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, [annotation]: text } } };
}
