import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base';
import { Collection } from '../collection.ts';
import { memoryStore } from '../memory/store.ts';
import { type CacheChange, watchCache } from './watch-cache.ts';

/** Counted from where it is asked for: this file may have been loaded long before its tests run. */
const within = () => AbortSignal.timeout(20_000);
interface Thing {
  readonly n: number;
}

test('the cache follows its prefix and answers from memory', async () => {
  const store = memoryStore();
  const things = new Collection<Thing>(store, 'things/');
  await things.create('b', { n: 1 });
  const cache = await watchCache<Thing>({ store, prefix: 'things/', clock: systemClock, signal: within() });
  assert.deepEqual(cache.get('things/b')?.value, { n: 1 });

  const seen: CacheChange<Thing>[] = [];
  const stop = cache.onChange((changes) => seen.push(...changes));
  await things.create('a', { n: 2 });
  await things.update('b', () => ({ n: 3 }));
  await things.delete('b');
  await cache.waitFor(await store.revision(), within());
  stop();
  assert.deepEqual(
    seen.map(({ key, current, previous }) => [key, previous?.value.n, current?.value.n]),
    [
      ['things/a', undefined, 2],
      ['things/b', 1, 3],
      ['things/b', 3, undefined],
    ],
  );
  assert.deepEqual(
    cache.list().map(({ key }) => key),
    ['things/a'],
  );
  assert.deepEqual(cache.list('things/b'), []);
  assert.ok(Object.isFrozen(cache.get('things/a')!.value));
  assert.equal(cache.get('things/a')!.value, cache.get('things/a')!.value);
  await store.close();
});

test('a revision that changed nothing here is seen too', async () => {
  const store = memoryStore();
  const cache = await watchCache({ store, prefix: 'things/', clock: systemClock, signal: within() });
  const { revision } = await store.txn({ success: [{ kind: 'put', key: 'elsewhere', value: Buffer.from('1') }] });
  await cache.waitFor(revision, within());
  assert.equal(cache.revision, revision);
  await assert.rejects(cache.waitFor(revision + 1, AbortSignal.abort(new Error('enough'))), /enough/);
  await store.close();
});

test('lists are in key order, by prefix', async () => {
  const store = memoryStore();
  const things = new Collection<Thing>(store, 'things/');
  for (const id of ['b/2', 'a/1', 'b', 'b/1', 'c']) await things.create(id, { n: 0 });
  const cache = await watchCache<Thing>({ store, prefix: 'things/', clock: systemClock, signal: within() });
  assert.deepEqual(
    cache.list('things/b').map(({ key }) => key),
    ['things/b', 'things/b/1', 'things/b/2'],
  );
  assert.equal(cache.list().length, 5);
  await store.close();
});
