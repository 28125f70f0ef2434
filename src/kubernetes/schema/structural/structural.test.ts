import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { apply } from '../../merge/apply.ts';
import { decode } from '../decode.ts';
import { loadSchemas } from '../load.ts';
import { structuralErrors } from './check.ts';
import type { JsonSchema } from './json-schema.ts';
import { structuralOf } from './structural.ts';

const schemas = await loadSchemas();
const kind = { group: 'stable.example.com', version: 'v1', kind: 'CronTab' };

const cronTab: JsonSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['cronSpec'],
      properties: {
        cronSpec: { type: 'string', pattern: '^(\\d+|\\*)$' },
        replicas: { type: 'integer', minimum: 1, maximum: 10, default: 2 },
        port: { 'x-kubernetes-int-or-string': true },
        mode: { type: 'string', enum: ['a', 'b'], nullable: true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        labels: { type: 'object', additionalProperties: { type: 'string', maxLength: 3 } },
        jobs: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, retries: { type: 'integer', default: 3 } },
          },
        },
      },
    },
  },
};
const structural = structuralOf(cronTab, schemas);
const decoded = (spec: object) => decode(JSON.stringify({ spec }), { schema: structural.fields, kind });
const errorsOf = (spec: object, schema = structural, old?: object) =>
  schema.validate({ spec }, old && { spec: old }).map(({ field, message }) => `${field}: ${message}`);

test('decoding prunes what the schema does not know, and only that', () => {
  const { object, problems } = decoded({
    cronSpec: '*',
    extra: 1,
    free: { any: { thing: [1] } },
    labels: { a: 'b' },
    jobs: [{ name: 'x', more: 1 }],
    mode: null,
    replicas: 'many',
  });
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['spec.extra', 'spec.jobs[0].more'],
  );
  assert.deepEqual(object, {
    spec: {
      cronSpec: '*',
      free: { any: { thing: [1] } },
      labels: { a: 'b' },
      jobs: [{ name: 'x' }],
      mode: null,
      replicas: 'many',
    },
  });
});

test('defaults fill what is missing, also in items, and what is null and may not be', () => {
  assert.deepEqual(structural.withDefaults({ spec: { jobs: [{ name: 'x' }], replicas: null, mode: null } }), {
    spec: { jobs: [{ name: 'x', retries: 3 }], replicas: 2, mode: null },
  });
  const whole = { spec: { replicas: 1, jobs: [] } };
  assert.equal(structural.withDefaults(whole), whole);
});

const refusals: readonly (readonly [object, string])[] = [
  [{}, 'spec.cronSpec: Required value'],
  [
    { cronSpec: '*', replicas: 'x' },
    'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
  ],
  [
    { cronSpec: '*', replicas: 15 },
    'spec.replicas: Invalid value: 15: spec.replicas in body should be less than or equal to 10',
  ],
  [{ cronSpec: 'x' }, `spec.cronSpec: Invalid value: "x": spec.cronSpec in body should match '^(\\d+|\\*)$'`],
  [{ cronSpec: '*', mode: 'c' }, 'spec.mode: Unsupported value: "c": supported values: "a", "b"'],
  [
    { cronSpec: '*', port: true },
    'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
  ],
  [{ cronSpec: '*', labels: { a: 'long' } }, 'spec.labels.a: Too long: may not be more than 3 bytes'],
  [{ cronSpec: '*', jobs: [{ name: 'a' }, { name: 'a' }] }, 'spec.jobs[1]: Duplicate value: {"name":"a"}'],
  [{ cronSpec: null }, 'spec.cronSpec: Invalid value: "null": spec.cronSpec in body must be of type string: "null"'],
];
for (const [spec, error] of refusals)
  test(`${JSON.stringify(spec)} is refused`, () => assert.deepEqual(errorsOf(spec), [error]));

test('what fits is accepted', () => {
  assert.deepEqual(errorsOf({ cronSpec: '*', mode: null, port: 'web', replicas: 3, jobs: [{ name: 'a' }] }), []);
});

