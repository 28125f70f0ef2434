import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evictionOrder, isCritical, storageLimitOf } from './order.ts';

test('who uses more than it asked for goes first, then who matters less, then who uses the most', () => {
  const candidates = [
    { pod: 'within', priority: 0, used: 90, requested: 100 },
    { pod: 'dear', priority: 10, used: 500, requested: 0 },
    { pod: 'small', priority: 0, used: 20, requested: 10 },
    { pod: 'large', priority: 0, used: 80, requested: 0 },
    { pod: 'nearly', priority: 0, used: 100, requested: 100 },
  ];
  assert.deepEqual(
    evictionOrder(candidates).map(({ pod }) => pod),
    ['large', 'small', 'dear', 'nearly', 'within'],
  );
});

test('what the cluster needs is left alone', () => {
  const of = (priority?: number) => isCritical({ spec: { containers: [], ...(priority && { priority }) } });
  assert.deepEqual([of(), of(1_000_000), of(2_000_001_000)], [false, false, true]);
});

test('a pod has a bound for what it writes when all of its containers do', () => {
  const container = (limit?: string) => ({
    name: 'c',
    ...(limit && { resources: { limits: { 'ephemeral-storage': limit } } }),
  });
  assert.equal(storageLimitOf({ spec: { containers: [container('1Mi'), container('1Mi')] } }), 2 * 2 ** 20);
  assert.equal(storageLimitOf({ spec: { containers: [container('1Mi'), container()] } }), undefined);
});
