import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';

const dayMs = 24 * 60 * 60 * 1000;

test('a sleep of more than a timer can wait goes on until it is ended', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let isOver = false;
  void systemClock.sleep(60 * dayMs).then(() => (isOver = true));
  for (let day = 0; day < 59; day += 1) await pass(dayMs);
  assert.equal(isOver, false);
  // What a tick is late is added.
  for (let day = 0; day < 3; day += 1) await pass(dayMs);
  assert.equal(isOver, true);

  const ended = new AbortController();
  const long = systemClock.sleep(60 * dayMs, ended.signal);
  await pass(40 * dayMs);
  ended.abort();
  await assert.rejects(long, { name: 'AbortError' });

  async function pass(ms: number): Promise<void> {
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  }
});
