import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isStatusError } from '../../status.ts';
import { parseJsonPath } from './json-path.ts';

const object = {
  spec: { replicas: 3, list: [{ a: 1 }, { a: 2 }] },
  metadata: { labels: { 'a.b/c': 'x' } },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};

test('paths of printer columns', () => {
  const at = (path: string) => parseJsonPath(path)(object);
  assert.deepEqual(at('.spec.replicas'), [3]);
  assert.deepEqual(at('spec.replicas'), [3]);
  assert.deepEqual(at('.spec.list[*].a'), [1, 2]);
  assert.deepEqual(at('.spec.list[1].a'), [2]);
  assert.deepEqual(at(".metadata.labels['a.b/c']"), ['x']);
  assert.deepEqual(at('.metadata.labels.a\\.b/c'), ['x']);
  assert.deepEqual(at('.status.conditions[?(@.type=="Ready")].status'), ['True']);
  assert.deepEqual(at('.status.conditions[?(@.type!="Ready")].status'), ['False']);
  assert.deepEqual(at('.none.at.all'), []);
  assert.deepEqual(at('.spec.constructor'), []);
});

test('anything else is refused, never a crash', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseJsonPath(text)(object);
      } catch (error) {
        assert.ok(isStatusError(error, 'BadRequest'), String(error));
      }
    }),
  );
});
