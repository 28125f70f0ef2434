import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkPolicy, Pod } from '../types.ts';
import { podPolicies } from './policies.ts';

type Spec = NonNullable<NetworkPolicy['spec']>;

function pod(name: string, last: number, more: { readonly namespace?: string; readonly port?: number } = {}): Pod {
  const { namespace = 'default', port = 80 } = more;
  return {
    metadata: { name, namespace, labels: { app: name } },
    spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }] },
    status: { podIP: `10.0.0.${last}`, phase: 'Running' },
  };
}

const pods = [pod('web', 1), pod('web', 2, { port: 8080 }), pod('client', 3), pod('client', 4, { namespace: 'other' })];
const namespaces = ['default', 'other'].map((name) => ({ metadata: { name, labels: { name } } }));
const web = { podSelector: { matchLabels: { app: 'web' } } };

function compiled(spec: Partial<Spec>) {
  const policy = { metadata: { name: 'p', namespace: 'default' }, spec: { ...web, ...spec } };
  return podPolicies([policy], { pods, namespaces });
}

test('a policy isolates the pods it selects, in the directions it names', () => {
  assert.deepEqual(compiled({}), [
    { id: 'default/p', direction: 'ingress', pods: ['10.0.0.1', '10.0.0.2'], allows: [] },
  ]);
  assert.deepEqual(
    compiled({ egress: [{}] }).map(({ direction }) => direction),
    ['ingress', 'egress'],
  );
  assert.deepEqual(
    compiled({ policyTypes: ['Egress'] }).map(({ direction }) => direction),
    ['egress'],
  );
  assert.deepEqual(compiled({ podSelector: {} })[0]!.pods, ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  assert.deepEqual(compiled({ podSelector: { matchLabels: { app: 'none' } } }), []);
});

test('an empty rule allows everything, none nothing', () => {
  assert.deepEqual(compiled({ ingress: [{}] })[0]!.allows, [{ peers: 'any', ports: 'any' }]);
  assert.deepEqual(compiled({ ingress: [] })[0]!.allows, []);
});

test('peers are pods of this namespace, pods across namespaces, or blocks', () => {
  const client = { matchLabels: { app: 'client' } };
  const peersOf = (from: NonNullable<NonNullable<Spec['ingress']>[number]['from']>) =>
    compiled({ ingress: [{ from }] })[0]!.allows[0]!.peers;
  const addresses = (peers: ReturnType<typeof peersOf>) => (peers === 'any' ? peers : peers.addresses);
  assert.deepEqual(addresses(peersOf([{ podSelector: client }])), ['10.0.0.3']);
  assert.deepEqual(addresses(peersOf([{ podSelector: client, namespaceSelector: {} }])), ['10.0.0.3', '10.0.0.4']);
  assert.deepEqual(addresses(peersOf([{ namespaceSelector: { matchLabels: { name: 'other' } } }])), ['10.0.0.4']);
  assert.deepEqual(peersOf([{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }]), {
    addresses: [],
    blocks: [{ cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] }],
  });
});

test('a named port is what each pod calls so', () => {
  const [policy] = compiled({ ingress: [{ ports: [{ port: 'http' }, { port: 90, endPort: 99, protocol: 'UDP' }] }] });
  assert.deepEqual(policy!.allows[0]!.ports, [
    { protocol: 'tcp', first: 80, at: ['10.0.0.1'] },
    { protocol: 'tcp', first: 8080, at: ['10.0.0.2'] },
    { protocol: 'udp', first: 90, last: 99 },
  ]);
});

test('blocks that are none, and ports that are none, match nobody', () => {
  const blocks = ['10.0.0.0/33', '10.0.0.0', '2001:db8::/32', '10.0.0.0/8/8', 'accept'];
  const from = [{ ipBlock: { cidr: '10.0.0.0/8', except: blocks } }, ...blocks.map((cidr) => ({ ipBlock: { cidr } }))];
  assert.deepEqual(compiled({ ingress: [{ from }] })[0]!.allows[0]!.peers, {
    addresses: [],
    blocks: [{ cidr: '10.0.0.0/8', except: [] }],
  });
  const ports = [{ port: 0 }, { port: 70_000 }, { port: 80, endPort: 70 }];
  assert.deepEqual(compiled({ ingress: [{ ports }] })[0]!.allows[0]!.ports, []);
});
