import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formOf, hasForm } from './wildcard.ts';

test('a form is what the same regular expression is', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (pattern, text) => {
      const expected = new RegExp(`^${pattern.replaceAll(/\*+/g, '.*').replaceAll('?', '.')}$`);
      assert.equal(hasForm(formOf(pattern), text), expected.test(text));
    }),
  );
});

test('a pattern of many wildcards takes no time', () => {
  const pattern = `${'a*'.repeat(500)}b`;
  assert.equal(hasForm(formOf(pattern), 'a'.repeat(10_000)), false);
});