test('alternatives are counted', () => {
  const schema = structuralOf(
    {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
      },
    },
    schemas,
  );
  assert.deepEqual(errorsOf({ a: 'x' }, schema), []);
  assert.deepEqual(errorsOf({}, schema), [
    'spec: Invalid value: "object": "spec" must validate one and only one schema (oneOf). Found none valid',
  ]);
});

const ruled = structuralOf(
  {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        'x-kubernetes-validations': [
          { rule: 'self.min <= self.max', message: 'min must not exceed max' },
          { rule: 'self.max == oldSelf.max', messageExpression: '"max was " + string(oldSelf.max)' },
        ],
        properties: {
          min: { type: 'integer' },
          max: { type: 'integer' },
          'size-limit': {
            type: 'string',
            'x-kubernetes-validations': [{ rule: 'quantity(self).isLessThan(quantity("1Gi"))' }],
          },
        },
      },
    },
  },
  schemas,
);

test('rules are asked of the value, and of its change', () => {
  assert.deepEqual(errorsOf({ min: 1, max: 2, 'size-limit': '5Mi' }, ruled), []);
  assert.deepEqual(errorsOf({ min: 3, max: 2 }, ruled), ['spec: Invalid value: "object": min must not exceed max']);
  assert.deepEqual(errorsOf({ min: 1, max: 3 }, ruled, { min: 1, max: 2 }), [
    'spec: Invalid value: "object": max was 2',
  ]);
  assert.deepEqual(errorsOf({ min: 1, max: 2, 'size-limit': '5Gi' }, ruled), [
    'spec.size-limit: Invalid value: "string": failed rule: quantity(self).isLessThan(quantity("1Gi"))',
  ]);
  assert.match(
    errorsOf({ min: 1 }, ruled)[0]!,
    /^spec: Invalid value: "object": rule evaluation error: .*No such key: max/,
  );
});

const unstructural: readonly (readonly [JsonSchema, string])[] = [
  [{ type: 'string' }, 's.type: Invalid value: "string": must be object at the root'],
  [
    { type: 'object', properties: { a: {} } },
    's.properties[a].type: Required value: must not be empty for specified object fields',
  ],
  [
    { type: 'object', properties: { a: { type: 'array' } } },
    's.properties[a].items: Required value: must be specified',
  ],
  [
    { type: 'object', anyOf: [{ description: 'x' }] },
    's.anyOf[0].description: Forbidden: must be undefined to be structural',
  ],
  [
    { type: 'object', properties: { a: { type: 'integer', default: 'x' } } },
    's.properties[a].default: Invalid value: "string": s.properties[a].default in body must be of type integer: "string"',
  ],
  [
    { type: 'object', properties: { a: { type: 'string', pattern: '(' } } },
    's.properties[a].pattern: Invalid value: "(": must be a valid regular expression',
  ],
];
for (const [schema, error] of unstructural)
  test(error, () =>
    assert.deepEqual(
      structuralErrors(schema, 's').map(({ field, message }) => `${field}: ${message}`),
      [error],
    ),
  );

test('rules that are none are told to the author', () => {
  const schema = { type: 'object', 'x-kubernetes-validations': [{ rule: 'self.' }] };
  const [error] = structuralErrors(schema, 's');
  assert.match(error!.message, /^Invalid value: "self\.": compilation failed: ERROR/);
  assert.deepEqual(structuralErrors(cronTab, 's'), []);
});

test('server-side apply merges custom lists by their keys', () => {
  const request = { schema: structural.fields, isForced: false, now: '2024-01-01T00:00:00Z' };
  const withJobs = (...names: readonly string[]) => ({ ...kindOf, spec: { jobs: names.map((name) => ({ name })) } });
  const kindOf = { apiVersion: 'stable.example.com/v1', kind: 'CronTab' };
  const one = apply({ ...request, live: undefined, applied: withJobs('a'), manager: 'x' });
  const both = apply({ ...request, live: one, applied: withJobs('b'), manager: 'y' });
  assert.deepEqual((both as { spec?: object }).spec, { jobs: [{ name: 'a' }, { name: 'b' }] });
});

