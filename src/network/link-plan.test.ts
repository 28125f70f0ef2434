import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlaps } from './cidr.ts';
import { MAX_SLOTS, freeBridgeCidr, freeSlot, linkAddresses, linkBlocks } from './link-plan.ts';

test('blocks follow from the name and avoid what is routed', () => {
  const [first] = linkBlocks('main', []);
  const [again] = linkBlocks('main', []);
  const [second] = linkBlocks('main', [first!]);
  assert.equal(first, again);
  assert.ok(!overlaps(first!, second!));
  assert.deepEqual([...linkBlocks('main', ['100.64.0.0/10'])], []);
});

test('every slot has a pair of addresses of its own', () => {
  assert.deepEqual(linkAddresses('100.64.16.0/20', 0), { machine: '100.64.16.0', fabric: '100.64.16.1' });
  assert.deepEqual(linkAddresses('100.64.16.0/20', 200), { machine: '100.64.17.144', fabric: '100.64.17.145' });
  assert.throws(() => linkAddresses('100.64.16.0/20', MAX_SLOTS), { kind: 'ResourceExhausted' });
});

test('the lowest free slot is taken', () => {
  assert.equal(freeSlot(new Set([0, 1, 3])), 2);
});

test('an engine network avoids what the machine routes', () => {
  assert.equal(freeBridgeCidr([]), '172.17.0.0/16');
  assert.equal(freeBridgeCidr(['172.17.0.0/16', '172.18.5.0/24']), '172.19.0.0/16');
  assert.equal(freeBridgeCidr(['172.16.0.0/12']), '192.168.0.0/20');
  assert.throws(() => freeBridgeCidr(['172.16.0.0/12', '192.168.0.0/16']), { kind: 'ResourceExhausted' });
});
