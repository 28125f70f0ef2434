import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Clock, type DabbaError, ManualClock, isDabbaError, systemClock } from '#base';
import { CompactedError, FutureRevisionError } from './errors.ts';
import type { Operation, Store, WatchBatch, WatchOptions } from './store.ts';

/** Makes an empty store; the contract closes it. */
export type StoreMaker = (options: { readonly clock: Clock }) => Promise<Store>;

/** The executable contract of `Store`: every adapter runs it whole. */
export function storeContract(name: string, make: StoreMaker): void {
  describe(`${name} keeps the contract of the store`, () => {
    const check = (title: string, body: (store: Store, clock: ManualClock) => Promise<void>): void => {
      test(title, async () => {
        const clock = new ManualClock();
        const store = await make({ clock });
        try {
          await body(store, clock);
        } finally {
          await store.close();
        }
      });
    };

    check('an empty store is at revision 1', async (store) => {
      assert.equal(await store.revision(), 1);
      assert.equal(await store.get('a'), undefined);
      assert.deepEqual(await store.list(''), { entries: [], revision: 1 });
    });

    check('a transaction is one revision, and a change that changes nothing is none', async (store) => {
      assert.deepEqual(await store.txn({ success: [put('a', '1'), put('b', '1')] }), { succeeded: true, revision: 2 });
      assert.deepEqual(await store.txn({ success: [remove('none')] }), { succeeded: true, revision: 2 });
      assert.deepEqual(await store.txn({ success: [] }), { succeeded: true, revision: 2 });
      await store.txn({ success: [put('a', '2')] });
      assert.deepEqual(plain(await store.get('a')), entry('a', '2', { create: 2, mod: 3, version: 2 }));
      assert.deepEqual(plain(await store.get('b')), entry('b', '1', { create: 2, mod: 2, version: 1 }));
    });

    check('a key made anew after its deletion starts from version 1', async (store) => {
      await store.txn({ success: [put('a', '1')] });
      await store.txn({ success: [remove('a')] });
      assert.equal(await store.get('a'), undefined);
      await store.txn({ success: [put('a', '2')] });
      assert.deepEqual(plain(await store.get('a')), entry('a', '2', { create: 4, mod: 4, version: 1 }));
    });

    check('an empty value is a value', async (store) => {
      await store.txn({ success: [put('a', '')] });
      assert.equal((await store.get('a'))?.value.length, 0);
      assert.equal((await store.list('')).entries.length, 1);
    });

    check('comparisons choose the branch', async (store) => {
      await store.txn({ success: [put('a', '1')] });
      const outcome = async (
        field: 'version' | 'createRevision' | 'modRevision',
        is: '=' | '!=' | '<' | '>',
        n: number,
      ) => (await store.txn({ compare: [{ key: 'a', field, is, value: n }], success: [] })).succeeded;
      assert.deepEqual(
        [
          await outcome('version', '=', 1),
          await outcome('version', '!=', 1),
          await outcome('createRevision', '<', 3),
          await outcome('createRevision', '<', 2),
          await outcome('modRevision', '>', 1),
          await outcome('modRevision', '>', 2),
        ],
        [true, false, true, false, true, false],
      );
      const absent = { key: 'none', field: 'version', is: '=', value: 0 } as const;
      const present = { key: 'a', field: 'version', is: '>', value: 0 } as const;
      const both = { success: [put('b', 'success')], failure: [put('b', 'failure')] };
      assert.deepEqual(await store.txn({ compare: [absent, present], ...both }), { succeeded: true, revision: 3 });
      assert.equal(text(await store.get('b')), 'success');
      const opposite = { ...absent, is: '!=' as const };
      assert.deepEqual(await store.txn({ compare: [present, opposite], ...both }), { succeeded: false, revision: 4 });
      assert.equal(text(await store.get('b')), 'failure');
      assert.deepEqual(await store.txn({ compare: [opposite], success: [put('c', '')] }), {
        succeeded: false,
        revision: 4,
      });
    });

    check('of writers that compare and swap at once, one wins each round', async (store) => {
      await store.txn({ success: [put('counter', '0')] });
      const increment = async (): Promise<void> => {
        for (;;) {
          const seen = (await store.get('counter'))!;
          const { succeeded } = await store.txn({
            compare: [{ key: 'counter', field: 'modRevision', is: '=', value: seen.modRevision }],
            success: [put('counter', String(Number(text(seen)) + 1))],
          });
          if (succeeded) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, increment));
      assert.equal(text(await store.get('counter')), '20');
      assert.equal((await store.get('counter'))?.version, 21);
    });

    check('a prefix is bytes, not a folder, and keys are in the order of their bytes', async (store) => {
      const keys = ['a', 'a/', 'a/b', 'a/b/c', 'a/é', 'a/\uffff', 'a/😀', 'a0', 'b'];
      await store.txn({ success: keys.toReversed().map((key) => put(key, key)) });
      const listed = async (prefix: string) => (await store.list(prefix)).entries.map(({ key }) => key);
      assert.deepEqual(await listed(''), keys);
      assert.deepEqual(await listed('a/'), keys.slice(1, 7));
      assert.deepEqual(await listed('a/b'), ['a/b', 'a/b/c']);
      assert.deepEqual(await listed('c'), []);
      await store.txn({ success: [{ kind: 'deletePrefix', prefix: 'a/' }] });
      assert.deepEqual(await listed(''), ['a', 'a0', 'b']);
    });

    check('a list goes on at the revision where it began', async (store) => {
      await store.txn({ success: ['a', 'b', 'c', 'd', 'e'].map((key) => put(`k/${key}`, '1')) });
      const first = await store.list('k/', { limit: 2 });
      await store.txn({ success: [remove('k/c'), put('k/d', '2'), put('k/dd', '2')] });
      const second = await store.list('k/', { limit: 2, continue: first.continue! });
      const third = await store.list('k/', { limit: 2, continue: second.continue! });
      assert.deepEqual(
        [first, second, third].map(({ entries }) => entries.map((one) => `${one.key}=${text(one)}`)),
        [['k/a=1', 'k/b=1'], ['k/c=1', 'k/d=1'], ['k/e=1']],
      );
      assert.deepEqual(
        [first, second, third].map(({ revision }) => revision),
        [2, 2, 2],
      );
      assert.equal(third.continue, undefined);
      assert.equal((await store.list('k/', { limit: 5 })).continue, undefined);
      await refuses(store.list('other/', { continue: first.continue! }), 'InvalidArgument');
    });

    check('the past can be read until it is compacted', async (store) => {
      await store.txn({ success: [put('a', '1'), put('b', '1')] });
      await store.txn({ success: [put('a', '2')] });
      await store.txn({ success: [remove('b')] });
      assert.equal(await store.get('a', { revision: 1 }), undefined);
      assert.equal(text(await store.get('a', { revision: 2 })), '1');
      assert.deepEqual((await store.list('', { revision: 3 })).entries.map(text), ['2', '1']);
      await store.compact(3);
      await assert.rejects(store.get('a', { revision: 2 }), CompactedError);
      await assert.rejects(store.list('', { revision: 2 }), { name: 'CompactedError', compactRevision: 3 });
      assert.deepEqual((await store.list('', { revision: 3 })).entries.map(text), ['2', '1']);
      await store.compact(4);
      assert.deepEqual((await store.list('')).entries.map(text), ['2']);
      assert.equal(text(await store.get('a', { revision: 4 })), '2');
      await store.txn({ success: [put('b', 'new')] });
      assert.deepEqual(plain(await store.get('b')), entry('b', 'new', { create: 5, mod: 5, version: 1 }));
    });

    check('the future cannot be read', async (store) => {
      await assert.rejects(store.get('a', { revision: 2 }), FutureRevisionError);
      await assert.rejects(store.list('', { revision: 2 }), FutureRevisionError);
      await assert.rejects(store.compact(2), FutureRevisionError);
      await refuses(drain(store, '', { fromRevision: 3 }), 'FailedPrecondition');
    });

    check('a watch sees what follows it, whole and in order', async (store) => {
      await store.txn({ success: [put('a/1', 'old'), put('b/1', 'old')] });
      await using watch = follow(store, 'a/');
      await store.txn({ success: [put('a/1', '1'), put('a/2', '1'), put('b/1', '1')] });
      await store.txn({ success: [put('b/2', '2')] });
      await store.txn({ success: [remove('a/1'), remove('b/1')] });
      assert.deepEqual(await watch.take(2), [
        { revision: 3, events: ['put a/1=1 (was old)', 'put a/2=1'] },
        { revision: 5, events: ['delete a/1@5 (was 1)'] },
      ]);
    });

    check('a watch from the past misses and repeats nothing at the seam', async (store) => {
      for (let n = 0; n < 20; n++) await store.txn({ success: [put('k', String(n))] });
      await using watch = follow(store, 'k', { fromRevision: 2 });
      const writing = Promise.all(
        Array.from({ length: 20 }, (_, n) => store.txn({ success: [put('k', String(20 + n))] })),
      );
      const batches = await watch.take(40);
      await writing;
      assert.deepEqual(
        batches.map(({ revision }) => revision),
        Array.from({ length: 40 }, (_, n) => n + 2),
      );
      assert.equal(batches[0]!.events[0], 'put k=0');
      assert.equal(batches[39]!.events[0], 'put k=39 (was 38)');
    });

    check('a watch from the past tells what a deleted key was', async (store) => {
      await store.txn({ success: [put('k', 'gone')] });
      await store.txn({ success: [remove('k')] });
      await using watch = follow(store, 'k', { fromRevision: 3 });
      assert.deepEqual(await watch.take(1), [{ revision: 3, events: ['delete k@3 (was gone)'] }]);
    });

    check('a watch from a compacted revision is refused, from the compact revision on it works', async (store) => {
      for (const value of ['1', '2', '3']) await store.txn({ success: [put('k', value)] });
      await store.compact(3);
      await assert.rejects(drain(store, 'k', { fromRevision: 2 }), CompactedError);
      await using watch = follow(store, 'k', { fromRevision: 3 });
      assert.deepEqual(
        (await watch.take(2)).map(({ revision }) => revision),
        [3, 4],
      );
    });

    check('a slow consumer loses nothing and holds nobody up', async (store) => {
      const count = 6000;
      await using watch = follow(store, 'k/');
      await store.txn({ success: [put('k/first', '')] });
      assert.equal((await watch.take(1))[0]?.revision, 2);
      for (let n = 0; n < count; n += 500)
        await Promise.all(Array.from({ length: 500 }, (_, i) => store.txn({ success: [put(`k/${n + i}`, 'x')] })));
      const seen = (await watch.take(count)).map(({ revision }) => revision);
      assert.deepEqual(
        seen,
        Array.from({ length: count }, (_, n) => n + 3),
      );
    });

    check('a watch can ask for word of revisions that do not concern it', async (store) => {
      await using watch = follow(store, 'a/', { isProgressWanted: true });
      await store.txn({ success: [put('b/1', '')] });
      assert.deepEqual(await watch.take(1), [{ revision: 2, events: [] }]);
    });

    check('a watch ends with its signal and with the store', async (store) => {
      const abort = new AbortController();
      const first = collect(store.watch('', { signal: abort.signal }));
      const second = collect(store.watch('', { signal: new AbortController().signal }));
      await store.txn({ success: [put('a', '')] });
      abort.abort();
      await first;
      await store.close();
      await second;
      await refuses(store.txn({ success: [put('a', '')] }), 'Unavailable');
      await refuses(store.get('a'), 'Unavailable');
      await store.close();
    });

    check('a lease takes its keys along when it expires, in one revision', async (store, clock) => {
      const lease = await store.grantLease(10_000);
      await store.txn({ success: [put('a', '1', lease.id), put('b', '1', lease.id), put('c', '1')] });
      assert.equal((await store.get('a'))?.leaseId, lease.id);
      await store.txn({ success: [put('b', 'freed')] });
      await using watch = follow(store, '');
      clock.advance(9_000);
      await store.keepAlive(lease.id);
      clock.advance(9_000);
      await store.keepAlive(lease.id);
      assert.equal(await store.revision(), 3);
      clock.advance(10_000);
      assert.deepEqual(await watch.take(1), [{ revision: 4, events: ['delete a@4 (was 1)'] }]);
      assert.deepEqual(
        (await store.list('')).entries.map(({ key }) => key),
        ['b', 'c'],
      );
      await refuses(store.keepAlive(lease.id), 'NotFound');
      await refuses(store.txn({ success: [put('d', '', lease.id)] }), 'NotFound');
    });

    check('a revoked lease takes its keys along; revoking it again succeeds', async (store) => {
      const lease = await store.grantLease(60_000);
      await store.txn({ success: [put('a', '', lease.id), put('b', '', lease.id)] });
      await store.revokeLease(lease.id);
      assert.equal(await store.revision(), 3);
      assert.deepEqual((await store.list('')).entries, []);
      await store.revokeLease(lease.id);
      assert.equal(await store.revision(), 3);
    });

    check('what cannot be right is refused and changes nothing', async (store) => {
      const refused: Operation[][] = [
        [put('', '')],
        [put('a', '1'), put('a', '2')],
        [put('a', '1'), remove('a')],
        [put('a/b', '1'), { kind: 'deletePrefix', prefix: 'a/' }],
        [
          { kind: 'deletePrefix', prefix: 'a/' },
          { kind: 'deletePrefix', prefix: 'a/b' },
        ],
        [{ kind: 'put', key: 'a', value: new Uint8Array(1.5 * 1024 * 1024 + 1) }],
        [put('\ud800', '')],
      ];
      for (const success of refused) await refuses(store.txn({ success }), 'InvalidArgument');
      await refuses(store.txn({ success: [put('b', '1'), put('a', '', 'none')] }), 'NotFound');
      await refuses(store.grantLease(0), 'InvalidArgument');
      assert.deepEqual(await store.list(''), { entries: [], revision: 1 });
    });

    check('a value of the largest size is kept', async (store) => {
      const value = Buffer.alloc(1.5 * 1024 * 1024, 7);
      await store.txn({ success: [{ kind: 'put', key: 'a', value }] });
      assert.ok(value.equals((await store.get('a'))!.value));
    });
  });
}

