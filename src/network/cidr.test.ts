import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as network from './cidr.ts';

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const cidr = fc
  .tuple(address, fc.integer({ min: 0, max: 32 }))
  .map(([value, prefix]) => `${network.formatIpv4(value)}/${prefix}`);

test('addresses survive the way to text and back', () => {
  fc.assert(fc.property(address, (value) => network.parseIpv4(network.formatIpv4(value)) === value));
});

test('a block holds its own ends, and blocks overlap if and only if one holds the other', () => {
  fc.assert(
    fc.property(cidr, cidr, (one, other) => {
      const { first, last } = network.parseCidr(one);
      assert.ok(network.cidrContains(one, network.formatIpv4(first)));
      assert.ok(network.cidrContains(one, network.formatIpv4(last)));
      assert.equal(network.overlaps(one, other), network.cidrContains(one, other) || network.cidrContains(other, one));
    }),
  );
});

test('malformed addresses and blocks are refused by name', () => {
  for (const bad of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.-4', '1.2.3.4 '])
    assert.throws(() => network.parseIpv4(bad), { kind: 'InvalidArgument' });
  for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '/8', '10.0.0.0/08'])
    assert.throws(() => network.parseCidr(bad), { kind: 'InvalidArgument' });
});

test('host bits are cleared', () => {
  assert.equal(network.formatCidr(network.parseCidr('100.68.0.18/18')), '100.68.0.0/18');
});

test('the first four addresses and the last of a subnet are not for interfaces', () => {
  assert.deepEqual(
    [...network.usableAddresses('10.0.9.0/28')],
    Array.from({ length: 11 }, (_, index) => `10.0.9.${index + 4}`),
  );
  assert.equal(network.usableAddressCount('10.0.9.0/28'), 11);
  assert.equal(network.isUsableAddress('10.0.9.0/28', '10.0.9.3'), false);
  assert.equal(network.isUsableAddress('10.0.9.0/28', '10.0.9.15'), false);
  assert.equal(network.isUsableAddress('10.0.9.0/28', '10.0.9.14'), true);
});

test('host addresses leave out network and broadcast, save in the smallest blocks', () => {
  assert.deepEqual([...network.hostAddresses('10.0.0.0/30')], ['10.0.0.1', '10.0.0.2']);
  assert.deepEqual([...network.hostAddresses('10.0.0.0/31')], ['10.0.0.0', '10.0.0.1']);
  assert.deepEqual([...network.hostAddresses('10.0.0.7/32')], ['10.0.0.7']);
});

test('an address is found by its place in the block', () => {
  assert.equal(network.addressAt('172.31.16.0/20', 1), '172.31.16.1');
  assert.throws(() => network.addressAt('10.0.0.0/30', 4), { kind: 'InvalidArgument' });
});

test('hardware addresses are unicast, local, and follow from the id', () => {
  assert.match(network.macAddressOf('eni-1'), /^02(:[0-9a-f]{2}){5}$/);
  assert.equal(network.macAddressOf('eni-1'), network.macAddressOf('eni-1'));
  assert.notEqual(network.macAddressOf('eni-1'), network.macAddressOf('eni-2'));
});
