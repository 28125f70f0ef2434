import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonPatch } from './json-patch.ts';

/** Document, patch, result: after RFC 6902, appendix A. */
const applied: readonly (readonly [unknown, readonly object[], unknown])[] = [
  [{ a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
  [{ a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
  [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/0' }], { a: [2] }],
  [{ a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
  [{ a: 1 }, [{ op: 'replace', path: '/a', value: null }], { a: null }],
  [{ a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
  [{ a: { b: 1 } }, [{ op: 'copy', from: '/a', path: '/c' }], { a: { b: 1 }, c: { b: 1 } }],
  [
    { 'a/b': 1, 'm~n': 2 },
    [
      { op: 'test', path: '/a~1b', value: 1 },
      { op: 'remove', path: '/m~0n' },
    ],
    { 'a/b': 1 },
  ],
  [{ a: 1 }, [{ op: 'test', path: '/b', value: null }], { a: 1 }],
  [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 1 } }], { b: 1 }],
  [{ a: { x: 1, y: [2] } }, [{ op: 'test', path: '/a', value: { y: [2], x: 1 } }], { a: { x: 1, y: [2] } }],
];
for (const [document, patch, result] of applied)
  test(`${JSON.stringify(patch)} applies`, () => {
    const before = structuredClone(document);
    assert.deepEqual(jsonPatch(document, patch), result);
    assert.deepEqual(document, before, 'the document is left alone');
  });

const refused = {
  'testing value /a failed: test failed': { op: 'test', path: '/a', value: 2 },
  "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value": { op: 'remove', path: '/x' },
  'remove operation does not apply: doc is missing path: "/x/y": missing value': { op: 'remove', path: '/x/y' },
  'add operation does not apply: doc is missing path: "/x/y": missing value': { op: 'add', path: '/x/y', value: 1 },
  'replace operation does not apply: doc is missing key: /x: missing value': { op: 'replace', path: '/x', value: 1 },
  'move operation does not apply: doc is missing from path: /x: missing value': { op: 'move', from: '/x', path: '/y' },
  'Unexpected kind: grow': { op: 'grow', path: '/a' },
};
for (const [message, operation] of Object.entries(refused))
  test(message, () =>
    assert.throws(() => jsonPatch({ a: 1 }, [operation]), {
      reason: 'Invalid',
      code: 422,
      message: 'the server rejected our request due to an error in our request',
      details: { causes: [{ reason: 'UnexpectedServerResponse', field: 'patch', message }] },
    }),
  );

test('too many operations, and copies that grow without measure, are refused', () => {
  const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: {} }));
  assert.throws(() => jsonPatch({}, many), { reason: 'RequestEntityTooLarge' });
  const doubling = Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/k${index}` }));
  assert.throws(() => jsonPatch({ a: 'x'.repeat(100) }, doubling), { reason: 'Invalid' });
});

test('hostile patches are refused, never crash, and reach no prototype', () => {
  const path = fc.constantFrom(
    '',
    '/',
    '/a',
    '/a/0',
    '/a/-',
    '/a/-5',
    '/__proto__/x',
    '/constructor/prototype/x',
    'a',
    '/a/b/c',
  );
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 1),
    path,
    from: path,
    value: fc.jsonValue(),
  });
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(operation, { maxLength: 5 }), (document, patch) => {
      try {
        jsonPatch(document, patch);
      } catch (error) {
        assert.match(String((error as { reason?: string }).reason), /^(?:Invalid|BadRequest)$/);
      }
      assert.equal(({} as { x?: unknown }).x, undefined);
    }),
  );
});
