/** How server-side apply sees a value through its schema: as a leaf, as fields by name, or as list items by key. */
import type { JsonObject } from '../schema/json.ts';
import { getOwn, isObject } from '../schema/json.ts';
import type { ArraySchema, Schema } from '../schema/schema.ts';

/** A schema that nothing is known of: objects field by field, lists as a whole. */
const deduced: Schema = { type: 'any', isGranular: true };

/** What a value is to be treated as. Both sides of a merge must agree; `undefined` and `null` agree with anything. */
export type Shape = 'leaf' | 'fields' | 'items';

export function shapeOf(schema: Schema, ...values: readonly unknown[]): Shape {
  const are = (test: (value: unknown) => boolean) =>
    values.every((value) => value === undefined || value === null || test(value));
  switch (schema.type) {
    case 'array':
      return schema.list.kind === 'atomic' || !are(Array.isArray) ? 'leaf' : 'items';
    case 'map':
    case 'object':
      return schema.isAtomic || !are(isObject) ? 'leaf' : 'fields';
    case 'any':
      return schema.isGranular && are(isObject) && values.some(isObject) ? 'fields' : 'leaf';
    default:
      return 'leaf';
  }
}

/** The schema of a field, and whether it is a declared one; entries of maps and unknown fields are not. */
export function fieldOf(schema: Schema, name: string) {
  if (schema.type === 'map') return { schema: schema.values, isDeclared: false, isAlwaysPresent: false };
  const field = schema.type === 'object' ? schema.fields.get(name) : undefined;
  if (!field) return { schema: deduced, isDeclared: false, isAlwaysPresent: false };
  return { schema: field.schema, isDeclared: true, isAlwaysPresent: field.isAlwaysPresent ?? false };
}

export function itemsOf(schema: Schema): Schema {
  return schema.type === 'array' ? schema.items : deduced;
}

export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** `k:{"containerPort":80,"protocol":"TCP"}` or `v:"x"`: by which element a list knows an item. A key that is absent has its default. */
export function itemElement(schema: Schema, item: unknown): string {
  const { list, items } = schema as ArraySchema;
  if (list.kind !== 'map') return `v:${JSON.stringify(item)}`;
  const object: JsonObject = isObject(item) ? item : {};
  const keys = list.keys.map((key) => [key, getOwn(object, key) ?? defaultOf(items, key)] as const);
  return `k:${JSON.stringify(Object.fromEntries(keys.filter(([, value]) => value !== undefined).sort(byName)))}`;
}

/** The keys that an item must have and lacks. */
export function missingKeys(schema: Schema, item: unknown): readonly string[] {
  const { list, items } = schema as ArraySchema;
  if (list.kind !== 'map' || !isObject(item)) return [];
  return list.keys.filter((key) => getOwn(item, key) === undefined && defaultOf(items, key) === undefined);
}

function defaultOf(items: Schema, key: string): unknown {
  return items.type === 'object' ? items.fields.get(key)?.default : undefined;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
