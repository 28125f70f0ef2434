import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SecurityGroup, SecurityGroupRule } from '../model.ts';
import {
  admits,
  admittedPeers,
  combinationChain,
  compileGroup,
  groupChain,
  membersSet,
  type Direction,
} from './security-groups.ts';

function compile(direction: Direction, rule: Partial<SecurityGroupRule>): string[] {
  const whole: SecurityGroupRule = {
    id: 'sgr-1',
    protocol: '-1',
    peer: { kind: 'cidr', cidr: '0.0.0.0/0' },
    tags: {},
    ...rule,
  };
  return compileGroup({ ingress: [whole], egress: [whole] } as unknown as SecurityGroup, direction);
}

test('rules become matches on the far side', () => {
  const peer = { kind: 'cidr', cidr: '10.1.2.3/16' } as const;
  assert.deepEqual(compile('ingress', { protocol: 'tcp', fromPort: 80, toPort: 80, peer }), [
    'ip saddr 10.1.0.0/16 tcp dport 80 accept',
  ]);
  assert.deepEqual(compile('egress', { protocol: '17', fromPort: 53, toPort: 60, peer }), [
    'ip daddr 10.1.0.0/16 udp dport 53-60 accept',
  ]);
});

test('all traffic is a bare accept, all ports a bare protocol', () => {
  assert.deepEqual(compile('ingress', {}), ['accept']);
  assert.deepEqual(compile('ingress', { protocol: 'tcp', fromPort: 0, toPort: 65_535 }), ['meta l4proto tcp accept']);
  assert.deepEqual(compile('ingress', { protocol: '50' }), ['meta l4proto 50 accept']);
});

test('ICMP has a type and perhaps a code', () => {
  assert.deepEqual(compile('ingress', { protocol: 'icmp', fromPort: 8, toPort: -1 }), ['icmp type 8 accept']);
  assert.deepEqual(compile('ingress', { protocol: '1', fromPort: 3, toPort: 4 }), ['icmp type 3 icmp code 4 accept']);
  assert.deepEqual(compile('ingress', { protocol: 'icmp' }), ['meta l4proto icmp accept']);
});

test('another group is a set of addresses', () => {
  const rule = { protocol: 'tcp', fromPort: 1, toPort: 2, peer: { kind: 'group', groupId: 'sg-9' } } as const;
  assert.deepEqual(compile('ingress', rule), ['ip saddr @members_sg-9 tcp dport 1-2 accept']);
});

test('what makes no sense allows nothing', () => {
  assert.deepEqual(compile('ingress', { protocol: 'tcp', fromPort: 90, toPort: 80 }), []);
  assert.deepEqual(compile('ingress', { protocol: 'tcp', fromPort: 0, toPort: 70_000 }), []);
  assert.deepEqual(compile('ingress', { protocol: 'accept; flush ruleset' }), []);
  assert.deepEqual(compile('ingress', { protocol: 'icmpv6' }), []);
});

test('an id never reaches a name with characters of its own', () => {
  assert.match(groupChain('ingress', 'sg; flush ruleset'), /^ingress_[0-9a-f]{32}$/);
  assert.match(membersSet('x { }'), /^members_[0-9a-f]{32}$/);
});

test('the order of groups does not matter', () => {
  assert.equal(combinationChain('egress', ['sg-1', 'sg-2']), combinationChain('egress', ['sg-2', 'sg-1']));
});

test('whether a group lets somebody in at a port, and whom it would', () => {
  const allow = (more: object) => ({ id: 'r', tags: {}, protocol: 'tcp', ...more }) as SecurityGroupRule;
  const admitting = (...ingress: SecurityGroupRule[]) => ({ ingress }) as unknown as SecurityGroup; // all that is read
  const cidr = { kind: 'cidr', cidr: '10.0.0.0/16' } as const;
  const one = admitting(
    allow({ fromPort: 80, toPort: 90, peer: cidr }),
    allow({ protocol: '-1', peer: { kind: 'group', groupId: 'sg-1' } }),
  );
  const from = (address: string, ...groupIds: string[]) => ({ address, groupIds });
  assert.equal(admits(one, from('10.0.1.1'), { protocol: 'tcp', port: 85 }), true);
  assert.equal(admits(one, from('10.0.1.1'), { protocol: 'udp', port: 85 }), false);
  assert.equal(admits(one, from('10.1.1.1'), { protocol: 'tcp', port: 85 }), false);
  assert.equal(admits(one, from('10.1.1.1', 'sg-1'), { protocol: 'udp', port: 7 }), true);
  assert.equal(admits(one, { groupIds: ['sg-1'] }, { protocol: 'udp', port: 7 }), true);
  assert.equal(admits(one, { groupIds: [] }, { protocol: 'tcp', port: 85 }), false);
  assert.deepEqual(admittedPeers(one, { protocol: 'tcp', port: 80 }), [
    'ip saddr 10.0.0.0/16',
    'ip saddr @members_sg-1',
  ]);
  assert.deepEqual(admittedPeers(one, { protocol: 'tcp', port: 91 }), ['ip saddr @members_sg-1']);
});
