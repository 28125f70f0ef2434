/** Takes fields out of an object. Behaviour: structured-merge-diff `typed/remove.go`. */
import type { JsonObject } from '../schema/json.ts';
import { setOwn } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldElement, fieldOf, itemElement, itemsOf, shapeOf } from './elements.ts';
import type { FieldSet } from './field-set.ts';
import { isEmptySet } from './field-set.ts';

/**
 * `value` without the members of `set`; a container that this empties is `null`, until `withoutEmptied` is asked to take it away. What is owned as a whole goes as a whole or stays.
 */
export function removeFields(value: unknown, set: FieldSet, schema: Schema): unknown {
  if (isEmptySet(set) || value === null) return value;
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
    setOwn(result, name, below ? removeFields(value, below, fieldOf(schema, name).schema) : value);
  }
  return Object.keys(object).length > 0 && Object.keys(result).length === 0 ? null : result;
}

function fromItems(list: readonly unknown[], set: FieldSet, schema: Schema): unknown {
  const result = list.flatMap((item) => {
    const element = itemElement(schema, item);
    if (set.members.has(element)) return [];
    const below = set.children.get(element);
    return [below ? removeFields(item, below, itemsOf(schema)) : item];
  });
  return list.length > 0 && result.length === 0 ? null : result;
}

/** `after`, which `removeFields` made of `before`, without the declared fields that it emptied. Entries of maps stay: their keys were not removed. */
export function withoutEmptied(after: unknown, before: unknown, schema: Schema): unknown {
  if (after === before || after === null || before === null) return after;
  switch (shapeOf(schema, after)) {
    case 'fields':
      return fieldsWithoutEmptied(after as JsonObject, before as JsonObject, schema);
    case 'items': {
      const items = Map.groupBy(before as readonly unknown[], (item) => itemElement(schema, item));
      return (after as readonly unknown[]).map((item) =>
        withoutEmptied(item, items.get(itemElement(schema, item))?.[0] ?? item, itemsOf(schema)),
      );
    }
    case 'leaf':
  }
  return after;
}

function fieldsWithoutEmptied(after: JsonObject, before: JsonObject, schema: Schema): JsonObject {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(after)) {
    const field = fieldOf(schema, name);
    if (value === null && before[name] !== null && field.isDeclared) continue;
    setOwn(result, name, withoutEmptied(value, before[name], field.schema));
  }
  return result;
}
