/**
 * The v2 document in the protobuf form that Go clients ask for (`application/com.github.proto-openapi.spec.v2@v1.0+protobuf`): older kubectls, Argo CD, Pulumi.
 * Source: gnostic `openapiv2/OpenAPIv2.proto`; what our documents never say has no place here.
 */
import { stringify } from 'yaml';
import type { JsonObject } from '../json.ts';
import { isObject, objectOf } from '../json.ts';
import type { Part } from './protobuf-writer.ts';
import { double, message, scalar } from './protobuf-writer.ts';

/** Encodes what `openApiV2` made. */
export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  const paths = entriesOf(document['paths']).map(([path, item]) => named(2, path, pathItem(item)));
  const definitions = entriesOf(document['definitions']).map(([name, schema]) => named(1, name, schemaParts(schema)));
  const info = objectOf(document['info']);
  return Buffer.concat([
    ...scalar(1, document['swagger']),
    message(2, ...scalar(1, info['title']), ...scalar(2, info['version'])),
    message(8, ...paths),
    message(9, ...definitions),
  ]);
}

function entriesOf(value: unknown): readonly (readonly [string, JsonObject])[] {
  return Object.entries(objectOf(value)).map(([name, item]) => [name, objectOf(item)]);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A name and its message, as maps are written here. */
function named(number: number, name: string, parts: readonly Part[]): Part {
  return message(number, ...scalar(1, name), message(2, ...parts));
}

function texts(number: number, values: unknown): readonly Part[] {
  return listOf(values).flatMap((value) => scalar(number, value));
}

/** Extensions, each as YAML text. */
function extensions(number: number, object: JsonObject): readonly Part[] {
  return Object.entries(object)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => named(number, name, scalar(2, stringify(value))));
}

const methods = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function pathItem(item: JsonObject): readonly Part[] {
  return Object.entries(methods).flatMap(([method, number]) =>
    isObject(item[method]) ? [message(number, ...operation(item[method]))] : [],
  );
}

function operation(value: JsonObject): readonly Part[] {
  return [
    ...texts(1, value['tags']),
    ...scalar(3, value['description']),
    ...scalar(5, value['operationId']),
    ...texts(6, value['produces']),
    ...texts(7, value['consumes']),
    ...listOf(value['parameters']).map((parameter) => message(8, message(1, ...parameterParts(objectOf(parameter))))),
    message(
      9,
      ...entriesOf(value['responses']).map(([code, response]) =>
        named(1, code, [message(1, ...responseParts(response))]),
      ),
    ),
    ...texts(10, value['schemes']),
    ...extensions(13, value),
  ];
}

function responseParts(response: JsonObject): readonly Part[] {
  const { schema } = response;
  return [
    ...scalar(1, response['description']),
    ...(isObject(schema) ? [message(2, message(1, ...schemaParts(schema)))] : []),
  ];
}

/** A body, or one of the plain parameters: in the query or in the path. */
function parameterParts(parameter: JsonObject): readonly Part[] {
  const { name, description, required, type, uniqueItems, schema } = parameter;
  const place = parameter['in'];
  if (place === 'body')
    return [
      message(
        1,
        ...scalar(2, name),
        ...scalar(3, place),
        ...scalar(4, required),
        message(5, ...schemaParts(objectOf(schema))),
      ),
    ];
  const common = [...scalar(1, required), ...scalar(2, place), ...scalar(3, description), ...scalar(4, name)];
  return place === 'query'
    ? [message(2, message(3, ...common, ...scalar(6, type), ...scalar(20, uniqueItems)))]
    : [message(2, message(4, ...common, ...scalar(5, type), ...scalar(19, uniqueItems)))];
}

/** Keywords whose value is written as it is, by field number. */
const plainKeywords = {
  $ref: 1,
  format: 2,
  title: 3,
  description: 4,
  exclusiveMaximum: 8,
  exclusiveMinimum: 10,
  maxLength: 11,
  minLength: 12,
  pattern: 13,
  maxItems: 14,
  minItems: 15,
  uniqueItems: 16,
  maxProperties: 17,
  minProperties: 18,
};
const numbers = { multipleOf: 6, maximum: 7, minimum: 9 };

function schemaParts(schema: JsonObject): readonly Part[] {
  const { type, items, properties, additionalProperties, required } = schema;
  return [
    ...Object.entries(plainKeywords).flatMap(([name, number]) => scalar(number, schema[name])),
    ...Object.entries(numbers).flatMap(([name, number]) => {
      const value = schema[name];
      return typeof value === 'number' ? [double(number, value)] : [];
    }),
    ...(schema['default'] === undefined ? [] : [message(5, ...scalar(2, stringify(schema['default'])))]),
    ...texts(19, required),
    ...listOf(schema['enum']).map((value) => message(20, ...scalar(2, stringify(value)))),
    ...additional(additionalProperties),
    ...(typeof type === 'string' ? [message(22, ...scalar(1, type))] : []),
    ...(isObject(items) ? [message(23, message(1, ...schemaParts(items)))] : []),
    ...(isObject(properties)
      ? [message(25, ...entriesOf(properties).map(([name, property]) => named(1, name, schemaParts(property))))]
      : []),
    ...extensions(31, schema),
  ];
}

function additional(value: unknown): readonly Part[] {
  if (isObject(value)) return [message(21, message(1, ...schemaParts(value)))];
  return value === true ? [message(21, ...scalar(2, value))] : [];
}
