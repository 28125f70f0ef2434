import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../json.ts';
import { isShallow, mergeOpenApiV2 } from './merge-v2.ts';
import { encodeOpenApiV2 } from './protobuf-v2.ts';

const groupVersion = { group: 'wardle.example.com', version: 'v1' };
const ref = (name: string) => ({ $ref: `#/definitions/${name}` });
const own = {
  swagger: '2.0',
  info: { title: 'Kubernetes', version: 'v1' },
  paths: { '/api/v1/': { get: {} } },
  definitions: { meta: { type: 'object', description: 'ours' }, same: { type: 'string' } },
};

test('paths of a group version come with what they lead to', () => {
  const document = {
    paths: {
      '/apis/wardle.example.com/v1/flunders': {
        get: { parameters: [{ $ref: '#/parameters/limit' }], responses: { 200: { schema: ref('flunder') } } },
      },
      '/apis/wardle.example.com/v1beta1/flunders': { get: {} },
      '/api/v1/': { get: { forged: true } },
    },
    parameters: { limit: { name: 'limit', in: 'query' } },
    definitions: {
      flunder: { type: 'object', properties: { metadata: ref('meta'), size: ref('same'), parent: ref('flunder') } },
      meta: { type: 'object', description: 'theirs' },
      same: { type: 'string' },
      unused: {},
    },
  };
  assert.deepEqual(mergeOpenApiV2(own, [{ groupVersion, document }]), {
    ...own,
    paths: {
      ...own.paths,
      '/apis/wardle.example.com/v1/flunders': {
        get: { parameters: [{ name: 'limit', in: 'query' }], responses: { 200: { schema: ref('flunder') } } },
      },
    },
    definitions: {
      ...own.definitions,
      flunder: { type: 'object', properties: { metadata: ref('meta_v2'), size: ref('same'), parent: ref('flunder') } },
      meta_v2: { type: 'object', description: 'theirs' },
    },
  });
});

function serving(version: string, definitions: JsonObject, ...names: readonly string[]) {
  const responses = Object.fromEntries(names.map((name, index) => [200 + index, { schema: ref(name) }]));
  const paths = { [`/apis/wardle.example.com/${version}/flunders`]: { get: { responses } } };
  return { groupVersion: { ...groupVersion, version }, document: { paths, definitions } };
}

test('a name that a definition gets is nobody else’s', () => {
  const theirs = { meta: { type: 'object', description: 'theirs' }, meta_v2: { type: 'boolean' } };
  const merged = mergeOpenApiV2(own, [serving('v1', theirs, 'meta', 'meta_v2')]);
  assert.deepEqual(merged['definitions'], { ...own.definitions, meta_v2: theirs.meta_v2, meta_v3: theirs.meta });
  const responses = { 200: { schema: ref('meta_v3') }, 201: { schema: ref('meta_v2') } };
  assert.deepEqual((merged['paths'] as JsonObject)['/apis/wardle.example.com/v1/flunders'], { get: { responses } });
});

test('a definition that refers to another of the same name is another itself', () => {
  const list = { type: 'array', items: ref('meta') };
  const ours = { ...own, definitions: { ...own.definitions, list } };
  const theirs = { list, meta: { type: 'object', description: 'theirs' } };
  // The second says what the first does, and adds nothing.
  const merged = mergeOpenApiV2(ours, [serving('v1', theirs, 'list'), serving('v2', theirs, 'list')]);
  const definitions = { ...ours.definitions, list_v2: { type: 'array', items: ref('meta_v2') }, meta_v2: theirs.meta };
  assert.deepEqual(merged['definitions'], definitions);
});

test('whatever another server says, the document is whole', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const names = fc.constantFrom('flunder', 'meta', 'meta_v2', 'same', '__proto__', 'constructor');
  const reference = names.map(ref);
  const document = fc.record({
    paths: fc.dictionary(
      fc.constantFrom('/apis/wardle.example.com/v1', '/apis/wardle.example.com/v1/flunders', '/other'),
      fc.oneof(value, reference, fc.record({ get: fc.oneof(value, fc.record({ responses: reference })) })),
    ),
    definitions: fc.dictionary(names, fc.oneof(value, reference)),
    parameters: value,
  });
  fc.assert(
    fc.property(document, (said) => {
      const merged = mergeOpenApiV2(own, [{ groupVersion, document: said }]);
      assert.deepEqual((merged['paths'] as JsonObject)['/api/v1/'], { get: {} });
      const { meta, same } = merged['definitions'] as JsonObject;
      assert.deepEqual({ meta, same }, own.definitions);
      assert.ok(!Object.hasOwn(merged['paths'] as JsonObject, '/other'));
      encodeOpenApiV2(merged);
    }),
  );
});

test('what nests without end is told from what does not', () => {
  let deep: unknown = {};
  for (let level = 0; level < 5000; level++) deep = [deep];
  assert.deepEqual([isShallow(deep), isShallow(own)], [false, true]);
});
