import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodPolicy } from '../clusters.ts';
import { compilePolicies } from './policies.ts';

const policy = (more: Partial<PodPolicy>): PodPolicy => ({
  id: 'default/p',
  direction: 'ingress',
  pods: ['10.0.0.1'],
  allows: [],
  ...more,
});

/** The rules of the only chain that accepts something. */
function rulesOf(one: PodPolicy): readonly string[] {
  const { chains } = compilePolicies([one], []);
  return chains.find(([name]) => /^(in|e)gress_[0-9a-f]{16}$/.test(name))![1].rules;
}

test('no policies are no rules', () => {
  assert.deepEqual(compilePolicies([], []), { sets: [], chains: [] });
});

test('a policy that allows nothing isolates its pods in its direction alone', () => {
  const { sets, chains } = compilePolicies([policy({})], []);
  const elements = (name: string) => new Map(sets).get(name)!.elements;
  assert.deepEqual([...elements('isolated_ingress').keys()], ['10.0.0.1']);
  assert.equal(elements('isolated_egress').size, 0);
  const verdict = elements('isolated_ingress').get('10.0.0.1')!.replace('goto ', '');
  assert.equal(new Map(chains).get(verdict)!.rules.at(-1), 'drop');
});

test('pods of the same policies share a chain', () => {
  const { sets } = compilePolicies(
    [
      policy({ id: 'a', pods: ['10.0.0.1', '10.0.0.2'] }),
      policy({ id: 'b', pods: ['10.0.0.2', '10.0.0.1', '10.0.0.3'] }),
    ],
    [],
  );
  const verdicts = [...new Map(sets).get('isolated_ingress')!.elements];
  assert.equal(verdicts.length, 3);
  assert.equal(new Set(verdicts.map(([, verdict]) => verdict)).size, 2);
});

test('peers and ports', () => {
  const blocks = [{ cidr: '10.0.0.9/8', except: ['10.1.0.0/16', '10.2.0.0/16'] }];
  const allows: PodPolicy['allows'] = [
    { peers: { addresses: [], blocks }, ports: [{ protocol: 'tcp', first: 80, last: 90 }, { protocol: 'udp' }] },
    { peers: 'any', ports: [{ protocol: 'sctp', first: 7, at: ['10.0.0.1'] }] },
    { peers: { addresses: [], blocks: [{ cidr: '0.0.0.0/0', except: [] }] }, ports: 'any' },
    { peers: { addresses: [], blocks: [] }, ports: 'any' },
  ];
  assert.deepEqual(rulesOf(policy({ allows })), [
    'ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 ip saddr != 10.2.0.0/16 tcp dport 80-90 accept',
    'ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 ip saddr != 10.2.0.0/16 meta l4proto udp accept',
    'ip daddr { 10.0.0.1 } sctp dport 7 accept',
    'accept',
  ]);
  assert.match(rulesOf(policy({ allows, direction: 'egress' }))[0]!, /^ip daddr 10\.0\.0\.0\/8 ip daddr != /);
});
