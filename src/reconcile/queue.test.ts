import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock, systemRandom } from '#base';
import { KeyedQueue, type KeyedQueueOptions } from './queue.ts';

function queueOf(work: KeyedQueueOptions['work'], concurrency = 2) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const failures: number[] = [];
  const queue = new KeyedQueue({
    clock,
    random: { ...systemRandom, fraction: () => 1 },
    concurrency,
    work,
    onFailure: (_key, _error, count) => failures.push(count),
    signal: stop.signal,
  });
  return { queue, clock, stop, failures };
}

test('a key waits once, and comes again when it was added during its work', async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const { queue } = queueOf(async () => {
    gates.push(Promise.withResolvers());
    await gates.at(-1)!.promise;
  });
  for (let n = 0; n < 3; n++) queue.add('a');
  await nextTurn();
  assert.equal(gates.length, 1);
  for (let n = 0; n < 3; n++) queue.add('a');
  await nextTurn();
  assert.equal(gates.length, 1, 'never twice at once');
  gates[0]!.resolve();
  await nextTurn();
  assert.equal(gates.length, 2);
  gates[1]!.resolve();
  await queue.idle();
  assert.equal(gates.length, 2);
});

test('no more keys are worked on at once than allowed', async () => {
  let running = 0;
  let most = 0;
  const { queue } = queueOf(async () => {
    most = Math.max(most, ++running);
    await nextTurn();
    running--;
  }, 3);
  for (let n = 0; n < 10; n++) queue.add(String(n));
  await queue.idle();
  assert.equal(most, 3);
});

test('failures come again after growing pauses, until one succeeds', async () => {
  let left = 3;
  const { queue, clock, failures } = queueOf(async () => {
    if (left-- > 0) throw new Error('not yet');
  });
  queue.add('a');
  for (const pauseMs of [50, 100, 200]) {
    await nextTurn();
    const before = failures.length;
    clock.advance(pauseMs - 1);
    await nextTurn();
    assert.equal(failures.length, before, `not before ${pauseMs} ms`);
    clock.advance(1);
  }
  await nextTurn();
  assert.deepEqual(failures, [1, 2, 3]);
  assert.equal(left, -1);
});

test('a key can ask to come again, and comes earlier when it is added', async () => {
  let steps = 0;
  const { queue, clock } = queueOf(async () => {
    steps++;
    return { afterMs: 1000 };
  });
  queue.add('a');
  await nextTurn();
  clock.advance(1000);
  await nextTurn();
  assert.equal(steps, 2);
  clock.advance(500);
  queue.add('a');
  await nextTurn();
  assert.equal(steps, 3);
  clock.advance(500);
  await nextTurn();
  assert.equal(steps, 3, 'the earlier plan is void');
  clock.advance(500);
  await nextTurn();
  assert.equal(steps, 4);
});

test('the signal aborts what runs and forgets what waits', async () => {
  const seen: string[] = [];
  const { queue, stop, failures } = queueOf((key, signal) => {
    seen.push(key);
    const { promise, reject } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    return promise;
  }, 1);
  queue.add('a');
  queue.add('b');
  await nextTurn();
  stop.abort();
  await queue.idle();
  queue.add('c');
  await queue.idle();
  assert.deepEqual([seen, failures], [['a'], []]);
});
