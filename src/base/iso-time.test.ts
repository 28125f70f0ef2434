import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isoSeconds } from './iso-time.ts';

test('an instant is written to the second, the rest cut off', () => {
  assert.equal(isoSeconds(0), '1970-01-01T00:00:00Z');
  assert.equal(isoSeconds(Date.UTC(2026, 0, 31, 23, 59, 59, 999)), '2026-01-31T23:59:59Z');
});
