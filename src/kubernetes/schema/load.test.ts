import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureGenerated, loadDescriptions, loadSchemas } from './load.ts';

test('two processes may generate at once; one folder remains', { timeout: 60_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dabba-schemas-'));
  try {
    const [one, other] = await Promise.all([ensureGenerated({ directory }), ensureGenerated({ directory })]);
    assert.equal(one, other);
    assert.equal((await readdir(directory)).length, 1);
    assert.ok((await readFile(join(one, 'types.json'))).length < 200_000, 'the types stay small');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('the built-in kinds are known, by kind and by name', async () => {
  const schemas = await loadSchemas();
  const deployment = schemas.of({ group: 'apps', version: 'v1', kind: 'Deployment' });
  assert.equal(deployment?.name, 'io.k8s.api.apps.v1.Deployment');
  assert.equal(schemas.of({ group: 'apps', version: 'v1beta1', kind: 'Deployment' }), undefined);
  assert.equal(schemas.of({ group: 'apps', version: 'v1', kind: 'Pod' }), undefined);
  assert.ok(schemas.of({ group: 'apiregistration.k8s.io', version: 'v1', kind: 'APIService' }));
  assert.ok(schemas.of({ group: 'batch', version: 'v1', kind: 'DeleteOptions' }));
  assert.deepEqual(
    schemas.kinds({ group: 'policy', version: 'v1' }).map(({ kind }) => kind),
    ['Eviction', 'PodDisruptionBudget', 'PodDisruptionBudgetList'],
  );
});

test('fields say how they merge, what they need and what they default to', async () => {
  const schemas = await loadSchemas();
  const fieldOf = (type: string, name: string) => schemas.named(`io.k8s.api.${type}`)?.fields.get(name);
  const ports = fieldOf('core.v1.Container', 'ports');
  assert.equal(ports?.patchMergeKey, 'containerPort');
  assert.ok(ports?.schema.type === 'array');
  assert.deepEqual(ports.schema.list, { kind: 'map', keys: ['containerPort', 'protocol'] });
  assert.equal(fieldOf('core.v1.ContainerPort', 'protocol')?.default, 'TCP');
  assert.equal(fieldOf('core.v1.Container', 'name')?.isRequired, true);
  assert.equal(fieldOf('apps.v1.DeploymentSpec', 'strategy')?.patchStrategy, 'retainKeys');
  const claim = fieldOf('core.v1.PersistentVolumeSpec', 'claimRef')?.schema;
  assert.ok(claim?.type === 'object' && claim.isAtomic === false && claim.fields.has('uid'));
});

test('documentation is kept apart', async () => {
  const descriptions = await loadDescriptions();
  const [type, fields] = descriptions['io.k8s.api.apps.v1.DeploymentSpec']!;
  assert.match(type, /specification of the desired behavior/);
  assert.match(fields['replicas']!, /^Number of desired pods\./);
});
