import type { KubernetesObject } from '../../object.ts';
import type { ObjectSchema, Schemas } from '../../schema/schema.ts';
import { structuralErrors } from '../../schema/structural/check.ts';
import type { JsonSchema } from '../../schema/structural/json-schema.ts';
import { structuralOf } from '../../schema/structural/structural.ts';
import type { FieldError } from '../../status.ts';
import type { CustomResourceDefinition } from '../../types.ts';
import { type Draft, isSameJson } from '../draft.ts';

/** What a definition says of the fields of its objects, in one version. */
export interface CustomSchema {
  /** Decoding prunes by it; undefined: everything is kept. */
  readonly fields?: ObjectSchema;
  readonly hasDefaults: boolean;
  /** In place. */
  readonly default: (object: Draft<KubernetesObject>) => void;
  /** The object itself when nothing is missing. */
  readonly withDefaults: (object: KubernetesObject) => KubernetesObject;
  readonly validate: (object: KubernetesObject, old: KubernetesObject | undefined) => readonly FieldError[];
}

type Spec = CustomResourceDefinition['spec'];
type Version = Spec['versions'][number];

/** Of a version without a schema everything is kept and nothing checked. */
export function customSchemaOf(spec: Spec, version: Version, schemas: Pick<Schemas, 'named'>): CustomSchema {
  const schema = publishedSchema(version);
  if (!schema)
    return { hasDefaults: false, default: () => undefined, withDefaults: (object) => object, validate: () => [] };
  const structural = structuralOf(schema, schemas);
  return {
    ...(!spec.preserveUnknownFields && { fields: structural.fields }),
    hasDefaults: structural.hasDefaults,
    default: (object) => void Object.assign(object, structural.withDefaults(object)),
    withDefaults: (object) => structural.withDefaults(object),
    validate: (object, old) => structural.validate(object, old),
  };
}

/** The schema of a version as its author wrote it. The client's model renames `x-kubernetes-…` to what JavaScript can say; in JSON, and here, they have their own names. */
export function publishedSchema({ schema }: Version): JsonSchema | undefined {
  return schema?.openAPIV3Schema;
}

/** Schemas of a definition that are not structural. What was stored already is not looked at again. */
export function schemaErrors(
  { spec }: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): readonly FieldError[] {
  return (spec?.versions ?? []).flatMap((version, index) => {
    const schema = publishedSchema(version);
    const before = old?.spec?.versions?.find(({ name }) => name === version.name);
    const isOld = before && isSameJson(publishedSchema(before), schema);
    return schema && !isOld ? structuralErrors(schema, `spec.versions[${index}].schema.openAPIV3Schema`) : [];
  });
}
