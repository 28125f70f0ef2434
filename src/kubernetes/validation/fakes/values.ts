import fc from 'fast-check';
import type { Schema } from '../../schema/schema.ts';

const words = [
  '',
  'a',
  'A b',
  'a/b/c',
  '..',
  '1Gi',
  '-1',
  '50%',
  '10.0.0.1',
  '10.0.0.0/33',
  'Exists',
  'In',
  '* * * * *',
  '{}',
  'ü'.repeat(40),
];
const texts = fc.oneof(fc.constantFrom(...words), fc.string());
const numbers = fc.oneof(fc.constantFrom(-1, 0, 1, 80, 65_536, 2 ** 31), fc.integer());

/** For property tests: values of a schema's shape with anything in them, and anything left out. */
export function valuesOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'string':
      if (schema.format === 'int-or-string') return fc.oneof(texts, numbers);
      // Decoding lets no other quantity through.
      if (schema.format === 'quantity') return fc.constantFrom('0', '1', '-1', '500m', '1Gi', '1e3', '1.5');
      return texts;
    case 'integer':
    case 'number':
      return numbers;
    case 'boolean':
      return fc.boolean();
    case 'any':
      return fc.jsonValue();
    case 'array':
      return fc.array(valuesOf(schema.items, depth - 1), { maxLength: depth > 0 ? 2 : 0 });
    case 'map':
      return fc.dictionary(texts, valuesOf(schema.values, depth - 1), { maxKeys: 2 });
    case 'object': {
      if (depth <= 0) return fc.constant({});
      const fields = [...schema.fields].map(
        ([name, field]) =>
          [
            name,
            fc
              .option(fc.constant(field.schema), { nil: undefined })
              .chain((inner) => (inner ? valuesOf(inner, depth - 1) : fc.constant(undefined))),
          ] as const,
      );
      return fc.record(Object.fromEntries(fields)).map((object) => JSON.parse(JSON.stringify(object)) as unknown);
    }
    default:
      return schema satisfies never;
  }
}
