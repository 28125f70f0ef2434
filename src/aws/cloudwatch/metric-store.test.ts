import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricStore } from './metric-store.ts';

const id = {
  account: '111122223333',
  region: 'us-east-1',
  namespace: 'AWS/Usage',
  name: 'CallCount',
  dimensions: { Service: 'ECS', Type: 'API' },
};
const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

test('values are summed up by the minute and by longer periods', () => {
  const store = new MetricStore();
  for (const [value, minute] of [
    [1, 0],
    [3, 0],
    [5, 1],
    [7, 4],
  ] as const)
    store.add(id, value, START + minute * MINUTE + 5);
  const read = (periodMs: number) =>
    store.read(
      { ...id, dimensions: { Type: 'API', Service: 'ECS' } },
      { from: START, to: START + 10 * MINUTE, periodMs },
    );
  assert.deepEqual(
    read(MINUTE).map(({ at, summary }) => [(at - START) / MINUTE, summary.count, summary.sum]),
    [
      [0, 2, 4],
      [1, 1, 5],
      [4, 1, 7],
    ],
  );
  assert.deepEqual(read(5 * MINUTE), [{ at: START, summary: { count: 4, sum: 16, minimum: 1, maximum: 7 } }]);
  assert.deepEqual(store.read({ ...id, name: 'Other' }, { from: START, to: START + MINUTE, periodMs: MINUTE }), []);
});

test('what is older than three hours is forgotten, not mistaken for new', () => {
  const store = new MetricStore();
  store.add(id, 1, START);
  store.add(id, 2, START + 180 * MINUTE);
  const all = store.read(id, { from: 0, to: START + 1000 * MINUTE, periodMs: MINUTE });
  assert.deepEqual(
    all.map(({ summary }) => summary.sum),
    [2],
  );
});

test('beyond 2,000 series the longest silent one goes', () => {
  const store = new MetricStore();
  for (let index = 0; index <= 2000; index++) store.add({ ...id, name: `m${index}` }, 1, START + index);
  const names = store.list(id.account, id.region).map(({ name }) => name);
  assert.equal(names.length, 2000);
  assert.ok(!names.includes('m0') && names.includes('m2000'));
});
