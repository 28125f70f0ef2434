/** What a definition says of its objects, in one version, ready to be asked: which fields there are, what is left out, what is wrong. */
import type { FieldError } from '../../status.ts';
import type { ObjectSchema, Schemas } from '../schema.ts';
import { hasDefaults, withDefaults } from './defaults.ts';
import { fieldsOf } from './fields.ts';
import type { JsonSchema } from './json-schema.ts';
import { evaluateRules } from './rules.ts';
import { validateValue } from './validate.ts';

export interface Structural {
  /** What decoding prunes by, and patches, server-side apply and OpenAPI read. */
  readonly fields: ObjectSchema;
  readonly hasDefaults: boolean;
  /** The object with its defaults; itself when nothing is missing. Also for what was stored before a default came into the definition. */
  withDefaults<T>(object: T): T;
  /** What is wrong with an object; `old` is what it was, for rules about changes. Rules are asked only of what the rest of the schema accepts. */
  validate(object: unknown, old?: unknown): readonly FieldError[];
}

/** Every object has these, and no definition may say otherwise. */
const ofEveryObject = ['apiVersion', 'kind', 'metadata'];

/** Takes a schema that has passed `structuralErrors`. */
export function structuralOf(schema: JsonSchema, schemas: Pick<Schemas, 'named'>): Structural {
  const { properties = {} } = schema;
  const own = Object.fromEntries(Object.entries(properties).filter(([name]) => !ofEveryObject.includes(name)));
  const bare: JsonSchema = { ...schema, properties: own };
  return {
    fields: fieldsOf(bare, schemas),
    hasDefaults: hasDefaults(bare),
    // A default is of the type of its field.
    withDefaults: <T>(object: T) => withDefaults(object, bare) as T,
    validate(object, old) {
      const errors = [...validateValue(object, bare, ''), ...nameErrors(object, properties['metadata'])];
      return errors.length > 0 ? errors : evaluateRules(bare, { value: object, old, path: '' });
    },
  };
}

/** Of metadata a definition may restrict the name alone. */
function nameErrors(object: unknown, metadata: JsonSchema | undefined): readonly FieldError[] {
  const schema = metadata?.properties?.['name'];
  const { name } = (object as { readonly metadata?: { readonly name?: unknown } }).metadata ?? {};
  return schema && name !== undefined ? validateValue(name, schema, 'metadata.name') : [];
}
