import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, namespaces, pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { conditionOf } from '../conditions.ts';
import { harness } from '../harness.ts';
import { namespaceController } from './controller.ts';

const start = () => harness((parts) => [namespaceController(parts)]);

test('a namespace goes with all that is in it, pods first', async () => {
  await using run = start();
  await run.client.create(namespaces, { metadata: { name: 'n' } });
  await run.client.create(configMaps, { metadata: { namespace: 'n', name: 'c' } });
  const name = { namespace: 'n', name: 'p' };
  await run.client.create(pods, { metadata: name, spec: { nodeName: 'x', containers: [] } });
  await run.client.delete(namespaces, { name: 'n' });
  await run.settle();
  assert.equal(run.client.all(configMaps).length, 1, 'while a pod runs it keeps what it may need');
  const { status } = await run.client.get(namespaces, { name: 'n' });
  assert.match(
    conditionOf(status?.conditions, 'NamespaceContentRemaining')!.message!,
    /pods\. has 1 resource instances/,
  );
  await run.client.delete(pods, name, { gracePeriodSeconds: 0 });
  await run.settle();
  assert.equal(run.client.all(configMaps).length, 0);
  await assert.rejects(run.client.get(namespaces, { name: 'n' }), (error) => isStatusError(error, 'NotFound'));
});

test('a finalizer holds the namespace, and is named', async () => {
  await using run = start();
  await run.client.create(namespaces, { metadata: { name: 'n' } });
  await run.client.create(configMaps, { metadata: { namespace: 'n', name: 'c', finalizers: ['x/hold'] } });
  await run.client.delete(namespaces, { name: 'n' });
  await run.settle();
  const { status } = await run.client.get(namespaces, { name: 'n' });
  assert.equal(
    conditionOf(status?.conditions, 'NamespaceFinalizersRemaining')!.message,
    'Some content in the namespace has finalizers remaining: x/hold in 1 resource instances',
  );
  await run.client.patch(
    configMaps,
    { namespace: 'n', name: 'c' },
    { kind: 'merge', body: { metadata: { finalizers: null } } },
  );
  await run.settle();
  assert.equal(run.client.all(namespaces).length, 0);
});
