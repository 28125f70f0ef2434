/** Bodies that no honest client sends, to every resource there is: each is answered, none with a failure of the server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { apiVersionOf } from '../../object.ts';
import { loadSchemas } from '../../schema/load.ts';
import { valueOf } from './fakes/values.ts';
import { json, makeWorld, protobuf } from './fakes/sweep.ts';

/** What is wrong with any kind. */
const malformed: readonly (readonly [type: string, body: string])[] = [
  [json, ''],
  [json, 'null'],
  [json, '[]'],
  [json, '"x"'],
  [json, '{'],
  [json, '{"metadata":null,"spec":null,"status":null}'],
  [json, '{"metadata":[],"spec":[]}'],
  [json, '{"metadata":{"name":{"a":1}}}'],
  [json, '{"metadata":{"name":"a","labels":{"x":1}}}'],
  [json, '{"metadata":{"name":"a","ownerReferences":[null]}}'],
  [json, '{"metadata":{"name":"a"}}'],
  [json, '{"metadata":{"generateName":"g-"},"spec":{}}'],
  [json, '{"metadata":{"name":"b"},"spec":{"template":{}},"subsets":[{}],"rules":[{}],"webhooks":[{}]}'],
  [
    json,
    '{"metadata":{"name":"c"},"spec":{"template":{"spec":{"containers":[{}]}},"containers":[{}],"versions":[{}],"ports":[{}]}}',
  ],
  [json, '{"metadata":{"name":"..","namespace":"other"}}'],
  [json, '{"__proto__":{"a":1},"constructor":{},"metadata":{"__proto__":{"name":"x"},"name":"d"}}'],
  [json, `{"metadata":{"name":"e","annotations":{"a":"${'x'.repeat(300_000)}"}}}`],
  [json, `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
  [json, `${'{"spec":'.repeat(5000)}1${'}'.repeat(5000)}`],
  ['application/yaml', 'a: &a [*a, *a]\nb: *c'],
  ['application/yaml', '- - - x'],
  [protobuf, 'k8s\0'],
  [protobuf, 'k8s\0\n\x05\n\x01v\x12\x01x\x12\xff\xff\xff\xff\x0f'],
  [protobuf, 'nonsense'],
  ['text/plain', '{}'],
];

test('malformed bodies are refused, by every resource', { timeout: 120_000 }, async () => {
  await using world = await makeWorld();
  for (const { path } of world.targets)
    for (const [type, body] of malformed) await world.expectAnswer('POST', path, { type, body });
  world.report();
});

test('bodies that nearly fit are answered, by every resource', { timeout: 180_000 }, async () => {
  await using world = await makeWorld();
  const schemas = await loadSchemas();
  for (const { path, version } of world.targets) {
    const schema = schemas.of(version);
    assert.ok(schema, `there is a schema of ${version.kind}`);
    const body = fc.record({
      metadata: fc.record({
        name: fc.constantFrom('x', 'y', 'BAD', ''),
        namespace: fc.constantFrom('default', undefined),
      }),
      fields: valueOf(schema, 7),
    });
    for (const { metadata, fields } of fc.sample(body, { numRuns: 6, seed: 1 })) {
      const text = JSON.stringify({
        ...(fields as object),
        metadata,
        kind: version.kind,
        apiVersion: apiVersionOf(version),
      });
      await world.expectAnswer('POST', path, { type: json, body: text });
      await world.expectAnswer('PUT', `${path}/x`, { type: json, body: text });
      await world.expectAnswer('PATCH', `${path}/x`, { type: 'application/merge-patch+json', body: text });
      await world.expectAnswer('PATCH', `${path}/x`, { type: 'application/strategic-merge-patch+json', body: text });
      await world.expectAnswer('PATCH', `${path}/x?fieldManager=sweep&force=true`, {
        type: 'application/apply-patch+yaml',
        body: text,
      });
    }
  }
  world.report();
});
