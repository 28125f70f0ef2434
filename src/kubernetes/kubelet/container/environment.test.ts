import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type * as types from '../../types.ts';
import { environmentOf, type EnvironmentSources } from './environment.ts';
import { expand } from './expand.ts';
import { serviceEnvironment } from './service-environment.ts';

const pod: types.Pod = {
  metadata: { namespace: 'n', name: 'p', labels: { a: '1' } },
  spec: { containers: [], serviceAccountName: 'sa' },
};

function sources(more: Partial<EnvironmentSources> = {}): EnvironmentSources {
  return {
    services: new Map([['SVC_HOST', '10.0.0.1']]),
    facts: { nodeName: 'node', hostIp: '1.1.1.1', podIp: '2.2.2.2' },
    allocatable: { cpuMillis: 2000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30 },
    configMap: async (name) => (name === 'cm' ? { data: { A: 'a', B: 'b' } } : undefined),
    secret: async (name) => (name === 's' ? { data: { K: Buffer.from('hidden').toString('base64') } } : undefined),
    ...more,
  };
}

async function environment(container: Partial<types.Container>) {
  return Object.fromEntries(await environmentOf(pod, { name: 'c', ...container }, sources()));
}

test('later variables win and may name earlier ones', async () => {
  const env = [
    { name: 'A', value: 'own' },
    { name: 'B', value: '$(A)/$(SVC_HOST)/$$(A)/$(NONE)' },
  ];
  const result = await environment({ envFrom: [{ configMapRef: { name: 'cm' }, prefix: 'P_' }], env });
  assert.deepEqual(result, {
    SVC_HOST: '10.0.0.1',
    P_A: 'a',
    P_B: 'b',
    A: 'own',
    B: 'own/10.0.0.1/$(A)/$(NONE)',
  });
});

test('fields, resources, keys of maps and secrets', async () => {
  const { SVC_HOST: _, ...result } = await environment({
    resources: { limits: { memory: '1536Ki' } },
    env: [
      { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a']" } } },
      { name: 'SA', valueFrom: { fieldRef: { fieldPath: 'spec.serviceAccountName' } } },
      { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'K' } } },
      { name: 'NOT', valueFrom: { configMapKeyRef: { name: 'cm', key: 'none', optional: true } } },
    ],
  });
  assert.deepEqual(result, { LABEL: '1', SA: 'sa', MEM: '2', CPU: '2', KEY: 'hidden' });
});

test('a reference that leads nowhere is said in upstream’s words', async () => {
  const refuses = (container: Partial<types.Container>, message: string) =>
    assert.rejects(environment(container), { message });
  await refuses({ envFrom: [{ secretRef: { name: 'gone' } }] }, 'secret "gone" not found');
  await refuses(
    { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'Z' } } }] },
    "couldn't find key Z in ConfigMap n/cm",
  );
  await environment({ envFrom: [{ secretRef: { name: 'gone', optional: true } }] });
});

test('services are told as Docker links were', () => {
  const service = (namespace: string, name: string, clusterIP: string): types.Service => ({
    metadata: { namespace, name },
    spec: { clusterIP, ports: [{ name: 'http', port: 80 }] },
  });
  const services = [
    service('n', 'my-web', '10.1.0.1'),
    service('n', 'headless', 'None'),
    service('m', 'other', '10.1.0.2'),
  ];
  const master = service('default', 'kubernetes', '10.1.0.3');
  const variables = serviceEnvironment([...services, master], { namespace: 'n', isLinking: true });
  assert.equal(variables.get('MY_WEB_SERVICE_HOST'), '10.1.0.1');
  assert.equal(variables.get('MY_WEB_SERVICE_PORT_HTTP'), '80');
  assert.equal(variables.get('MY_WEB_PORT_80_TCP'), 'tcp://10.1.0.1:80');
  assert.equal(variables.get('KUBERNETES_SERVICE_HOST'), '10.1.0.3');
  assert.ok(![...variables.keys()].some((name) => /HEADLESS|OTHER/.test(name)));
  const bare = serviceEnvironment([...services, master], { namespace: 'n', isLinking: false });
  assert.ok([...bare.keys()].every((name) => name.startsWith('KUBERNETES_')));
});

test('expansion leaves alone what names nothing', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes('$')),
      (text) => expand(text, new Map()) === text,
    ),
  );
  fc.assert(
    fc.property(fc.string(), fc.stringMatching(/^[A-Z]{1,5}$/), (value, name) => {
      // The value itself is not expanded again.
      assert.equal(expand(`<$(${name})>`, new Map([[name, value]])), `<${value}>`);
    }),
  );
});
