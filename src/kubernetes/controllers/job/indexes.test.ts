import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIndexes, parseIndexes } from './indexes.ts';

test('sets of indexes are written as upstream writes them', () => {
  assert.equal(formatIndexes([7, 3, 1, 5, 4]), '1,3-5,7');
  assert.equal(formatIndexes([0, 1]), '0,1');
  assert.equal(formatIndexes([]), '');
  assert.deepEqual([...parseIndexes('1,3-5,7', 5)], [1, 3, 4]);
});

test('what is written is read', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200)), (indexes) => {
      assert.deepEqual(parseIndexes(formatIndexes(indexes), 201), new Set(indexes.toSorted((a, b) => a - b)));
    }),
  );
});

test('nonsense is no index', () => {
  fc.assert(fc.property(fc.string(), (text) => [...parseIndexes(text, 100)].every((index) => index < 100)));
});