const put = (key: string, value: string, leaseId?: string): Operation => ({
  kind: 'put',
  key,
  value: Buffer.from(value),
  ...(leaseId !== undefined && { leaseId }),
});
const remove = (key: string): Operation => ({ kind: 'delete', key });

const text = (entry: { readonly value: Uint8Array } | undefined): string | undefined =>
  entry && Buffer.from(entry.value).toString();

function plain(kv: Awaited<ReturnType<Store['get']>>) {
  return kv && { ...kv, value: text(kv) };
}

function entry(key: string, value: string, at: { create: number; mod: number; version: number }) {
  return { key, value, createRevision: at.create, modRevision: at.mod, version: at.version };
}

/** A watch whose batches the test takes a few at a time; fails rather than hang. */
function follow(store: Store, prefix: string, options: Partial<WatchOptions> = {}) {
  const abort = new AbortController();
  const batches = store.watch(prefix, { ...options, signal: abort.signal })[Symbol.asyncIterator]();
  // Adapters begin a watch when it is first asked; the revision it begins with is fixed by the call.
  return {
    async take(count: number): Promise<{ revision: number; events: string[] }[]> {
      const taken: { revision: number; events: string[] }[] = [];
      while (taken.length < count) {
        const next = await withinSeconds(batches.next(), 20);
        if (next.done) throw new Error(`the watch ended after ${taken.length} of ${count} batches`);
        taken.push(described(next.value));
      }
      return taken;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      abort.abort();
      await batches.return?.();
    },
  };
}

