/** What no honest client asks: patches, queries, protobuf and numbers without measure, to every resource there is. None fails the server, and what was refused has left no trace. */
import { test } from 'node:test';
import fc from 'fast-check';
import { loadSchemas } from '../../schema/load.ts';
import { envelope } from '../../schema/protobuf-encode.ts';
import { valueOf } from './fakes/values.ts';
import { json, makeWorld, protobuf } from './fakes/sweep.ts';

const patches = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

test('protobuf of any bytes is refused, by every resource', { timeout: 120_000 }, async () => {
  await using world = await makeWorld();
  const schemas = await loadSchemas();
  for (const { path, version } of world.targets) {
    if (!schemas.hasProtobuf(version)) continue;
    const schema = schemas.of(version)!;
    const whole = fc.sample(valueOf(schema, 5), { numRuns: 3, seed: 3 }).map((value) => messageOf(value));
    const bytes = fc.sample(fc.uint8Array({ maxLength: 80 }), { numRuns: 4, seed: 4 });
    for (const message of [...whole, ...whole.map(flipped), ...bytes]) {
      const body = envelope(version, Buffer.from(message)).toString('latin1');
      await world.expectAnswer('POST', path, { type: protobuf, body });
      await world.expectAnswer('PUT', `${path}/x`, { type: protobuf, body });
    }

    /** What of a generated value has the shape for it. */
    function messageOf(value: unknown): Uint8Array {
      try {
        return schemas.protobufMessage(version, value as object);
      } catch {
        // Values of the wrong shape have no message: they are asked for in the other sweep.
        return new Uint8Array();
      }
    }
  }
  world.report();
});

/** A few bytes turned over. */
function flipped(message: Uint8Array): Uint8Array {
  return message.map((byte, index) => (index % 7 === 3 ? byte ^ 0x55 : byte));
}

const deep = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;

const jsonPatches = [
  '{}',
  '[null]',
  '[{"op":"nothing"}]',
  '[{"op":"add","path":"nowhere","value":1}]',
  '[{"op":"add","path":"/metadata/labels/a~2b","value":1}]',
  '[{"op":"replace","path":"","value":null}]',
  '[{"op":"replace","path":"","value":[]}]',
  '[{"op":"remove","path":""}]',
  '[{"op":"remove","path":"/metadata"}]',
  '[{"op":"add","path":"/__proto__/polluted","value":1},{"op":"add","path":"/constructor","value":1}]',
  '[{"op":"copy","from":"","path":"/spec"}]',
  '[{"op":"move","from":"/metadata","path":"/metadata/deeper"}]',
  '[{"op":"test","path":"/metadata/name","value":{}}]',
  '[{"op":"add","path":"/metadata/finalizers/99999999999","value":"x"}]',
  `[{"op":"add","path":"${'/a'.repeat(3000)}","value":1}]`,
];
/** Patches that grow, and are many: the same code reads them for every resource. */
const large = [
  JSON.stringify(Array.from({ length: 400 }, () => ({ op: 'copy', from: '', path: '/metadata/annotations' }))),
  JSON.stringify(Array.from({ length: 20_000 }, () => ({ op: 'test', path: '/kind', value: 'x' }))),
];
const mergePatches = [
  'null',
  '[]',
  '1',
  '{"metadata":null}',
  '{"metadata":{"name":"other","uid":"other","resourceVersion":{}}}',
  '{"metadata":{"resourceVersion":"99999999999999999999999"}}',
  '{"kind":null,"apiVersion":7}',
  '{"kind":"Other"}',
  '{"__proto__":{"polluted":1},"metadata":{"__proto__":{"name":"y"}}}',
  '{"spec":[],"status":"x","data":7,"rules":{},"webhooks":{"a":1}}',
  deep('{"spec":', '}', 3000),
  deep('{"metadata":{"annotations":', '}}', 1500),
  `{"metadata":{"labels":{"a":"${'x'.repeat(200_000)}"}}}`,
];
const strategicPatches = [
  ...mergePatches,
  '{"$patch":"nothing"}',
  '{"$patch":"delete"}',
  '{"$patch":"replace"}',
  '{"$retainKeys":7,"spec":{"$retainKeys":{}}}',
  '{"metadata":{"$setElementOrder/finalizers":{},"$deleteFromPrimitiveList/finalizers":"x"}}',
  '{"metadata":{"ownerReferences":[{"$patch":"delete"}]}}',
  '{"spec":{"containers":[{"$patch":"delete"},{"name":{}},null],"$setElementOrder/containers":[{}]}}',
  '{"spec":{"ports":[{"port":"x"}],"template":{"spec":{"containers":[{"name":"c","ports":[{}]}]}}}}',
];
const applied = [
  ...mergePatches,
  'a: &a [*a]',
  '- x',
  '? {}\n: []',
  'a: {'.repeat(2000),
  '!!js/function "x"',
  '{"metadata":{"managedFields":[{}]}}',
  '{"metadata":{"managedFields":[{"manager":"x","operation":"Apply","fieldsType":"FieldsV1","fieldsV1":{"f:a":7}}]}}',
];

