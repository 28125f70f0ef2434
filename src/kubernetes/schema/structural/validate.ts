/** Checks a custom resource against its schema. Words: kube-openapi `validation/validate`, as apiextensions `apiserver/validation` turns them into field errors. */
import type { FieldError } from '../../status.ts';
import { isEqual, isObject, type JsonObject } from '../json.ts';
import { stringFormats } from './formats.ts';
import type { JsonSchema } from './json-schema.ts';
import { patternOf } from '../../cel/patterns.ts';

/** What is wrong with `value`, which stands at `path`; the root's path is empty. */
export function validateValue(value: unknown, schema: JsonSchema, path: string): readonly FieldError[] {
  if (value === null && schema.nullable) return [];
  return [
    ...(typeErrors(value, schema, path) ?? [
      ...commonErrors(value, schema, path),
      ...(typeof value === 'string' ? stringErrors(value, schema, path) : []),
      ...(typeof value === 'number' ? numberErrors(value, schema, path) : []),
      ...(Array.isArray(value) ? listErrors(value, schema, path) : []),
      ...(isObject(value) ? objectErrors(value, schema, path) : []),
    ]),
    ...junctorErrors(value, schema, path),
  ];
}

function invalid(path: string, value: unknown, why: string): FieldError {
  const shown =
    isObject(value) || Array.isArray(value) || value === null
      ? JSON.stringify(typeNameOf(value))
      : JSON.stringify(value);
  return { type: 'Invalid value', field: path, message: `Invalid value: ${shown}: ${inBody(path)} ${why}` };
}

function inBody(path: string): string {
  return `${path} in body`;
}

function typeNameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

/** Undefined when the type is right; of a value of another type nothing else is said. */
function typeErrors(value: unknown, schema: JsonSchema, path: string): readonly FieldError[] | undefined {
  const wanted = schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : schema.type ? [schema.type] : [];
  const actual = typeNameOf(value);
  const fits = wanted.length === 0 || wanted.includes(actual) || (actual === 'integer' && wanted.includes('number'));
  if (fits) return undefined;
  const shown = JSON.stringify(actual);
  const message = `Invalid value: ${shown}: ${inBody(path)} must be of type ${wanted.join(',')}: ${shown}`;
  return [{ type: 'Invalid value', field: path, message }];
}

