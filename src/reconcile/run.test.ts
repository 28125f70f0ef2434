import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock, silentLogger, systemRandom } from '#base';
import { Collection, memoryStore, type Store } from '#store';
import type { Reconciler } from './reconcile.ts';
import { runReconcilers } from './run.ts';

/** Runs one reconciler that notes its keys. */
function start(store: Store, reconciler: Partial<Reconciler> = {}) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const seen: string[] = [];
  const ended = runReconcilers({
    store,
    clock,
    random: { ...systemRandom, fraction: () => 0.5 },
    logger: silentLogger,
    signal: stop.signal,
    reconcilers: [
      {
        name: 'test',
        sources: [{ prefix: 'things/', keysOf: ({ key }) => [key.slice('things/'.length)] }],
        async reconcile(key) {
          seen.push(key);
        },
        ...reconciler,
      },
    ],
  });
  return {
    clock,
    seen,
    async settle(count: number): Promise<void> {
      for (let turn = 0; seen.length < count && turn < 10_000; turn++) await nextTurn();
      assert.equal(seen.length, count);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await ended;
      await store.close();
    },
  };
}

test('everything is reconciled at first, then what changes', async () => {
  const store = memoryStore();
  const things = new Collection<number>(store, 'things/');
  await things.create('a', 1);
  await using run = start(store);
  await run.settle(1);
  await things.create('b', 1);
  await things.delete('a');
  await run.settle(3);
  assert.deepEqual(run.seen.toSorted(), ['a', 'a', 'b']);
});

test('a deletion tells what was deleted', async () => {
  const store = memoryStore();
  const things = new Collection<{ owner: string }>(store, 'things/');
  await things.create('a', { owner: 'o' });
  await using run = start(store, {
    sources: [
      {
        prefix: 'things/',
        keysOf: ({ value, previous }) => [
          (JSON.parse(Buffer.from((value ?? previous)!).toString()) as { owner: string }).owner,
        ],
      },
    ],
  });
  await run.settle(1);
  await things.delete('a');
  await run.settle(2);
  assert.deepEqual(run.seen, ['o', 'o']);
});

test('a resync brings every key again, and once more those that are gone', async () => {
  const store = memoryStore();
  const things = new Collection<number>(store, 'things/');
  await things.create('a', 1);
  await using run = start(store, { resyncMs: 1000 });
  await run.settle(1);
  run.clock.advance(1000);
  await run.settle(2);
  run.clock.advance(1000);
  await run.settle(3);
});

test('a watch that is too old starts over from a list', async () => {
  const store = memoryStore();
  const things = new Collection<number>(store, 'things/');
  await things.create('a', 1);
  let isBroken = true;
  const broken: Store = Object.assign(Object.create(store) as Store, {
    list: (prefix: string) => store.list(prefix),
    txn: (transaction: Parameters<Store['txn']>[0]) => store.txn(transaction),
    close: () => store.close(),
    // As after a long absence: the first watch asks for what is compacted already.
    watch(prefix: string, options: Parameters<Store['watch']>[1]) {
      const fromRevision = isBroken ? 1 : options.fromRevision!;
      isBroken = false;
      return store.watch(prefix, { ...options, fromRevision });
    },
  });
  await store.compact(2);
  await using run = start(broken);
  await run.settle(1);
  await things.delete('a');
  await things.create('b', 1);
  run.clock.advance(1000);
  await run.settle(3);
  assert.deepEqual(run.seen.toSorted(), ['a', 'a', 'b'], 'a was known, so its absence is news');
});

test('a step that throws comes again', async () => {
  const store = memoryStore();
  const seen: string[] = [];
  await new Collection<number>(store, 'things/').create('a', 1);
  await using run = start(store, {
    async reconcile(key) {
      run.seen.push(key);
      seen.push(key);
      if (seen.length < 2) throw new Error('once');
    },
  });
  await run.settle(1);
  await nextTurn();
  run.clock.advance(60_000);
  await run.settle(2);
});
