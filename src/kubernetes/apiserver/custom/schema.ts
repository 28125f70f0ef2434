import type { KubernetesObject } from '../../object.ts';
import type { ObjectSchema } from '../../schema/schema.ts';
import type { FieldError } from '../../status.ts';
import type { CustomResourceDefinition } from '../../types.ts';
import type { Draft } from '../draft.ts';

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

/** Of a version without a schema everything is kept and nothing checked. */
export function customSchemaOf(_spec: Spec, _version: Spec['versions'][number]): CustomSchema {
  return { hasDefaults: false, default: () => undefined, withDefaults: (object) => object, validate: () => [] };
}
