import fc from 'fast-check';
import type { Schema } from '../../../schema/schema.ts';

/** Values of a schema, of which some are of another type, and many are missing. */
export function valueOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const wrong = fc.constantFrom<unknown>(null, 0, -1, 2 ** 60, '', 'x', '1Gi', [], {}, true, [null]);
  const right = depth <= 0 ? wrong : rightOf(schema, depth);
  return fc.oneof({ weight: 14, arbitrary: right }, { weight: 1, arbitrary: wrong });
}

function rightOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'string':
      return fc.constantFrom(
        'x',
        'a-b',
        'Always',
        'TCP',
        '100m',
        '25%',
        '2026-01-01T00:00:00Z',
        'eA==',
        '10.0.0.1',
        '*/5 * * * *',
      );
    case 'integer':
    case 'number':
      return fc.constantFrom(0, 1, 80, 65_536, -1);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(valueOf(schema.items, depth - 1), { maxLength: 2 });
    case 'map':
      return fc.dictionary(fc.constantFrom('a', 'cpu', 'memory', 'app'), valueOf(schema.values, depth - 1), {
        maxKeys: 2,
      });
    case 'object': {
      const fields = [...schema.fields].map(([name, field]) => [name, valueOf(field.schema, depth - 1)] as const);
      const required = [...schema.fields].flatMap(([name, { isRequired }]) => (isRequired ? [name] : []));
      // Deep structs would otherwise be mostly empty.
      const chosen = fc.subarray(
        fields.map(([name]) => name),
        { maxLength: Math.min(6, fields.length) },
      );
      const all = Object.fromEntries(fields);
      return chosen.chain((names) => {
        const members = [...new Set([...names, ...required])].map((name) => [name, all[name]!] as const);
        return fc.record(Object.fromEntries(members));
      });
    }
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}
