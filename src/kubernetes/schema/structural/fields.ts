/** A custom resource's schema in the form that decoding, patches and server-side apply read. */
import type { Field, ListType, ObjectSchema, Schema, Schemas } from '../schema.ts';
import type { JsonSchema } from './json-schema.ts';

/** What every object has; `metadata` is decoded as strictly as that of built-in kinds. */
export function fieldsOf(schema: JsonSchema, schemas: Pick<Schemas, 'named'>): ObjectSchema {
  const object = objectOf(schema, schemas);
  return { ...object, fields: new Map([...object.fields, ...typeMeta(schemas)]) };
}

function typeMeta(schemas: Pick<Schemas, 'named'>): readonly (readonly [string, Field])[] {
  const text: Field = { schema: { type: 'string' }, isRequired: false };
  const metadata = schemas.named('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  return [
    ['apiVersion', text],
    ['kind', text],
    ...(metadata ? [['metadata', { schema: metadata, isRequired: false, isAlwaysPresent: true }] as const] : []),
  ];
}

function objectOf(schema: JsonSchema, schemas: Pick<Schemas, 'named'>): ObjectSchema {
  const fields = Object.entries(schema.properties ?? {}).map(([name, property]): readonly [string, Field] => [
    name,
    {
      schema: schemaOf(property, schemas),
      isRequired: schema.required?.includes(name) ?? false,
      ...(property.default !== undefined && { default: property.default }),
    },
  ]);
  return {
    type: 'object',
    name: '',
    isCustom: true,
    fields: new Map([...fields, ...(schema['x-kubernetes-embedded-resource'] ? typeMeta(schemas) : [])]),
    ...(schema['x-kubernetes-preserve-unknown-fields'] && { preservesUnknown: true }),
    ...(schema['x-kubernetes-map-type'] === 'atomic' && { isAtomic: true }),
  };
}

function schemaOf(schema: JsonSchema, schemas: Pick<Schemas, 'named'>): Schema {
  if (schema['x-kubernetes-int-or-string']) return { type: 'string', format: 'int-or-string' };
  const { additionalProperties, items } = schema;
  switch (schema.type) {
    case 'object':
      if (!additionalProperties) return objectOf(schema, schemas);
      return {
        type: 'map',
        values: additionalProperties === true ? anything : schemaOf(additionalProperties, schemas),
        ...(schema['x-kubernetes-map-type'] === 'atomic' && { isAtomic: true }),
      };
    case 'array':
      return { type: 'array', items: items ? schemaOf(items, schemas) : anything, list: listTypeOf(schema) };
    case 'string':
      return { type: 'string' };
    case 'boolean':
      return { type: 'boolean' };
    case 'integer':
      return { type: 'integer', format: 'int64' };
    case 'number':
      return { type: 'number' };
    default:
      return anything;
  }
}

const anything: Schema = { type: 'any', isGranular: true };

function listTypeOf(schema: JsonSchema): ListType {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] === 'map' && keys) return { kind: 'map', keys };
  return { kind: schema['x-kubernetes-list-type'] === 'set' ? 'set' : 'atomic' };
}
