/** What a container finds when it begins: variables and names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world } from './shared.ts';

test('variables come from literals, fields, resources, ConfigMaps, Secrets and services', async () => {
  const metadata = { namespace: 'default' };
  await world.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata, name: 'cm' },
    data: { A: 'a', B: 'b' },
  });
  await world.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...metadata, name: 's' },
    stringData: { KEY: 'hidden' },
  });
  await world.run('env', 'env | sort', {
    container: {
      envFrom: [{ configMapRef: { name: 'cm' }, prefix: 'P_' }],
      env: [
        { name: 'ONE', value: '1' },
        { name: 'TWO', value: '$(ONE)2 $$(ONE) $(NONE)' },
        { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'KEY' } } },
        { name: 'NOT', valueFrom: { secretKeyRef: { name: 'none', key: 'KEY', optional: true } } },
      ],
      resources: { limits: { memory: '32Mi' } },
    },
    spec: { restartPolicy: 'Never' },
  });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/env', '--timeout=80s');
  const lines = (await world.kubectl('logs', 'env')).stdout.split('\n');
  for (const line of [
    'P_A=a',
    'P_B=b',
    'ONE=1',
    'TWO=12 $(ONE) $(NONE)',
    'NODE=node-1',
    'LIMIT=32',
    'KEY=hidden',
    'HOSTNAME=env',
  ])
    assert.ok(lines.includes(line), `${line} in ${lines.join(' ')}`);
  assert.ok(lines.some((line) => /^IP=10\.0\.0\.\d+$/.test(line)));
  assert.ok(
    lines.some((line) => /^KUBERNETES_SERVICE_HOST=10\.100\.0\.1$/.test(line)),
    lines.join(' '),
  );
  assert.ok(!lines.some((line) => line.startsWith('NOT=')));
  await world.remove('env');
});

test('names: hosts, resolv.conf, hostname', async () => {
  await world.runReady('names', 'sleep 1000', {
    spec: { hostname: 'h', subdomain: 's', hostAliases: [{ ip: '1.2.3.4', hostnames: ['far'] }] },
  });
  const { stdout } = await world.kubectl(
    'exec',
    'names',
    '--',
    'sh',
    '-c',
    'hostname; cat /etc/hosts /etc/resolv.conf',
  );
  assert.match(stdout, /^h\n/);
  assert.match(stdout, /10\.0\.0\.\d+\th\.s\.default\.svc\.cluster\.local\th\n/);
  assert.match(stdout, /1\.2\.3\.4\tfar\n/);
  assert.match(stdout, /search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/);
  assert.match(stdout, /nameserver 10\.100\.0\.10\noptions ndots:5/);
  await world.remove('names');
});
