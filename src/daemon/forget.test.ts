import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountId } from '#base';
import { memoryStore } from '#store';
import { forgetRecords } from './forget.ts';

const mine = '111122223333' as AccountId;

async function filled() {
  const store = memoryStore();
  const records: { [key: string]: object } = {
    [`ecs/clusters/${mine}/us-east-1/a`]: {},
    'ecs/clusters/444455556666/us-east-1/b': {},
    'network/public-addresses/198.18.0.1': { tenant: mine },
    'network/public-addresses/198.18.0.2': { tenant: '444455556666' },
    [`node/specs/host-a/${mine}/t`]: {},
    [`node/statuses/host-a/${mine}/t`]: {},
    'node/nodes/host-a': {},
    'registry/repositories/public/docker/library/busybox': {},
  };
  for (const [key, value] of Object.entries(records))
    await store.txn({ success: [{ kind: 'put', key, value: Buffer.from(JSON.stringify(value)) }] });
  return store;
}
const keys = async (store: Awaited<ReturnType<typeof filled>>) => (await store.list('')).entries.map(({ key }) => key);

test('one account is forgotten and no other', async () => {
  const store = await filled();
  await forgetRecords(store, mine);
  assert.deepEqual(await keys(store), [
    'ecs/clusters/444455556666/us-east-1/b',
    'network/public-addresses/198.18.0.2',
    'node/nodes/host-a',
    `node/statuses/host-a/${mine}/t`,
    'registry/repositories/public/docker/library/busybox',
  ]);
  await store.close();
});

test('all accounts are forgotten; the machine and the gallery stay', async () => {
  const store = await filled();
  await forgetRecords(store, undefined);
  assert.deepEqual(await keys(store), [
    'node/nodes/host-a',
    `node/statuses/host-a/${mine}/t`,
    'registry/repositories/public/docker/library/busybox',
  ]);
  await store.close();
});
