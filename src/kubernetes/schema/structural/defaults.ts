/** Filling in what a custom resource leaves out. Behaviour: apiextensions `apiserver/schema/defaulting`. */
import { isObject } from '../json.ts';
import { childrenOf, type JsonSchema } from './json-schema.ts';

/** True if a schema has a default anywhere. */
export function hasDefaults(schema: JsonSchema): boolean {
  return schema.default !== undefined || childrenOf(schema).some(hasDefaults);
}

/** `value` with its defaults; itself when nothing is missing. A `null` that the schema does not allow counts as left out. */
export function withDefaults(value: unknown, schema: JsonSchema): unknown {
  if (Array.isArray(value)) return inList(value, schema.items);
  if (!isObject(value)) return value;
  const { additionalProperties } = schema;
  const changes: [string, unknown][] = [];
  for (const [name, item] of Object.entries(value)) {
    const own = schemaOf(schema, name) ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
    if (!own) continue;
    const now = item === null && !own.nullable ? ownDefault(own) : withDefaults(item, own);
    if (now !== item) changes.push([name, now]);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    if (!Object.hasOwn(value, name) && property.default !== undefined) changes.push([name, ownDefault(property)]);
  if (changes.length === 0) return value;
  const entries = Object.entries({ ...value, ...Object.fromEntries(changes) });
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function schemaOf(schema: JsonSchema, name: string): JsonSchema | undefined {
  return schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
}

/** A default has defaults of its own; undefined where there is none. */
function ownDefault(schema: JsonSchema): unknown {
  return schema.default === undefined ? undefined : withDefaults(structuredClone(schema.default), schema);
}

function inList(list: readonly unknown[], items: JsonSchema | undefined): readonly unknown[] {
  if (!items) return list;
  const now = list.map((item) => withDefaults(item, items));
  return now.some((item, index) => item !== list[index]) ? now : list;
}
