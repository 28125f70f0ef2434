import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadSchemas } from '../schema/load.ts';
import { strategicPatch } from './strategic.ts';

const schemas = await loadSchemas();
const pod = schemas.of({ group: '', version: 'v1', kind: 'Pod' })!;
const deployment = schemas.of({ group: 'apps', version: 'v1', kind: 'Deployment' })!;
const patched = (document: object, patch: object) => strategicPatch(pod, document, patch);
const containers = (...items: readonly object[]) => ({ spec: { containers: items } });

test('lists with a merge key merge by it; others are replaced', () => {
  const before = containers({ name: 'a', image: '1', args: ['x'] }, { name: 'b', image: '1' });
  assert.deepEqual(
    patched(before, containers({ name: 'c', image: '3' }, { name: 'a', image: '2', args: ['y'] })),
    containers({ name: 'c', image: '3' }, { name: 'a', image: '2', args: ['y'] }, { name: 'b', image: '1' }),
  );
});

test('lists of plain values that merge keep what they have', () => {
  assert.deepEqual(patched({ metadata: { finalizers: ['a', 'b'] } }, { metadata: { finalizers: ['c', 'a'] } }), {
    metadata: { finalizers: ['c', 'a', 'b'] },
  });
  assert.deepEqual(
    patched({ metadata: { finalizers: ['a', 'b'] } }, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }),
    { metadata: { finalizers: ['b'] } },
  );
});

test('null removes, in maps and in items', () => {
  assert.deepEqual(
    patched({ metadata: { labels: { a: '1', b: '2' } } }, { metadata: { labels: { a: null, c: null } } }),
    { metadata: { labels: { b: '2' } } },
  );
  assert.deepEqual(
    patched(containers({ name: 'a', image: '1' }), containers({ name: 'a', image: null })),
    containers({ name: 'a' }),
  );
});

test('$patch deletes and replaces items and objects', () => {
  const before = containers({ name: 'a', image: '1' }, { name: 'b', image: '1' });
  assert.deepEqual(patched(before, containers({ name: 'a', $patch: 'delete' })), containers({ name: 'b', image: '1' }));
  assert.deepEqual(
    patched(before, containers({ $patch: 'replace' }, { name: 'c', image: '2' })),
    containers({ name: 'c', image: '2' }),
  );
  assert.deepEqual(
    patched({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'replace', b: '2' } } }),
    { metadata: { labels: { b: '2' } } },
  );
  assert.deepEqual(patched({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'delete' } } }), {
    metadata: { labels: {} },
  });
  assert.throws(() => patched(before, { $patch: 'invert' }), { reason: 'BadRequest' });
});

test('$retainKeys clears what a union has no more', () => {
  assert.deepEqual(
    strategicPatch(
      deployment,
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    ),
    { spec: { strategy: { type: 'Recreate' } } },
  );
  const volumes = { spec: { volumes: [{ name: 'v', emptyDir: {} }] } };
  assert.deepEqual(
    patched(volumes, {
      spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] },
    }),
    { spec: { volumes: [{ name: 'v', configMap: { name: 'c' } }] } },
  );
});

test('$setElementOrder sorts what it names', () => {
  const before = containers({ name: 'a' }, { name: 'b' }, { name: 'c' }, { name: 'server' });
  const order = { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }] };
  assert.deepEqual(
    patched(before, { spec: order }),
    containers({ name: 'c' }, { name: 'a' }, { name: 'b' }, { name: 'server' }),
  );
  const image = { spec: { ...order, containers: [{ name: 'a', image: '2' }] } };
  assert.deepEqual(
    patched(before, image),
    containers({ name: 'c' }, { name: 'a', image: '2' }, { name: 'b' }, { name: 'server' }),
  );
  assert.throws(() => patched(before, { spec: { ...order, containers: [{ name: 'b' }, { name: 'a' }] } }), {
    code: 422,
  });
});

test('what is new is taken without directives', () => {
  assert.deepEqual(
    patched(
      {},
      {
        spec: {
          containers: [{ name: 'a', env: [{ name: 'x', $patch: 'delete' }], image: null }],
          $retainKeys: ['containers'],
        },
      },
    ),
    { spec: { containers: [{ name: 'a', env: [] }] } },
  );
});

test('an item without its key is refused', () => {
  assert.throws(() => patched(containers({ name: 'a' }), containers({ image: 'x' })), { code: 422 });
});

test('a patch applied twice changes nothing more, and touches neither argument', () => {
  const item = fc.record(
    { name: fc.constantFrom('a', 'b', 'c'), image: fc.constantFrom('1', '2') },
    { noNullPrototype: true },
  );
  const list = fc.uniqueArray(item, { selector: ({ name }) => name, maxLength: 3 });
  const labels = fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2', null), {
    maxKeys: 3,
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(list, list, labels, (before, items, labels) => {
      const document = { metadata: { labels: { x: '0' } }, ...containers(...before) };
      const patch = { metadata: { labels }, ...containers(...items) };
      const copies = structuredClone([document, patch]);
      const once = patched(document, patch) as object;
      assert.deepEqual(patched(once, patch), once);
      assert.deepEqual([document, patch], copies);
    }),
  );
});
