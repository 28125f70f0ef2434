import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Locks } from './locks.ts';

test('one holder at a time, in order; who gives up lets the next through', async () => {
  const locks = new Locks();
  const { signal } = new AbortController();
  const order: string[] = [];
  const first = await locks.hold('a', signal);
  const giving = new AbortController();
  const second = locks.hold('a', giving.signal);
  const third = locks.hold('a', signal).then((held) => {
    order.push('third');
    return held;
  });
  using _other = await locks.hold('b', signal);
  giving.abort();
  await assert.rejects(second, { name: 'AbortError' });
  order.push('first lets go');
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.deepEqual(order, ['first lets go', 'third']);
  (await locks.hold('a', signal))[Symbol.dispose]();
});