test('hostile values are refused or accepted, never crash', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (spec) => {
      const { object } = decode(JSON.stringify({ spec }), { schema: structural.fields, kind });
      structural.validate(structural.withDefaults(object));
    }),
  );
});

test('rules that do not fit the types of the schema are told to the author', () => {
  const errorsFor = (rule: string) =>
    structuralErrors(
      {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            'x-kubernetes-validations': [{ rule }],
            properties: {
              size: { type: 'integer' },
              'max-age': { type: 'string', format: 'duration' },
              since: { type: 'string', format: 'date-time' },
              nested: { type: 'object', properties: { a: { type: 'string' } } },
              list: { type: 'array', items: { type: 'object', properties: { a: { type: 'string' } } } },
            },
          },
        },
      },
      'openAPIV3Schema',
    ).map(({ message }) => message);
  for (const rule of [
    'self.size > 1 && self.size <= oldSelf.size',
    'self.nested == oldSelf.nested',
    'self.list.all(x, x.a != "")',
    'self.max__dash__age < duration("1h") && self.since > timestamp("2020-01-01T00:00:00Z")',
    '!has(self.nested) || self.nested.a.startsWith("x")',
  ])
    assert.deepEqual(errorsFor(rule), [], rule);
  assert.match(errorsFor('self.sizes > 1')[0]!, /compilation failed: ERROR: <input>: undefined field 'sizes'$/);
  assert.match(errorsFor('self.size == "x"')[0]!, /no such overload: int == string$/);
  assert.match(errorsFor('self.size + 1')[0]!, /must evaluate to a bool$/);
});

test('strings with a format are what they say to a rule', () => {
  const schema = structuralOf(
    {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          'x-kubernetes-validations': [
            { rule: 'self.age < duration("1h")', message: 'too old' },
            { rule: 'self.since > timestamp("2020-01-01T00:00:00Z")', message: 'too early' },
          ],
          properties: { age: { type: 'string', format: 'duration' }, since: { type: 'string', format: 'date-time' } },
        },
      },
    },
    schemas,
  );
  assert.deepEqual(errorsOf({ age: '30m', since: '2024-01-01T00:00:00Z' }, schema), []);
  assert.deepEqual(errorsOf({ age: '2h', since: '2019-01-01T00:00:00Z' }, schema), [
    'spec: Invalid value: "object": too old',
    'spec: Invalid value: "object": too early',
  ]);
});

test('a rule may ask whether there was an old value', () => {
  const rule = {
    rule: '!oldSelf.hasValue() || self >= oldSelf.value()',
    optionalOldSelf: true,
    message: 'may not shrink',
  };
  const schema = structuralOf(
    {
      type: 'object',
      properties: {
        spec: { type: 'object', properties: { size: { type: 'integer', 'x-kubernetes-validations': [rule] } } },
      },
    },
    schemas,
  );
  assert.deepEqual(errorsOf({ size: 1 }, schema), []);
  assert.deepEqual(errorsOf({ size: 2 }, schema, { size: 1 }), []);
  assert.deepEqual(errorsOf({ size: 1 }, schema, { size: 2 }), ['spec.size: Invalid value: "integer": may not shrink']);
});

test('the metadata of whole objects inside of others is read as strictly as any', () => {
  const { fields } = structuralOf(
    {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            template: {
              type: 'object',
              'x-kubernetes-embedded-resource': true,
              'x-kubernetes-preserve-unknown-fields': true,
            },
          },
        },
      },
    },
    schemas,
  );
  const template = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', more: 1 }, spec: { any: 1 } };
  const { object, problems } = decode(JSON.stringify({ metadata: { unknown: 1 }, spec: { template } }), {
    schema: fields,
    kind,
  });
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['metadata.unknown', 'spec.template.metadata.more'],
  );
  assert.deepEqual((object as { spec?: unknown }).spec, { template: { ...template, metadata: { name: 'x' } } });
});
