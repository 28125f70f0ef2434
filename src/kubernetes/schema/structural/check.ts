/** Whether a schema is structural: every part of a value has one type, said in one place. Source: Kubernetes' "CustomResourceDefinition", "Specifying a structural schema"; words of apiextensions `apiserver/schema/validation.go`. */
import type { FieldError } from '../../status.ts';
import type { JsonSchema } from './json-schema.ts';
import { isPattern } from '../../cel/patterns.ts';
import { ruleErrors } from './rules.ts';
import { validateValue } from './validate.ts';
import { withDefaults } from './defaults.ts';

/** What is wrong with the schema of a definition; `path` leads to it (`spec.versions[0].schema.openAPIV3Schema`). */
export function structuralErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const root =
    schema.type === 'object' ? [] : [invalid(`${path}.type`, schema.type ?? '', 'must be object at the root')];
  return [...root, ...schemaErrors(schema, path, 'root')];
}

function invalid(field: string, value: unknown, why: string): FieldError {
  return { type: 'Invalid value', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

function required(field: string, why: string): FieldError {
  return { type: 'Required value', field, message: `Required value: ${why}` };
}

function forbidden(field: string, why: string): FieldError {
  return { type: 'Forbidden', field, message: `Forbidden: ${why}` };
}

type Level = 'root' | 'field' | 'item';

const types = ['object', 'array', 'string', 'integer', 'number', 'boolean'];
const unsupported = ['definitions', 'dependencies', 'patternProperties', 'additionalItems', '$ref', 'id'];

function schemaErrors(schema: JsonSchema, path: string, level: Level): readonly FieldError[] {
  return [
    ...typeErrors(schema, path, level),
    ...shapeErrors(schema, path),
    ...listErrors(schema, path),
    ...unsupported
      .filter((name) => schema[name] !== undefined)
      .map((name) => forbidden(`${path}.${name}`, `${name} is not supported`)),
    ...valueErrors(schema, path),
    ...ruleErrors(schema, path),
    ...childErrors(schema, path),
  ];
}

function typeErrors(schema: JsonSchema, path: string, level: Level): readonly FieldError[] {
  const { type } = schema;
  const isIntOrString = schema['x-kubernetes-int-or-string'];
  const isFree = isIntOrString || schema['x-kubernetes-preserve-unknown-fields'];
  if (type === undefined || type === '')
    return isFree || level === 'root'
      ? []
      : [
          required(
            `${path}.type`,
            `must not be empty for specified ${level === 'item' ? 'array items' : 'object fields'}`,
          ),
        ];
  if (isIntOrString) return [invalid(`${path}.type`, type, 'must be empty if x-kubernetes-int-or-string is true')];
  return types.includes(type)
    ? []
    : [
        {
          type: 'Unsupported value',
          field: `${path}.type`,
          message: `Unsupported value: ${JSON.stringify(type)}: supported values: ${types
            .toSorted()
            .map((one) => JSON.stringify(one))
            .join(', ')}`,
        },
      ];
}

function shapeErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const isEmbedded = schema['x-kubernetes-embedded-resource'];
  return [
    ...(schema.type === 'array' && !schema.items ? [required(`${path}.items`, 'must be specified')] : []),
    ...(schema.properties && schema.additionalProperties
      ? [forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive')]
      : []),
    ...(schema.uniqueItems
      ? [
          forbidden(
            `${path}.uniqueItems`,
            'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
          ),
        ]
      : []),
    ...(isEmbedded && schema.type !== 'object'
      ? [invalid(`${path}.type`, schema.type ?? '', 'must be object if x-kubernetes-embedded-resource is true')]
      : []),
    ...(isEmbedded && !schema.properties && !schema['x-kubernetes-preserve-unknown-fields']
      ? [
          required(
            `${path}.properties`,
            'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
          ),
        ]
      : []),
  ];
}

function listErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const supported = ['atomic', 'map', 'set'];
  const at = `${path}.x-kubernetes-list-map-keys`;
  return [
    ...(type !== undefined && !supported.includes(type)
      ? [
          {
            type: 'Unsupported value' as const,
            field: `${path}.x-kubernetes-list-type`,
            message: `Unsupported value: ${JSON.stringify(type)}: supported values: ${supported.map((one) => JSON.stringify(one)).join(', ')}`,
          },
        ]
      : []),
    ...(type !== undefined && schema.type !== 'array'
      ? [invalid(`${path}.type`, schema.type ?? '', 'must be array if x-kubernetes-list-type is specified')]
      : []),
    ...(type === 'map' && keys.length === 0
      ? [required(at, 'must not be empty if x-kubernetes-list-type is map')]
      : []),
    ...(type !== 'map' && keys.length > 0
      ? [invalid(at, keys, 'must be empty if x-kubernetes-list-type is not map')]
      : []),
    ...keys.flatMap((key, index) => keyErrors(schema, key, `${at}[${index}]`)),
  ];
}

/** A key must be a property that is always there. */
function keyErrors({ items }: JsonSchema, key: string, path: string): readonly FieldError[] {
  const property = items?.properties?.[key];
  if (!property) return [invalid(path, key, 'must be a property of items')];
  const isThere = items.required?.includes(key) || property.default !== undefined;
  return isThere ? [] : [required(path, `${key} must be required or have a default, since it is a key of the list`)];
}

function valueErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const { default: value, pattern } = schema;
  return [
    ...(value === undefined ? [] : validateValue(withDefaults(value, schema), schema, `${path}.default`)),
    ...(pattern && !isPattern(pattern)
      ? [invalid(`${path}.pattern`, pattern, 'must be a valid regular expression')]
      : []),
    ...junctors(schema).flatMap(([name, one]) => junctorErrors(one, `${path}.${name}`)),
  ];
}

function junctors({ allOf = [], anyOf = [], oneOf = [], not }: JsonSchema): readonly (readonly [string, JsonSchema])[] {
  const named = (name: string, list: readonly JsonSchema[]) =>
    list.map((one, index) => [`${name}[${index}]`, one] as const);
  return [
    ...named('allOf', allOf),
    ...named('anyOf', anyOf),
    ...named('oneOf', oneOf),
    ...(not ? [['not', not] as const] : []),
  ];
}

/** Alternatives say nothing of structure: that must stand outside them. */
const structureWords = [
  'description',
  'default',
  'nullable',
  'additionalProperties',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
];

function junctorErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  const words = structureWords.filter((name) => schema[name] !== undefined);
  return [
    ...words.map((name) => forbidden(`${path}.${name}`, 'must be undefined to be structural')),
    ...junctors(schema).flatMap(([name, one]) => junctorErrors(one, `${path}.${name}`)),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
      junctorErrors(one, `${path}.properties[${name}]`),
    ),
  ];
}

function childErrors(
  { properties = {}, items, additionalProperties }: JsonSchema,
  path: string,
): readonly FieldError[] {
  return [
    ...Object.entries(properties).flatMap(([name, one]) => schemaErrors(one, `${path}.properties[${name}]`, 'field')),
    ...(items ? schemaErrors(items, `${path}.items`, 'item') : []),
    ...(typeof additionalProperties === 'object'
      ? schemaErrors(additionalProperties, `${path}.additionalProperties`, 'field')
      : []),
  ];
}
