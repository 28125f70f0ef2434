import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pods } from '../resources.ts';
import { isStatusError } from '../status.ts';
import { clientContract } from './client.contract.ts';
import { MemoryClient } from './memory-client.ts';
import { MemoryInformers } from './memory-informers.ts';

clientContract('the memory client', async () => ({
  client: new MemoryClient(),
  async [Symbol.asyncDispose]() {},
}));

const name = { namespace: 'default', name: 'p' };
const pod = { metadata: name, spec: { containers: [{ name: 'c', image: 'i' }] } };

test('a pod that runs somewhere is deleted when its kubelet says so', async () => {
  const client = new MemoryClient();
  await client.create(pods, pod);
  await client.post(pods, name, 'binding', { target: { name: 'n1' } } as object);
  await client.delete(pods, name);
  const leaving = await client.get(pods, name);
  assert.equal(leaving.metadata!.deletionGracePeriodSeconds, 30);
  await client.delete(pods, name, { gracePeriodSeconds: 0 });
  await assert.rejects(client.get(pods, name), (error) => isStatusError(error, 'NotFound'));
});

test('a pod is bound once', async () => {
  const client = new MemoryClient();
  await client.create(pods, pod);
  const bind = () => client.post(pods, name, 'binding', { target: { name: 'n1' } } as object);
  await bind();
  assert.equal((await client.get(pods, name)).spec!.nodeName, 'n1');
  await assert.rejects(bind(), (error) => isStatusError(error, 'Conflict'));
});

test('a copy follows, and can be held back', async () => {
  const client = new MemoryClient();
  const informers = new MemoryInformers(client);
  const copy = informers.of(pods, { indexes: { node: ({ spec }) => [spec?.nodeName ?? ''] } });
  await client.create(pods, pod);
  assert.equal(copy.by('node', '').length, 1);
  informers.hold();
  await client.delete(pods, name);
  assert.equal(copy.list().length, 1);
  informers.release();
  assert.equal(copy.list().length, 0);
});
