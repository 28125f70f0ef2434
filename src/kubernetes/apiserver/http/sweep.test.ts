/** Bodies that no honest client sends, to every resource there is: each is answered, none with a failure of the server. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:https';
import { test } from 'node:test';
import fc from 'fast-check';
import { serviceAccounts } from '../../resources.ts';
import { apiVersionOf } from '../../object.ts';
import { loadSchemas } from '../../schema/load.ts';
import type { Schema } from '../../schema/schema.ts';
import { makeTestCluster, type TestCluster } from '../../test-cluster.ts';
import type { Resource, ServedVersion } from '../resource.ts';
import { builtInRows } from '../registry/index.ts';

const json = 'application/json';
const protobuf = 'application/vnd.kubernetes.protobuf';

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
      fields: arbitraryOf(schema, 7),
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

/** Values of a schema, of which some are of another type, and many are missing. */
function arbitraryOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const wrong = fc.constantFrom<unknown>(null, 0, -1, 2 ** 60, '', 'x', '1Gi', [], {}, true, [null]);
  const right = depth <= 0 ? wrong : rightOf(schema, depth);
  return fc.oneof({ weight: 14, arbitrary: right }, { weight: 1, arbitrary: wrong });
}

function rightOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'string':
      return fc.constantFrom(
        'x',
        'a-b',
        'Always',
        'TCP',
        '100m',
        '25%',
        '2026-01-01T00:00:00Z',
        'eA==',
        '10.0.0.1',
        '*/5 * * * *',
      );
    case 'integer':
    case 'number':
      return fc.constantFrom(0, 1, 80, 65_536, -1);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(arbitraryOf(schema.items, depth - 1), { maxLength: 2 });
    case 'map':
      return fc.dictionary(fc.constantFrom('a', 'cpu', 'memory', 'app'), arbitraryOf(schema.values, depth - 1), {
        maxKeys: 2,
      });
    case 'object': {
      const fields = [...schema.fields].map(([name, field]) => [name, arbitraryOf(field.schema, depth - 1)] as const);
      const required = [...schema.fields].flatMap(([name, { isRequired }]) => (isRequired ? [name] : []));
      // Deep structs would otherwise be mostly empty.
      const chosen = fc.subarray(
        fields.map(([name]) => name),
        { maxLength: Math.min(6, fields.length) },
      );
      const all = Object.fromEntries(fields);
      return chosen.chain((names) => {
        const members = [...new Set([...names, ...required])].map((name) => [name, all[name]!] as const);
        return fc.record(Object.fromEntries(members));
      });
    }
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

interface Target {
  readonly path: string;
  readonly version: ServedVersion;
}

interface World extends AsyncDisposable {
  readonly targets: readonly Target[];
  /** Throws what the server failed at, each once. */
  report(): void;
  expectAnswer(method: string, path: string, body: { readonly type: string; readonly body: string }): Promise<void>;
}

async function makeWorld(): Promise<World> {
  const failures: string[] = [];
  const note = (message: string, fields?: { readonly error?: string }) =>
    void failures.push((fields?.error ?? message).split('\n').slice(0, 3).join(' '));
  const logger = { info() {}, warn() {}, error: note, with: () => logger };
  const cluster = await makeTestCluster({ logger });
  // Pods wait for it.
  await cluster.client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  const agent = new Agent({ keepAlive: true });
  return {
    targets: builtInRows.filter(({ verbs }) => verbs.includes('create')).flatMap(targetsOf),
    async expectAnswer(method, path, { type, body }) {
      const { code, text } = await send(cluster, agent, { method, path, type, body });
      if (code >= 500 && !failures.length)
        failures.push(`${method} ${path} ${body.slice(0, 1000)} was answered ${code}: ${text}`);
    },
    report() {
      assert.deepEqual([...new Set(failures)].slice(0, 20), []);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

function targetsOf({ type, versions }: Resource): Target[] {
  return versions.map((version) => {
    const root = version.group ? `/apis/${apiVersionOf(version)}` : `/api/${version.version}`;
    return { path: `${root}${type.isNamespaced ? '/namespaces/default' : ''}/${type.resource}`, version };
  });
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

function send({ port, settings, credentials }: TestCluster, agent: Agent, { method, path, type, body }: Sent) {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly code: number; readonly text: string }>();
  request(
    {
      host: '127.0.0.1',
      port,
      method,
      path,
      agent,
      ca: settings.ca.certificatePem,
      cert: credentials.certificatePem,
      key: credentials.keyPem,
      headers: { 'content-type': type, 'content-length': Buffer.byteLength(body, 'latin1') },
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
      response.on('error', reject);
    },
  )
    .on('error', reject)
    .end(Buffer.from(body, 'latin1'));
  return promise;
}
