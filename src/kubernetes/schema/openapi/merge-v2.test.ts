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

test('whatever another server says, the document is whole', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const names = fc.constantFrom('flunder', 'meta', '__proto__', 'constructor');
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
      assert.deepEqual((merged['definitions'] as JsonObject)['meta'], own.definitions.meta);
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
