import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachWatch, readDetachKeys } from './detach.ts';

test('detach keys are read', () => {
  assert.deepEqual(readDetachKeys(null), [16, 17]);
  assert.deepEqual(readDetachKeys('ctrl-a,ctrl-[,x,ctrl-@'), [1, 27, 120, 0]);
  for (const wrong of ['ctrl-', 'ctrl-ab', 'xy', ','])
    assert.throws(() => readDetachKeys(wrong), { kind: 'InvalidArgument', message: /Invalid detach keys/ });
});

test('what is typed passes, the keys do not, and what only began like them passes late', () => {
  const watch = new DetachWatch([16, 17]);
  const read = (...bytes: readonly number[]) => {
    const { passed, isDetached } = watch.read(Buffer.from(bytes));
    return [[...passed], isDetached];
  };
  assert.deepEqual(read(1, 2, 16), [[1, 2], false]);
  assert.deepEqual(read(3), [[16, 3], false]);
  assert.deepEqual(read(16, 16), [[16], false]);
  assert.deepEqual(read(17, 9), [[], true]);
});
