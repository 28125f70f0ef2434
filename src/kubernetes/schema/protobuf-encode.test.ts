import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { apiVersionOf, type GroupVersionKind, type KubernetesObject } from '../object.ts';
import { builtInRows } from '../apiserver/registry/index.ts';
import { decode } from './decode.ts';
import { isEmptyValue } from './json.ts';
import { loadSchemas } from './load.ts';
import { envelope, watchFrame } from './protobuf-encode.ts';
import type { Field, ObjectSchema, Schema } from './schema.ts';

const schemas = await loadSchemas();

test('every built-in kind comes back from protobuf as it was', () => {
  const kinds = builtInRows.flatMap(({ versions }) => versions).filter((kind) => schemas.hasProtobuf(kind));
  assert.ok(kinds.length > 60, `${kinds.length} kinds`);
  for (const kind of kinds) {
    const schema = schemas.of(kind);
    assert.ok(schema);
    const object = objectOf(schema, 7);
    for (const generated of fc.sample(object, { numRuns: 12, seed: 7 })) expectSame(kind, schema, generated);
  }
});

test('lists of a kind hold the items', () => {
  const items = ['a', 'b'].map((name) => ({ metadata: { name }, data: { key: name } }));
  const kind = { group: '', version: 'v1', kind: 'ConfigMapList' };
  const list = { metadata: { resourceVersion: '7', remainingItemCount: 3 }, items };
  assert.deepEqual(back(kind, list), { apiVersion: 'v1', kind: 'ConfigMapList', ...list });
});

test('texts of any script and numbers of any size survive', () => {
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  const text = fc.string({ unit: 'binary', maxLength: 60 }).filter((value) => value.isWellFormed());
  const seconds = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
  fc.assert(
    fc.property(text, seconds, (note, activeDeadlineSeconds) => {
      const pod = { metadata: { annotations: { a: `x${note}` } }, spec: { containers: [], activeDeadlineSeconds } };
      const { metadata, spec } = back(kind, pod) as unknown as typeof pod;
      assert.deepEqual([metadata, spec.activeDeadlineSeconds], [pod.metadata, activeDeadlineSeconds]);
    }),
  );
});

test('a frame tells its length, the event and an enveloped object', () => {
  const frame = watchFrame('ADDED', envelope({ group: '', version: 'v1', kind: 'Pod' }, Buffer.alloc(0)));
  assert.equal(frame.readUInt32BE(), frame.length - 4);
  assert.equal(frame.subarray(4, 11).toString(), '\n\x05ADDED');
  assert.ok(frame.includes('k8s\0'));
});

function back(kind: GroupVersionKind, object: object): KubernetesObject {
  return schemas.decodeProtobuf(envelope(kind, schemas.protobufField(kind, object)));
}

/** What JSON decoding makes of a value is what protobuf must give back, but for empty lists and maps, which protobuf does not know. */
function expectSame(kind: GroupVersionKind, schema: ObjectSchema, generated: unknown): void {
  const text = JSON.stringify({ ...(generated as object), apiVersion: apiVersionOf(kind), kind: kind.kind });
  const { object, problems } = decode(text, { schema, kind, findsDuplicates: false });
  assert.deepEqual(problems, []);
  assert.deepEqual(withoutEmpty(back(kind, object), schema), withoutEmpty(object, schema), kind.kind);
}

/** Without entries there is no list and no map. */
function withoutEmpty(value: unknown, schema: Schema): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (schema.type === 'array') return (value as unknown[]).map((item) => withoutEmpty(item, schema.items));
  if (schema.type === 'map') return mapped(value, () => schema.values);
  if (schema.type !== 'object') return value;
  const cleaned = mapped(value, (name) => schema.fields.get(name)?.schema ?? { type: 'any' });
  const isNothing = ([name, member]: readonly [string, unknown]) =>
    member === null || (isEmptyValue(member) && ['array', 'map'].includes(schema.fields.get(name)?.schema.type ?? ''));
  return Object.fromEntries(Object.entries(cleaned).filter((entry) => !isNothing(entry)));
}

function mapped(value: object, schemaOf: (name: string) => Schema): object {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withoutEmpty(member, schemaOf(name))]),
  );
}

function objectOf(schema: ObjectSchema, depth: number): fc.Arbitrary<object> {
  const fields = [...schema.fields].filter(([name]) => name !== 'kind' && name !== 'apiVersion');
  const chosen = fc.subarray(fields, { minLength: Math.min(2, fields.length), maxLength: Math.min(6, fields.length) });
  return chosen.chain((some: readonly (readonly [string, Field])[]) =>
    fc.record(Object.fromEntries(some.map(([name, field]) => [name, valueOf(field.schema, depth - 1)]))),
  );
}

function valueOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'integer':
      return fc.integer({ min: schema.format === 'int32' ? -(2 ** 31) : -(2 ** 53) + 1, max: 2 ** 31 - 1 });
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value || 0);
    case 'boolean':
      return fc.boolean();
    case 'string':
      return textOf(schema.format);
    case 'array':
      return depth > 0 ? fc.array(valueOf(schema.items, depth - 1), { maxLength: 3 }) : fc.constant([]);
    case 'map':
      return depth > 0
        ? fc.dictionary(fc.string(), valueOf(schema.values, depth - 1), { maxKeys: 3 })
        : fc.constant({});
    case 'object':
      return depth > 0 ? objectOf(schema, depth) : fc.constant({});
    default:
      return fc.constant({ type: 'object' });
  }
}

function textOf(format: string | undefined): fc.Arbitrary<unknown> {
  switch (format) {
    case 'date-time':
      return fc.constantFrom('2026-01-01T00:00:00Z', '1969-12-31T23:59:59Z', '0001-01-02T00:00:00Z');
    case 'micro-time':
      return fc.constantFrom(
        '2026-01-01T00:00:00.000001Z',
        '2026-01-01T00:00:00.500000Z',
        '2026-01-01T00:00:00.000000Z',
      );
    case 'duration':
      return fc.constantFrom('1m30s', '1.5s', '10ms', '0s', '-2h0m0s', '3ns', '4µs');
    case 'byte':
      return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    case 'quantity':
      return fc.constantFrom('1', '500m', '1Gi', '0', '100k');
    case 'int-or-string':
      return fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constantFrom('http', '25%', ''));
    default:
      return fc.string({ maxLength: 30 });
  }
}
