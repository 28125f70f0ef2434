/** Whether a configuration can be merged: every item of a keyed list has its keys, and no two have the same. */
import type { JsonObject } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import { StatusError } from '../status.ts';
import { fieldElement, fieldOf, itemElement, itemsOf, missingKeys, shapeOf } from './elements.ts';
import { showPath } from './fields-v1.ts';

/** Throws `BadRequest` in structured-merge-diff's words. */
export function checkItems(value: unknown, schema: Schema, path: readonly string[] = []): void {
  const shape = shapeOf(schema, value);
  if (value === undefined || value === null || shape === 'leaf') return;
  if (shape === 'fields') {
    for (const [name, child] of Object.entries(value as JsonObject))
      checkItems(child, fieldOf(schema, name).schema, [...path, fieldElement(name)]);
    return;
  }
  const seen = new Set<string>();
  for (const [index, item] of (value as readonly unknown[]).entries()) {
    const [missing] = missingKeys(schema, item);
    if (missing !== undefined)
      throw refused(
        path,
        `element ${index}: associative list with keys has an element that omits key field "${missing}" (and doesn't have default value)`,
      );
    const element = itemElement(schema, item);
    if (seen.has(element)) throw refused(path, `duplicate entries for key ${showPath([element])}`);
    seen.add(element);
    checkItems(item, itemsOf(schema), [...path, element]);
  }
}

function refused(path: readonly string[], why: string): StatusError {
  return new StatusError('BadRequest', `failed to create typed patch object: ${showPath(path)}: ${why}`);
}
