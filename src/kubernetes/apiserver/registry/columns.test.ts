import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration, since } from './columns.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

test('durations as kubectl prints them', () => {
  const expected: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [119_000, '119s'],
    [2 * minute, '2m'],
    [9 * minute + 5000, '9m5s'],
    [10 * minute + 5000, '10m'],
    [3 * hour, '3h'],
    [7 * hour + 59 * minute, '7h59m'],
    [9 * hour + 59 * minute, '9h'],
    [2 * day, '2d'],
    [3 * day + 4 * hour, '3d4h'],
    [30 * day, '30d'],
    [800 * day, '2y70d'],
    [-5000, '<invalid>'],
  ];
  for (const [ms, text] of expected) assert.equal(humanDuration(ms), text);
  assert.equal(since(undefined, 0), '<unknown>');
});
