import assert from 'node:assert/strict';
import { test } from 'node:test';
import { balancersRuleset, type BalancedAddress } from './balancers.ts';

const listener: BalancedAddress = {
  addresses: ['10.0.0.200', '198.18.0.5'],
  protocols: ['tcp', 'udp'],
  port: 80,
  group: { number: 7, backends: [{ address: '10.0.0.1', port: 8080 }] },
};

test('every address and protocol of a listener leads to its group', () => {
  const { sets } = balancersRuleset([listener]);
  assert.equal(sets.get('frontends')!.elements.size, 4);
  assert.equal(sets.get('frontends')!.elements.get('198.18.0.5 . udp . 80'), '7');
  assert.equal(sets.get('sources')!.elements.size, 0);
});

test('targets see the source that is given in place of the client', () => {
  const { sets } = balancersRuleset([{ ...listener, source: '10.0.0.200' }]);
  assert.deepEqual([...sets.get('sources')!.elements], [['7', '10.0.0.200']]);
});
