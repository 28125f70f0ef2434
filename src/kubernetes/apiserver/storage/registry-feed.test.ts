import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock } from '#base';
import { memoryStore, type Store } from '#store';
import { configMaps } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { ConfigMap } from '../../types.ts';
import type { Change } from './change.ts';
import { RegistryFeed } from './registry-feed.ts';
import { StoredCodec } from './stored-object.ts';

const prefix = 'kubernetes/t/c/registry/';
const codec = new StoredCodec(configMaps);
const options = { timeout: 20_000 };

async function makeFeed(store: Store = memoryStore()) {
  const stopping = new AbortController();
  const feed = new RegistryFeed({ store, prefix, clock: systemClock, logger: silentLogger, signal: stopping.signal });
  await feed.start();
  return {
    store,
    feed,
    stop: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await store.close();
    },
  };
}

async function put(store: Store, name: string, data: object = {}): Promise<number> {
  const value = codec.encode({ metadata: { namespace: 'default', name }, data } as object);
  const key = `${prefix}core/configmaps/default/${name}`;
  return (await store.txn({ success: [{ kind: 'put', key, value }] })).revision;
}

async function remove(store: Store, name: string): Promise<number> {
  const key = `${prefix}core/configmaps/default/${name}`;
  return (await store.txn({ success: [{ kind: 'delete', key }] })).revision;
}

test('a cache holds what was there, sees what comes, and versions are the store’s', options, async () => {
  await using world = await makeFeed();
  const { store, feed } = world;
  const first = await put(store, 'b');
  const cache = await feed.cache(configMaps);
  assert.equal(cache.get('default/b')?.object.metadata?.resourceVersion, String(first));
  const second = await put(store, 'a', { k: 'v' });
  await feed.waitFor(second);
  assert.deepEqual(
    Array.from(cache.range('default/'), ({ path }) => path),
    ['default/a', 'default/b'],
  );
  assert.deepEqual(
    Array.from(cache.range('default/', 'default/a'), ({ path }) => path),
    ['default/b'],
  );
  assert.ok(Object.isFrozen((cache.get('default/a')!.object as ConfigMap).data));
  assert.equal(cache.get('default/a')!.bytes.toString(), JSON.stringify(cache.get('default/a')!.object));
});

test('a deletion is told with what was deleted, under its own version', options, async () => {
  await using world = await makeFeed();
  const { store, feed } = world;
  await put(store, 'a', { k: 'v' });
  const cache = await feed.cache(configMaps);
  const changes: Change[] = [];
  cache.onChange((change) => changes.push(change));
  const revision = await remove(store, 'a');
  await feed.waitFor(revision);
  const [change] = changes;
  assert.equal(change!.now, undefined);
  assert.equal(change!.shown.object.metadata?.resourceVersion, String(revision));
  assert.deepEqual((change!.shown.object as { data?: object }).data, { k: 'v' });
});

test('changes since a version are kept, those before the first list are not', options, async () => {
  await using world = await makeFeed();
  const { store, feed } = world;
  const before = await put(store, 'a');
  await put(store, 'b');
  const cache = await feed.cache(configMaps);
  const from = feed.revision;
  await feed.waitFor(await put(store, 'c'));
  assert.deepEqual(
    cache.changesAfter(from).map(({ shown }) => shown.path),
    ['default/c'],
  );
  assert.throws(
    () => cache.changesAfter(before),
    (error) => isStatusError(error, 'Expired'),
  );
});

test('changes before the first list are recalled, while the store has them', options, async () => {
  await using world = await makeFeed();
  const { store, feed } = world;
  const before = await put(store, 'a');
  await put(store, 'b');
  await remove(store, 'a');
  const cache = await feed.cache(configMaps);
  await feed.recall(cache, before);
  await feed.waitFor(await put(store, 'c'));
  assert.deepEqual(
    cache.changesAfter(before).map(({ now, shown }) => `${now ? '+' : '-'}${shown.path}`),
    ['+default/b', '-default/a', '+default/c'],
  );
  await store.compact(await store.revision());
  await feed.recall(cache, 1);
  assert.throws(
    () => cache.changesAfter(1),
    (error) => isStatusError(error, 'Expired'),
  );
});

test('those who come at once from different versions all find theirs', options, async () => {
  await using world = await makeFeed();
  const { store, feed } = world;
  const from: number[] = [];
  for (const name of ['a', 'b', 'c', 'd']) from.push(await put(store, name));
  const cache = await feed.cache(configMaps);
  await Promise.all(from.toReversed().map((revision) => feed.recall(cache, revision)));
  assert.deepEqual(
    cache.changesAfter(from[0]!).map(({ shown }) => shown.path),
    ['default/b', 'default/c', 'default/d'],
  );
});

test('old changes are forgotten, and asking for them is refused', options, async () => {
  await using world = await makeFeed();
  const { store, feed } = world;
  const cache = await feed.cache(configMaps);
  const from = await put(store, 'a');
  for (let index = 0; index < 2500; index++) await put(store, 'a', { index: String(index) });
  await feed.waitFor(await store.revision());
  assert.throws(
    () => cache.changesAfter(from),
    (error) => isStatusError(error, 'Expired'),
  );
  assert.ok(cache.changesAfter(feed.revision - 100).length === 100);
});

test('a version of the future is waited for, not for ever', options, async () => {
  await using world = await makeFeed();
  await assert.rejects(world.feed.waitFor(1000, 10), (error) => isStatusError(error, 'Timeout'));
});

test('a feed that lost its place lists again and tells the difference', options, async () => {
  const store = memoryStore();
  // A watch that was compacted away under the feed, once.
  let isBroken = true;
  const broken: Store = {
    get: (key, options) => store.get(key, options),
    list: (prefix, options) => store.list(prefix, options),
    txn: (transaction) => store.txn(transaction),
    watch: (prefix, options) => {
      if (!isBroken) return store.watch(prefix, options);
      isBroken = false;
      return lost(store, prefix);
    },
    grantLease: (ttlMs) => store.grantLease(ttlMs),
    keepAlive: (id) => store.keepAlive(id),
    revokeLease: (id) => store.revokeLease(id),
    compact: (revision) => store.compact(revision),
    revision: () => store.revision(),
    close: () => store.close(),
  };
  await using world = await makeFeed(broken);
  await put(store, 'gone');
  const cache = await world.feed.cache(configMaps);
  const seen: string[] = [];
  cache.onChange(({ now, shown }) => seen.push(`${now ? '+' : '-'}${shown.path}`));
  await put(store, 'new');
  await world.feed.waitFor(await remove(store, 'gone'));
  assert.deepEqual(seen.toSorted(), ['+default/new', '-default/gone']);
});

/** Ends, when something has happened, as a watch whose revision is compacted. */
async function* lost(store: Store, prefix: string): AsyncGenerator<never> {
  for await (const _batch of store.watch(prefix, { signal: AbortSignal.timeout(5000) })) {
    const revision = await store.revision();
    await store.compact(revision);
    yield* store.watch(prefix, { fromRevision: 1, signal: AbortSignal.timeout(5000) }) as AsyncIterable<never>;
  }
}
