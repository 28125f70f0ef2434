/** Values of a custom resource as CEL sees them: whole numbers where the schema says so, names that an expression can say. */
import { compileCel, type CelType } from '../../cel/cel.ts';
import { isObject } from '../json.ts';
import type { JsonSchema } from './json-schema.ts';

/** A value for a rule. Strings with a format are instants, durations and bytes, where they are what they say. */
export function celValue(value: unknown, schema: JsonSchema | undefined): unknown {
  if (typeof value === 'string') return formatted(value, schema?.format);
  if (typeof value === 'number') return isWhole(value, schema) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema?.items));
  if (!isObject(value)) return value;
  const { properties = {}, additionalProperties } = schema ?? {};
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      if (Object.hasOwn(properties, name)) return [celName(name), celValue(item, properties[name])];
      return [name, celValue(item, typeof additionalProperties === 'object' ? additionalProperties : undefined)];
    }),
  );
}

function formatted(value: string, format: string | undefined): unknown {
  switch (format) {
    case 'date':
    case 'date-time':
    case 'datetime': {
      const instant = new Date(value);
      return Number.isNaN(instant.getTime()) ? value : instant;
    }
    case 'duration':
      return compileCel('duration(text)', ['text']).evaluate({ text: value });
    case 'byte':
      return new Uint8Array(Buffer.from(value, 'base64'));
    default:
      return value;
  }
}

/** The type of a value for a rule; of an object that every object of the API is, also the names in its metadata. */
export function celTypeOf(schema: JsonSchema, isRoot = false): CelType {
  if (schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields']) return 'dyn';
  switch (schema.type) {
    case 'string':
      return (schema.format && formatTypes[schema.format]) ?? 'string';
    case 'integer':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    case 'array':
      return `list<${nameOf(schema.items)}>`;
    case 'object':
      return objectTypeOf(schema, isRoot || schema['x-kubernetes-embedded-resource'] === true);
    default:
      return 'dyn';
  }
}

const formatTypes: { readonly [format: string]: string | undefined } = {
  date: 'google.protobuf.Timestamp',
  'date-time': 'google.protobuf.Timestamp',
  datetime: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
  byte: 'bytes',
};

function objectTypeOf({ properties, additionalProperties }: JsonSchema, isResource: boolean): CelType {
  if (additionalProperties)
    return `map<string, ${typeof additionalProperties === 'object' ? nameOf(additionalProperties) : 'dyn'}>`;
  const fields = Object.entries(properties ?? {}).map(([name, one]) => [celName(name), celTypeOf(one)] as const);
  const named = { name: 'string', generateName: 'string' };
  return {
    ...Object.fromEntries(fields),
    ...(isResource && { apiVersion: 'string', kind: 'string', metadata: named }),
  };
}

/** A type by its name; objects have none, and are of any type inside lists and maps. */
function nameOf(schema: JsonSchema | undefined): string {
  const type = schema ? celTypeOf(schema) : 'dyn';
  return typeof type === 'string' ? type : 'dyn';
}

function isWhole(value: number, schema: JsonSchema | undefined): boolean {
  return Number.isInteger(value) && schema?.type !== 'number';
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** How a rule names a property: `foo-bar` is `foo__dash__bar`. Source: Kubernetes' "CRD validation", "Escaping". */
export function celName(name: string): string {
  if (reserved.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}
