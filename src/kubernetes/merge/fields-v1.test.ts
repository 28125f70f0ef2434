import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FieldSetBuilder, difference, intersection, isEqualSet, pathsOf, union } from './field-set.ts';
import type { FieldSet } from './field-set.ts';
import { decodeFields, encodeFields, showPath } from './fields-v1.ts';

const element = fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'v:"y"', 'i:0');
const { set } = fc.letrec<{ set: FieldSet }>((tie) => ({
  set: fc
    .tuple(
      fc.array(element, { maxLength: 3 }),
      fc.dictionary(element, fc.oneof({ maxDepth: 3 }, fc.constant(undefined), tie('set')), { maxKeys: 2 }),
    )
    .map(([members, children]) => {
      const builder = new FieldSetBuilder();
      for (const member of members) builder.add(member);
      for (const [name, child] of Object.entries(children)) if (child) builder.below(name, child);
      return builder.build();
    }),
}));

test('what is written is read back', () => {
  fc.assert(
    fc.property(set, (set) => {
      const read = decodeFields(JSON.parse(JSON.stringify(encodeFields(set))));
      assert.ok(read && isEqualSet(read, set));
    }),
  );
});

test('sets are sets of paths', () => {
  const keys = (one: FieldSet) => new Set(pathsOf(one).map((path) => path.join('/')));
  fc.assert(
    fc.property(set, set, (a, b) => {
      assert.deepEqual(keys(union(a, b)), keys(a).union(keys(b)));
      assert.deepEqual(keys(intersection(a, b)), keys(a).intersection(keys(b)));
      assert.deepEqual(keys(difference(a, b)), keys(a).difference(keys(b)));
      assert.equal(union(a, a), a, 'no change gives the same set');
    }),
  );
});

test('paths are shown as messages have them', () => {
  assert.equal(
    showPath(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name']),
    '.spec.ports[port=80,protocol="TCP"].name',
  );
  assert.equal(showPath(['f:metadata', 'f:finalizers', 'v:"x"']), '.metadata.finalizers[="x"]');
});

test('what is no set is told', () => {
  for (const wrong of [undefined, 1, [], { a: {} }, { 'f:a': 1 }, { 'f:a': { x: {} } }])
    assert.equal(decodeFields(wrong), undefined);
});
