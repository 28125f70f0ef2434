import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '#base';
import { deal, FairQueues, type Leave, type Limits, type Refusal } from './fair-queues.ts';

// Time stands still: every request takes the least there is.
const clock = { now: () => 0, sleep: (ms: number, stop?: AbortSignal) => systemClock.sleep(ms, stop) };
const around = { clock, borrowable: () => 0, onLeave: () => undefined };
const { signal } = new AbortController();

function queuesOf(limits: Limits): FairQueues {
  return new FairQueues(limits, around);
}

const queuing = { queues: 64, handSize: 4, queueLengthLimit: 50 };

/** Asks, and notes who was let in. */
function asker(queues: FairQueues, order: string[]) {
  const leaves: Leave[] = [];
  const refusals: Refusal[] = [];
  const ask = async (flow: string, seats = 1) => {
    const outcome = await queues.enter({ flow, seats, signal });
    if (typeof outcome !== 'function') refusals.push(outcome);
    else {
      order.push(flow);
      leaves.push(outcome);
    }
  };
  /** Ends all that runs, one after the other, and what comes after it. */
  const drain = async () => {
    for (let leave = leaves.shift(); leave; leave = leaves.shift()) {
      leave();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { ask, drain, refusals };
}

test('a flow that asks for much waits behind itself, not before others', async () => {
  const queues = queuesOf({ seats: 2, queuing });
  const order: string[] = [];
  const { ask, drain } = asker(queues, order);
  const flood = Array.from({ length: 40 }, () => ask('flood'));
  const other = [ask('other'), ask('other')];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, ['flood', 'flood']);
  await drain();
  await Promise.all([...flood, ...other]);
  const last = order.lastIndexOf('other');
  assert.ok(last < 20, `the other was through after ${last} of ${order.length}`);
  assert.deepEqual([queues.inUse, queues.waiting], [0, 0]);
});

test('queues have an end, and a level without queues refuses at once', async () => {
  const full = queuesOf({ seats: 1, queuing: { queues: 1, handSize: 1, queueLengthLimit: 2 } });
  const { ask, drain, refusals } = asker(full, []);
  const asked = Array.from({ length: 5 }, () => ask('a'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(refusals, ['queue-full', 'queue-full']);
  await drain();
  await Promise.all(asked);
  const none = queuesOf({ seats: 1 });
  assert.equal(typeof (await none.enter({ flow: 'a', seats: 1, signal })), 'function');
  assert.equal(await none.enter({ flow: 'a', seats: 1, signal }), 'concurrency-limit');
});

test('who goes away waits no more', async () => {
  const queues = queuesOf({ seats: 1, queuing });
  const leave = (await queues.enter({ flow: 'a', seats: 1, signal })) as Leave;
  const gone = new AbortController();
  const asked = queues.enter({ flow: 'b', seats: 1, signal: gone.signal });
  gone.abort();
  assert.equal(await asked, 'cancelled');
  assert.equal(queues.waiting, 0);
  leave();
  leave();
  assert.equal(queues.inUse, 0, 'leaving twice is leaving once');
});

test('who takes too long goes on without seats', async () => {
  let now = 0;
  const slowly = { clock: { ...clock, now: () => now }, borrowable: () => 0, onLeave: () => undefined };
  const queues = new FairQueues({ seats: 1, queuing }, slowly);
  const slow = (await queues.enter({ flow: 'slow', seats: 1, signal })) as Leave;
  now = 61_000;
  const next = (await queues.enter({ flow: 'next', seats: 1, signal })) as Leave;
  assert.equal(queues.inUse, 1);
  slow();
  assert.equal(queues.inUse, 1, 'what was taken is not given back twice');
  next();
  assert.equal(queues.inUse, 0);
});

test('a request wider than the level takes all of it', async () => {
  const queues = queuesOf({ seats: 3, queuing });
  const leave = (await queues.enter({ flow: 'a', seats: 10, signal })) as Leave;
  assert.equal(queues.inUse, 3);
  leave();
});

test('a hand is always the same, of different queues', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 12 }),
      (flow, queues, size) => {
        const hand = deal(flow, { queues, handSize: size });
        assert.equal(new Set(hand).size, Math.min(size, queues));
        assert.ok(hand.every((queue) => queue >= 0 && queue < queues));
        assert.deepEqual(deal(flow, { queues, handSize: size }), hand);
      },
    ),
  );
});

test('who gives up lets in those who waited behind', { timeout: 5000 }, async () => {
  const queues = queuesOf({ seats: 4, queuing });
  const running = await queues.enter({ flow: 'first', seats: 2, signal });
  assert.equal(typeof running, 'function');
  const leaving = new AbortController();
  const wide = queues.enter({ flow: 'second', seats: 4, signal: leaving.signal });
  const narrow = queues.enter({ flow: 'second', seats: 1, signal });
  leaving.abort();
  assert.equal(await wide, 'cancelled');
  assert.equal(typeof (await narrow), 'function');
});

test('a level may have as many queues as upstream allows', { timeout: 1000 }, async () => {
  const queues = queuesOf({ seats: 1, queuing: { queues: 10_000_000, handSize: 2, queueLengthLimit: 1 } });
  const order: string[] = [];
  const { ask, drain } = asker(queues, order);
  const asked = Array.from({ length: 100 }, (_, index) => ask(String(index)));
  await new Promise((resolve) => setImmediate(resolve));
  await drain();
  await Promise.all(asked);
  assert.equal(order.length, 100);
});