async function withinSeconds<T>(promise: Promise<T>, seconds: number): Promise<T> {
  const deadline = new AbortController();
  try {
    return await Promise.race([
      promise,
      systemClock.sleep(seconds * 1000, deadline.signal).then(() => {
        throw new Error(`nothing came within ${seconds} s`);
      }),
    ]);
  } finally {
    deadline.abort();
  }
}

function described(batch: WatchBatch): { revision: number; events: string[] } {
  return {
    revision: batch.revision,
    events: batch.events.map((event) => {
      const was = event.previous ? ` (was ${text(event.previous)})` : '';
      return event.kind === 'put'
        ? `put ${event.entry.key}=${text(event.entry)}${was}`
        : `delete ${event.key}@${event.revision}${was}`;
    }),
  };
}

async function collect(watch: AsyncIterable<WatchBatch>): Promise<WatchBatch[]> {
  return Array.fromAsync(watch);
}

function drain(store: Store, prefix: string, options: Partial<WatchOptions>): Promise<WatchBatch[]> {
  return collect(store.watch(prefix, { ...options, signal: new AbortController().signal }));
}

function refuses(promise: Promise<unknown>, kind: DabbaError['kind']): Promise<void> {
  return assert.rejects(promise, (error) => isDabbaError(error, kind));
}
