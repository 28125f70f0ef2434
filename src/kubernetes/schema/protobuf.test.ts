import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadSchemas } from './load.ts';

const schemas = await loadSchemas();
const decode = (base64: string) => schemas.decodeProtobuf(Buffer.from(base64, 'base64'));

/** Bodies as kubectl 1.32 sent them. */
const bodies = {
  deployment:
    'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErwBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEooBCAMSDAoKCgNhcHASA3dlYhpwChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViElASMgoHYnVzeWJveBIHYnVzeWJveCoAMgoKABAAGFAiACoAQgBqAHIAgAEAiAEAkAEAogEAGgAyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBACICCgAoADgAGgwIABAAGAAgACgAOAAaACIA',
  secret: 'azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAWESAWIaABoAIgA=',
  service:
    'azhzAAoNCgJ2MRIHU2VydmljZRJiChsKAW4SABoAIgAqADIAOABCAFoICgNhcHASAW4SPwobCgc4MC04MDgwEgNUQ1AYUCIHCAAQkD8aACgAEggKA2FwcBIBbhoAIghOb2RlUG9ydDoAQgBSAFoAYABoABoCCgAaACIA',
  disruptionBudget:
    'azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSNgoRCgFwEgAaACIAKgAyADgAQgASFQoJCAEQABoDNTAlEggKBgoBYRIBYhoKCAAYACAAKAAwABoAIgA=',
};

test('a deployment of `kubectl create deployment` has what JSON would have', () => {
  assert.deepEqual(decode(bodies.deployment), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'busybox', image: 'busybox', ports: [{ containerPort: 80 }], resources: {} }] },
      },
      strategy: {},
    },
    status: {},
  });
});

test('bytes become base64, a number or a name becomes what it is', () => {
  assert.deepEqual(decode(bodies.secret), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    data: { a: 'Yg==' },
  });
  const service = decode(bodies.service) as { spec?: { ports?: unknown } };
  assert.deepEqual(service.spec?.ports, [{ name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080 }]);
  const budget = decode(bodies.disruptionBudget) as { spec?: { minAvailable?: unknown } };
  assert.equal(budget.spec?.minAvailable, '50%');
});

/** Writes messages for what no client at hand sends: a field's number and its value. */
function message(...fields: readonly (readonly [number, string | number | Uint8Array])[]): Uint8Array {
  return Buffer.concat(fields.map(([number, value]) => fieldOf(number, value)));
}

function fieldOf(number: number, value: string | number | Uint8Array): Uint8Array {
  if (typeof value === 'number') return Buffer.from([...varint(BigInt(number << 3)), ...varint(BigInt(value))]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([...varint(BigInt((number << 3) | 2)), ...varint(BigInt(bytes.length))]), bytes]);
}

function varint(value: bigint): readonly number[] {
  const low = Number(value & 127n);
  return value < 128n ? [low] : [low | 128, ...varint(value >> 7n)];
}

function envelope(apiVersion: string, kind: string, raw: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from('k8s\0'), message([1, message([1, apiVersion], [2, kind])], [2, raw])]);
}

test('instants, quantities and embedded structs are read', () => {
  const time = message([1, 1_700_000_000]);
  const cpu = message([1, 'cpu'], [2, message([1, '500m'])]);
  const source = message([2, message([1, 'Memory'], [2, message([1, '1Gi'])])]);
  const resources = message([1, cpu]);
  const container = message([1, 'c'], [8, resources], [16, 0]);
  const volume = message([1, 'v'], [2, source]);
  const spec = message([1, volume], [2, container], [21, 0]);
  assert.deepEqual(schemas.decodeProtobuf(envelope('v1', 'Pod', message([1, message([8, time])], [2, spec]))), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { creationTimestamp: '2023-11-14T22:13:20Z' },
    spec: {
      volumes: [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } }],
      containers: [{ name: 'c', resources: { limits: { cpu: '500m' } } }],
      // A pointer in Go: false is not the same as nothing.
      automountServiceAccountToken: false,
    },
  });
});

test('schemas of custom resources are read, with their values of any type', () => {
  const text = message([5, 'string'], [8, message([1, '"x"'])], [20, message([1, '1'])]);
  const schema = message(
    [5, 'object'],
    [24, message([1, text])],
    [29, message([1, 'a'], [2, text])],
    [30, message([1, 0])],
    [38, 1],
  );
  const version = message([1, 'v1'], [2, 1], [4, message([1, schema])]);
  const body = envelope('apiextensions.k8s.io/v1', 'CustomResourceDefinition', message([2, message([7, version])]));
  const decoded = schemas.decodeProtobuf(body) as {
    spec?: { versions?: readonly { schema?: { openAPIV3Schema?: unknown } }[] };
  };
  const property = { type: 'string', default: 'x', enum: [1] };
  assert.deepEqual(decoded.spec?.versions?.[0]?.schema?.openAPIV3Schema, {
    type: 'object',
    items: property,
    properties: { a: property },
    additionalProperties: false,
    'x-kubernetes-preserve-unknown-fields': true,
  });
});

test('delete options are known under every group version', () => {
  const options = schemas.decodeProtobuf(envelope('apps/v1', 'DeleteOptions', message([1, 0], [4, 'Foreground'])));
  assert.deepEqual(options, {
    apiVersion: 'apps/v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
    propagationPolicy: 'Foreground',
  });
});

test('hostile bytes are refused, never crash', () => {
  const isRefusal = (error: unknown) => (error as { reason?: string }).reason === 'BadRequest';
  const attempt = (body: Uint8Array) => {
    try {
      schemas.decodeProtobuf(body);
    } catch (error) {
      assert.ok(isRefusal(error), String(error));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => attempt(envelope('v1', 'Pod', raw))));
  const real = Buffer.from(bodies.deployment, 'base64');
  fc.assert(
    fc.property(fc.nat(real.length - 1), fc.nat(255), (at, byte) => {
      const body = Buffer.from(real);
      body[at] = byte;
      attempt(body);
    }),
  );
  let deep: Uint8Array = message([5, 'object']);
  for (let depth = 0; depth < 3000; depth += 1) deep = message([28, deep]);
  const version = message([4, message([1, deep])]);
  const definition = message([2, message([7, version])]);
  assert.throws(
    () => schemas.decodeProtobuf(envelope('apiextensions.k8s.io/v1', 'CustomResourceDefinition', definition)),
    { reason: 'BadRequest' },
  );
  assert.throws(() => schemas.decodeProtobuf(envelope('v1', 'Nothing', message())), {
    message: 'no kind "Nothing" is registered for version "v1"',
  });
});
