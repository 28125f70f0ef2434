import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock, silentLogger } from '#base';
import { forgetOldRevisions } from './forget.ts';
import { memoryStore } from './memory/store.ts';

test('a revision stays readable for the time it is kept, and goes soon after', async () => {
  const clock = new ManualClock();
  const store = memoryStore({ clock });
  const put = (value: string) => store.txn({ success: [{ kind: 'put', key: 'a', value: Buffer.from(value) }] });
  const { revision: old } = await put('1');
  const stop = new AbortController();
  const ended = forgetOldRevisions({ store, clock, logger: silentLogger, keepMs: 1000, signal: stop.signal });
  await put('2');
  const later = async () => {
    await nextTurn();
    clock.advance(1000);
    await nextTurn();
  };
  await later();
  await put('3');
  assert.ok(await store.get('a', { revision: old }));
  await later();
  await later();
  await assert.rejects(store.get('a', { revision: old }), { name: 'CompactedError' });
  assert.equal((await store.get('a'))?.version, 3);
  stop.abort();
  await ended;
  await store.close();
});
