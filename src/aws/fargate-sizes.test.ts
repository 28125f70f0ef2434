import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFargateSize, smallestFargateSize } from './fargate-sizes.ts';

test('the smallest size holds what is asked of both, and is one that there is', () => {
  const size = (cpuUnits: number, memoryMiB: number) => {
    const found = smallestFargateSize({ cpuUnits, memoryMiB });
    if (found) assert.ok(isFargateSize(found));
    return found && [found.cpuUnits, found.memoryMiB];
  };
  assert.deepEqual(size(1, 1), [256, 512]);
  assert.deepEqual(size(256, 513), [256, 1024]);
  assert.deepEqual(size(257, 512), [512, 1024]);
  assert.deepEqual(size(256, 2049), [512, 3072]);
  assert.deepEqual(size(16_384, 122_880), [16_384, 122_880]);
  assert.equal(size(16_385, 512), undefined);
  assert.equal(size(256, 122_881), undefined);
});
