/** Takes fields out of an object. Behaviour: structured-merge-diff `typed/remove.go`. */
import type { JsonObject } from '../schema/json.ts';
import { setOwn } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldElement, fieldOf, itemElement, itemsOf, shapeOf } from './elements.ts';
import type { FieldSet } from './field-set.ts';
import { isEmptySet } from './field-set.ts';

/** `value` without the members of `set`; a container that this empties is undefined. What is owned as a whole goes as a whole or stays. */
export function removeFields(value: unknown, set: FieldSet, schema: Schema): unknown {
  if (isEmptySet(set)) return value;
  switch (shapeOf(schema, value)) {
    case 'fields':
      return fromFields(value as JsonObject, set, schema);
    case 'items':
      return fromItems(value as readonly unknown[], set, schema);
    case 'leaf':
  }
  return value;
}

function fromFields(object: JsonObject, set: FieldSet, schema: Schema): unknown {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) {
    const element = fieldElement(name);
    if (set.members.has(element)) continue;
    const below = set.children.get(element);
    const rest = below ? removeFields(value, below, fieldOf(schema, name).schema) : value;
    if (rest !== undefined) setOwn(result, name, rest);
  }
  return Object.keys(object).length > 0 && Object.keys(result).length === 0 ? undefined : result;
}

function fromItems(list: readonly unknown[], set: FieldSet, schema: Schema): unknown {
  const result = list.flatMap((item) => {
    const element = itemElement(schema, item);
    if (set.members.has(element)) return [];
    const below = set.children.get(element);
    const rest = below ? removeFields(item, below, itemsOf(schema)) : item;
    return rest === undefined ? [] : [rest];
  });
  return list.length > 0 && result.length === 0 ? undefined : result;
}
