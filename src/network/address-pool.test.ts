import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressPool, checkAddress, freeAddress } from './address-pool.ts';

const asked = { name: 'net1' };

test('a pool has the first address as its gateway, or the one asked for', () => {
  assert.deepEqual(addressPool(asked, '10.5.0.9/24'), { cidr: '10.5.0.0/24', gateway: '10.5.0.1' });
  const pool = addressPool({ ...asked, gateway: '10.5.0.254', addressRange: '10.5.0.128/25' }, '10.5.0.0/24');
  assert.deepEqual(pool, { cidr: '10.5.0.0/24', gateway: '10.5.0.254', addressRange: '10.5.0.128/25' });
});

test('what does not fit the range is refused', () => {
  for (const wrong of [
    { gateway: '10.6.0.1' },
    { gateway: '10.5.0.0' },
    { gateway: '10.5.0.255' },
    { addressRange: '10.5.1.0/25' },
  ])
    assert.throws(() => addressPool({ ...asked, ...wrong }, '10.5.0.0/24'), { kind: 'InvalidArgument' });
  assert.throws(() => addressPool(asked, '10.5.0.0/31'), { kind: 'InvalidArgument' });
});

test('the lowest free address is chosen, within the range to choose from', () => {
  const pool = addressPool(asked, '10.5.0.0/29');
  assert.equal(freeAddress(pool, new Set()), '10.5.0.2');
  assert.equal(freeAddress(pool, new Set(['10.5.0.2', '10.5.0.4'])), '10.5.0.3');
  const all = new Set(['10.5.0.2', '10.5.0.3', '10.5.0.4', '10.5.0.5', '10.5.0.6']);
  assert.throws(() => freeAddress(pool, all), { kind: 'ResourceExhausted' });
  const upper = addressPool({ ...asked, addressRange: '10.5.0.4/30' }, '10.5.0.0/29');
  assert.equal(freeAddress(upper, new Set(['10.5.0.4', '10.5.0.5'])), '10.5.0.6');
  assert.throws(() => freeAddress(upper, new Set(['10.5.0.4', '10.5.0.5', '10.5.0.6'])), { kind: 'ResourceExhausted' });
});

test('an address may be asked for if it is in the network and free', () => {
  const pool = addressPool(asked, '10.5.0.0/24');
  checkAddress(pool, '10.5.0.77', new Set());
  for (const outside of ['10.5.1.1', '10.5.0.0', '10.5.0.255', 'x'])
    assert.throws(() => checkAddress(pool, outside, new Set()), { kind: 'InvalidArgument' });
  for (const taken of ['10.5.0.1', '10.5.0.9'])
    assert.throws(() => checkAddress(pool, taken, new Set(['10.5.0.9'])), { kind: 'Conflict' });
});
