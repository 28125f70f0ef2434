/** The fields that an object sets: what a manager owns who applies it. Behaviour: structured-merge-diff `typed/tofieldset.go`. */
import type { JsonObject } from '../schema/json.ts';
import { isObject } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldElement, fieldOf, itemElement, itemsOf, shapeOf } from './elements.ts';
import type { FieldSet } from './field-set.ts';
import { FieldSetBuilder, emptySet } from './field-set.ts';

export function fieldSetOf(value: unknown, schema: Schema): FieldSet {
  if (value === undefined || value === null) return emptySet;
  switch (shapeOf(schema, value)) {
    case 'leaf':
      return emptySet;
    case 'fields':
      return ofFields(value as JsonObject, schema);
    case 'items':
      return ofItems(value as readonly unknown[], schema);
  }
  return emptySet;
}

/** A leaf is a member itself, and so are `null`, an empty object and whatever is no declared field. */
function ofFields(object: JsonObject, schema: Schema): FieldSet {
  const builder = new FieldSetBuilder();
  for (const [name, value] of Object.entries(object)) {
    const field = fieldOf(schema, name);
    const element = fieldElement(name);
    const isEmpty = value === null || (isObject(value) && Object.keys(value).length === 0);
    if (isEmpty || !field.isDeclared || shapeOf(field.schema, value) === 'leaf') builder.add(element);
    builder.below(element, fieldSetOf(value, field.schema));
  }
  return builder.build();
}

function ofItems(list: readonly unknown[], schema: Schema): FieldSet {
  const builder = new FieldSetBuilder();
  for (const item of list) {
    const element = itemElement(schema, item);
    builder.add(element);
    builder.below(element, fieldSetOf(item, itemsOf(schema)));
  }
  return builder.build();
}

/** The set with every declared field above its members: removing `spec.a` may leave `spec` empty, and that is then nobody's. */
export function withNamedFields(set: FieldSet, schema: Schema): FieldSet {
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [element, below] of set.children) {
    const field = element.startsWith('f:') ? fieldOf(schema, element.slice(2)) : undefined;
    if (field?.isDeclared) members.add(element);
    children.set(element, withNamedFields(below, field ? field.schema : itemsOf(schema)));
  }
  return { members, children };
}
