/** The definitions of custom resources: what the definition's author wrote, with what every object has. */
import { publishedGroup } from './names.ts';
import type { JsonObject } from '../json.ts';
import { isObject, objectOf } from '../json.ts';
import type { Definitions, Dialect } from './definitions.ts';
import type { OpenApiResource } from './resource.ts';

const metaName = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const apiVersionText =
  'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources';
const kindText =
  'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds';

/** References to the definitions of the kind and of its list. */
export function customDefinitions(definitions: Definitions, resource: OpenApiResource, dialect: Dialect) {
  const { group, version, kind, customSchema = {} } = resource;
  const name = `${publishedGroup(group)}.${version}.${kind}`;
  const typeMeta = {
    apiVersion: { type: 'string', description: apiVersionText },
    kind: { type: 'string', description: kindText },
  };
  const metadata = definitions.named(`${metaName}.ObjectMeta`);
  const written = dialect.hasOneOf ? customSchema : plainSchema(customSchema);
  const withEmbedded = embedded(written, { ...typeMeta, metadata });
  // A reader of v2 takes what has properties for something that has no others.
  const isOpen = !dialect.hasOneOf && customSchema['x-kubernetes-preserve-unknown-fields'] === true;
  const object = definitions.custom(name, {
    type: 'object',
    ...(!isOpen && {
      ...withEmbedded,
      properties: { ...objectOf(withEmbedded['properties']), ...typeMeta, metadata },
    }),
    'x-kubernetes-group-version-kind': [{ group, kind, version }],
  });
  const list = definitions.custom(`${name}List`, {
    description: `${kind}List is a list of ${kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeMeta,
      items: { type: 'array', description: `List of ${resource.resource}.`, items: object },
      metadata: definitions.named(`${metaName}.ListMeta`),
    },
    'x-kubernetes-group-version-kind': [{ group, kind: `${kind}List`, version }],
  });
  return { object, list };
}

/** Whole objects inside of others have what every object has. */
function embedded(schema: JsonObject, meta: JsonObject): JsonObject {
  const entries = Object.entries(schema).map(([name, value]) => {
    if (name === 'properties' && isObject(value))
      return [
        name,
        Object.fromEntries(Object.entries(value).map(([key, one]) => [key, embedded(objectOf(one), meta)])),
      ];
    const isSchema = (name === 'items' || name === 'additionalProperties') && isObject(value);
    return [name, isSchema ? embedded(value, meta) : value];
  });
  const result = Object.fromEntries(entries) as JsonObject;
  if (result['x-kubernetes-embedded-resource'] !== true) return result;
  return { ...result, properties: { ...objectOf(result['properties']), ...meta } };
}

/** What v2 cannot say is left out; its readers would misunderstand it. Source: apiextensions `controller/openapi/v2/conversion.go`. */
function plainSchema(schema: JsonObject): JsonObject {
  const unknown = new Set(['oneOf', 'anyOf', 'allOf', 'not', 'nullable', 'x-kubernetes-validations']);
  if (schema['x-kubernetes-int-or-string'] === true || schema['nullable'] === true)
    return { ...(typeof schema['description'] === 'string' && { description: schema['description'] }) };
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const entries = Object.entries(schema).filter(
    ([name]) => !unknown.has(name) && !(isOpen && (name === 'items' || name === 'properties')),
  );
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (name === 'properties' && isObject(value))
        return [name, Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))];
      return [name, name === 'items' || name === 'additionalProperties' ? plain(value) : value];
    }),
  );
}

function plain(value: unknown): unknown {
  return isObject(value) ? plainSchema(value) : value;
}