function commonErrors(value: unknown, schema: JsonSchema, path: string): readonly FieldError[] {
  if (!schema.enum || schema.enum.some((one) => isEqual(one, value))) return [];
  const values = schema.enum.map((one) => JSON.stringify(one)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${values}`;
  return [{ type: 'Unsupported value', field: path, message }];
}

function stringErrors(value: string, schema: JsonSchema, path: string): readonly FieldError[] {
  const { minLength, maxLength, pattern, format } = schema;
  const size = Array.from(value).length;
  const check = format && Object.hasOwn(stringFormats, format) ? stringFormats[format] : undefined;
  return [
    ...(maxLength !== undefined && size > maxLength
      ? [{ type: 'Too long', field: path, message: `Too long: may not be more than ${maxLength} bytes` } as const]
      : []),
    ...(minLength !== undefined && size < minLength
      ? [invalid(path, value, `should be at least ${minLength} chars long`)]
      : []),
    ...(pattern && !patternOf(pattern).test(value) ? [invalid(path, value, `should match '${pattern}'`)] : []),
    ...(check && !check(value) ? [invalid(path, value, `must be of type ${format}: ${JSON.stringify(value)}`)] : []),
  ];
}

function numberErrors(value: number, schema: JsonSchema, path: string): readonly FieldError[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = schema;
  const isBeyond = maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum);
  const isBelow = minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum);
  const remainder = multipleOf ? value / multipleOf : 0;
  const isTooWide = format === 'int32' && (value > 2147483647 || value < -2147483648);
  return [
    ...(isBeyond
      ? [invalid(path, value, `should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`)]
      : []),
    ...(isBelow
      ? [invalid(path, value, `should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`)]
      : []),
    ...(Number.isInteger(remainder) ? [] : [invalid(path, value, `should be a multiple of ${multipleOf}`)]),
    ...(isTooWide ? [invalid(path, value, `must be of type int32: "integer"`)] : []),
  ];
}

function listErrors(list: readonly unknown[], schema: JsonSchema, path: string): readonly FieldError[] {
  const { minItems, maxItems, uniqueItems, items } = schema;
  return [
    ...tooMany(list.length, maxItems, path),
    ...(minItems !== undefined && list.length < minItems
      ? [invalid(path, list.length, `should have at least ${minItems} items`)]
      : []),
    ...(uniqueItems && hasDuplicates(list) ? [invalid(path, list, "shouldn't contain duplicates")] : []),
    ...keyErrors(list, schema, path),
    ...(items ? list.flatMap((item, index) => validateValue(item, items, `${path}[${index}]`)) : []),
  ];
}

function tooMany(count: number, most: number | undefined, path: string): readonly FieldError[] {
  if (most === undefined || count <= most) return [];
  return [{ type: 'Too many', field: path, message: `Too many: ${count}: must have at most ${most} items` }];
}

function hasDuplicates(list: readonly unknown[]): boolean {
  return new Set(list.map((item) => JSON.stringify(item))).size < list.length;
}

/** Items of a set, and keys of a map, are there once. */
function keyErrors(list: readonly unknown[], schema: JsonSchema, path: string): readonly FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Set<string>();
  return list.flatMap((item, index): readonly FieldError[] => {
    const identity =
      type === 'set' || !isObject(item) ? item : Object.fromEntries(keys.map((key) => [key, item[key] ?? null]));
    const text = JSON.stringify(identity);
    const isNew = !seen.has(text);
    seen.add(text);
    return isNew ? [] : [{ type: 'Duplicate value', field: `${path}[${index}]`, message: `Duplicate value: ${text}` }];
  });
}

function objectErrors(object: JsonObject, schema: JsonSchema, path: string): readonly FieldError[] {
  const { required = [], minProperties, maxProperties } = schema;
  const names = Object.keys(object);
  return [
    ...tooMany(names.length, maxProperties, path),
    ...(minProperties !== undefined && names.length < minProperties
      ? [invalid(path, object, `should have at least ${minProperties} properties`)]
      : []),
    ...required
      .filter((name) => !Object.hasOwn(object, name))
      .map((name): FieldError => ({ type: 'Required value', field: join(path, name), message: 'Required value' })),
    ...names.flatMap((name) => propertyErrors(object[name], schema, join(path, name), name)),
  ];
}

function propertyErrors(value: unknown, schema: JsonSchema, path: string, name: string): readonly FieldError[] {
  const { properties, additionalProperties } = schema;
  if (properties && Object.hasOwn(properties, name)) return validateValue(value, properties[name]!, path);
  return typeof additionalProperties === 'object' ? validateValue(value, additionalProperties, path) : [];
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function junctorErrors(value: unknown, schema: JsonSchema, path: string): readonly FieldError[] {
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  const fits = (one: JsonSchema) => validateValue(value, one, path).length === 0;
  const matching = oneOf.filter(fits).length;
  const said = (why: string): FieldError => {
    const shown = JSON.stringify(isObject(value) || Array.isArray(value) ? typeNameOf(value) : value);
    return { type: 'Invalid value', field: path, message: `Invalid value: ${shown}: ${JSON.stringify(path)} ${why}` };
  };
  return [
    ...allOf.flatMap((one) => validateValue(value, one, path)),
    ...(anyOf.length > 0 && !anyOf.some(fits) ? [said('must validate at least one schema (anyOf)')] : []),
    ...(oneOf.length > 0 && matching !== 1
      ? [
          said(
            `must validate one and only one schema (oneOf). Found ${matching === 0 ? 'none' : matching} valid${matching === 0 ? '' : ' alternatives'}`,
          ),
        ]
      : []),
    ...(not && fits(not) ? [said('must not validate the schema (not)')] : []),
  ];
}
