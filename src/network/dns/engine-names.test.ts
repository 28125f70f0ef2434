import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineNamesZone, type Neighbour } from './engine-names.ts';

const neighbours: readonly Neighbour[] = [
  { network: 'net1', address: '172.18.0.2', names: ['Web', 'abcdef012345', 'app'] },
  { network: 'net1', address: '172.18.0.3', names: ['other', 'app'] },
];
const zone = engineNamesZone(({ address }) => (address === '172.18.0.9' ? neighbours : []));
const asker = { vpcId: undefined, address: '172.18.0.9' };
const addresses = (name: string, type = 'A') => {
  const answers = zone.answer({ name, type }, asker);
  return Array.isArray(answers) ? answers.map((answer) => ('data' in answer ? answer.data : '')) : answers;
};

test('names lead to addresses, with and without the network behind them', () => {
  assert.deepEqual(addresses('web'), ['172.18.0.2']);
  assert.deepEqual(addresses('web.net1'), ['172.18.0.2']);
  assert.deepEqual(addresses('abcdef012345'), ['172.18.0.2']);
  assert.deepEqual(addresses('app'), ['172.18.0.2', '172.18.0.3']);
  assert.deepEqual(addresses('web', 'AAAA'), [], 'the name exists, without such an address');
});

test('an address leads back to the first name', () => {
  assert.deepEqual(addresses('2.0.18.172.in-addr.arpa', 'PTR'), ['Web.net1']);
  assert.equal(addresses('7.0.18.172.in-addr.arpa', 'PTR'), undefined);
});

test('unknown names, and everything for who shares no network, are left to others', () => {
  assert.equal(addresses('example.com'), undefined);
  assert.equal(addresses('web.net2'), undefined);
  assert.equal(zone.answer({ name: 'web', type: 'A' }, { ...asker, address: '172.17.0.2' }), undefined);
});
