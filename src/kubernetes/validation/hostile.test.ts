import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubernetesObject, ResourceType } from '../object.ts';
import * as resources from '../resources.ts';
import { loadSchemas } from '../schema/load.ts';
import { valuesOf } from './fakes/values.ts';
import { validators } from './validators.ts';

/** The kinds with rules of their own, and the schemas of their objects. */
async function validated() {
  const schemas = await loadSchemas();
  const types: readonly ResourceType[] = Object.values(resources);
  return types.flatMap((type) => {
    const validate = validators.get(`${type.group}/${type.resource}`);
    const schema = schemas.of(type);
    return validate && schema ? [{ type, validate, schema }] : [];
  });
}

test('no object of a kind makes its validation throw, nor any change from one to another', async () => {
  const kinds = await validated();
  assert.ok(kinds.length > 35, 'the test looked at the kinds');
  for (const { type, validate, schema } of kinds) {
    // Pod specs are deep: their parts are reached by beginning below.
    const objects = valuesOf(schema, 7) as fc.Arbitrary<KubernetesObject>;
    fc.assert(
      fc.property(objects, objects, (object, old) => {
        for (const error of [...validate(object, undefined), ...validate(object, old)]) {
          assert.equal(typeof error.field, 'string', type.kind);
          assert.ok(error.message.startsWith(error.type), `${type.kind}: ${error.message}`);
        }
      }),
      { numRuns: 15 },
    );
  }
});