test('patches of every sort are answered, by every resource', { timeout: 240_000 }, async () => {
  await using world = await makeWorld();
  for (const target of world.targets) {
    const made = await world.make(target);
    const path = `${target.path}/${made ?? 'x'}`;
    const before = made && (await world.read(path));
    for (const body of jsonPatches) await world.expectAnswer('PATCH', path, { type: patches.json, body });
    for (const body of mergePatches) await world.expectAnswer('PATCH', path, { type: patches.merge, body });
    for (const body of strategicPatches) await world.expectAnswer('PATCH', path, { type: patches.strategic, body });
    for (const body of applied)
      await world.expectAnswer('PATCH', `${path}?fieldManager=sweep&force=true`, { type: patches.apply, body });
    for (const query of ['', '?force=true', `?fieldManager=${'x'.repeat(200)}`])
      await world.expectAnswer('PATCH', `${path}${query}`, { type: patches.apply, body: '{}' });
    if (before) await world.expectWhole(path, before);
  }
  const [first] = world.targets;
  for (const body of large) await world.expectAnswer('PATCH', `${first!.path}/swept`, { type: patches.json, body });
  world.report();
});

const selectors = [
  '=',
  'a=b=c',
  'a in',
  'a in (',
  '!',
  ',,',
  'a notin ()',
  `${'a,'.repeat(5000)}a`,
  '%00',
  'é=ü',
  'x'.repeat(9000),
];
const numbers = ['-1', '1e9', 'x', '99999999999999999999', '0x1', '%20', 'null'];
const tokens = [
  'x',
  'e30=',
  'eyJydiI6e319',
  'bnVsbA==',
  'W10=',
  Buffer.from('{"v":"meta.k8s.io/v1","rv":-5,"start":"a/../b"}').toString('base64'),
];
const queries = [
  ...selectors.flatMap((value) => [
    `labelSelector=${encodeURIComponent(value)}`,
    `fieldSelector=${encodeURIComponent(value)}`,
  ]),
  'fieldSelector=spec.nothing%3Dx',
  'fieldSelector=metadata.name%3Da,metadata.name%21%3Da',
  ...numbers.flatMap((value) => [
    `resourceVersion=${value}`,
    `resourceVersion=${value}&resourceVersionMatch=Exact`,
    `resourceVersion=${value}&watch=true&timeoutSeconds=1`,
    `limit=${value}`,
    `watch=true&timeoutSeconds=${value}x`,
  ]),
  'limit=9007199254740991',
  ...tokens.map((token) => `continue=${encodeURIComponent(token)}&limit=1`),
  'resourceVersionMatch=Whatever',
  'sendInitialEvents=true&watch=true',
  'watch=true&timeoutSeconds=-1',
  'watch=true&resourceVersionMatch=Exact',
  'dryRun=Some',
  'pretty=%FF%FE',
];
/** These are waited on, so not every resource is asked. */
const lasting = [
  'sendInitialEvents=maybe&watch=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1',
  'watch=1&timeoutSeconds=0.5&resourceVersion=0',
  'watch=true&timeoutSeconds=1&allowWatchBookmarks=whatever',
  'watch=true&timeoutSeconds=1&resourceVersion=1&labelSelector=a',
];

test('queries of every sort are answered, by every resource', { timeout: 240_000 }, async () => {
  await using world = await makeWorld();
  const accepts = [json, protobuf, 'application/json;as=Table;v=v1;g=meta.k8s.io', '*/*;q=x', ';;,', 'text/html'];
  for (const { path } of world.targets) {
    for (const query of queries) await world.expectAnswer('GET', `${path}?${query}`);
    for (const query of [
      'gracePeriodSeconds=-5',
      'gracePeriodSeconds=1e9',
      'propagationPolicy=x',
      'orphanDependents=7',
    ])
      await world.expectAnswer('DELETE', `${path}/nothing?${query}`);
    for (const accept of accepts) await world.expectAnswer('GET', path, { accept });
  }
  const some = world.targets.filter((_, index) => index % 20 === 0);
  await Promise.all(some.flatMap(({ path }) => lasting.map((query) => world.expectAnswer('GET', `${path}?${query}`))));
  world.report();
});

const options = [
  '{"gracePeriodSeconds":"x"}',
  '{"gracePeriodSeconds":1e300}',
  '{"gracePeriodSeconds":-9007199254740991}',
  '{"preconditions":{"uid":{}}}',
  '{"propagationPolicy":[]}',
  '{"orphanDependents":true,"propagationPolicy":"Orphan"}',
  '{"dryRun":["x"]}',
  '{"kind":"Pod","apiVersion":"v1"}',
  '{"kind":"DeleteOptions","apiVersion":{}}',
  '[',
];

test('deletions and numbers without measure are answered, by every resource', { timeout: 120_000 }, async () => {
  await using world = await makeWorld();
  const sizes = ['1e400', '-1e400', '99999999999999999999999999', '0.0000000000000000000001', '-0', '1E1000000'];
  for (const { path } of world.targets) {
    for (const body of options) await world.expectAnswer('DELETE', `${path}/nothing`, { type: json, body });
    for (const number of sizes) {
      const body = `{"metadata":{"name":"n","generation":${number}},"spec":{"replicas":${number},"minReadySeconds":${number},"ports":[{"port":${number}}],"completions":${number},"expirationSeconds":${number}},"value":${number},"data":{"a":${number}}}`;
      await world.expectAnswer('POST', path, { type: json, body });
      await world.expectAnswer('PATCH', `${path}/n`, { type: patches.merge, body });
    }
  }
  world.report();
});
