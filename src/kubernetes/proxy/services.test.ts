import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceRouting } from '#network';
import type { EndpointSlice, Service } from '../types.ts';
import { servicePorts } from './services.ts';

type Spec = NonNullable<Service['spec']>;
type Endpoint = EndpointSlice['endpoints'][number];

const nodes = [
  { name: 'n1', zone: 'a' },
  { name: 'n2', zone: 'b' },
];

function compiled(spec: Partial<Spec>, endpoints: readonly Endpoint[] = [], more: Partial<Service> = {}) {
  const ports = [{ port: 80, protocol: 'TCP' }];
  const service = {
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP: '10.100.0.7', clusterIPs: ['10.100.0.7'], ports, ...spec },
    ...more,
  };
  const slice = { addressType: 'IPv4', endpoints, ports: [{ name: '', port: 8080, protocol: 'TCP' }] };
  return servicePorts(service, [slice], nodes);
}

/** `*` or the node, with its backends' last numbers. */
function routes(routing: ServiceRouting): Record<string, string> {
  const last = (backends: readonly { readonly address: string }[]) =>
    backends.map(({ address }) => address.split('.')[3]).join(' ');
  if (routing.kind === 'everywhere') return { '*': last(routing.backends) };
  return Object.fromEntries(Array.from(routing.backends, ([node, backends]) => [node, last(backends)]));
}

const endpoint = (last: number, more: Partial<Endpoint> = {}): Endpoint => ({
  addresses: [`10.0.0.${last}`],
  nodeName: 'n1',
  ...more,
});

test('only services with an address of their own are led anywhere', () => {
  assert.deepEqual(compiled({ clusterIP: 'None' }), []);
  assert.deepEqual(compiled({ type: 'ExternalName' }), []);
  assert.equal(compiled({}).length, 1);
});

test('ready endpoints, or the last that still serve', () => {
  const ending = endpoint(2, { conditions: { ready: false, serving: true, terminating: true } });
  const broken = endpoint(3, { conditions: { ready: false, serving: false } });
  assert.deepEqual(routes(compiled({}, [endpoint(1), ending, broken])[0]!.internal), { '*': '1' });
  assert.deepEqual(routes(compiled({}, [ending, broken])[0]!.internal), { '*': '2' });
  assert.deepEqual(routes(compiled({}, [broken])[0]!.internal), { '*': '' });
});

test('policies keep traffic on its node, one for each side', () => {
  const endpoints = [endpoint(1), endpoint(2, { nodeName: 'n2' })];
  const [local] = compiled({ internalTrafficPolicy: 'Local' }, endpoints);
  assert.deepEqual(routes(local!.internal), { n1: '1', n2: '2' });
  assert.deepEqual(routes(local!.external), { '*': '1 2' });
  assert.deepEqual(routes(compiled({ externalTrafficPolicy: 'Local' }, endpoints)[0]!.external), { n1: '1', n2: '2' });
});

test('hints keep traffic in its zone when there are enough of them', () => {
  const inZone = (name: string) => ({ hints: { forZones: [{ name }] } });
  const hinted = [endpoint(1, inZone('a')), endpoint(2, inZone('b'))];
  const trafficDistribution = 'PreferClose';
  assert.deepEqual(routes(compiled({ trafficDistribution }, hinted)[0]!.internal), { n1: '1', n2: '2' });
  assert.deepEqual(routes(compiled({}, hinted)[0]!.internal), { '*': '1 2' });
  assert.deepEqual(routes(compiled({ trafficDistribution }, [...hinted, endpoint(3)])[0]!.internal), { '*': '1 2 3' });
  assert.deepEqual(routes(compiled({ trafficDistribution }, [hinted[0]!])[0]!.internal), { '*': '1' });
  const elsewhere = endpoint(3, inZone('a'));
  assert.deepEqual(routes(compiled({ trafficDistribution }, [hinted[0]!, elsewhere])[0]!.internal), { '*': '1 3' });
});

test('hints for nodes come before those for zones, and a node without any uses all', () => {
  const hints = (node: string, zone: string) => ({ hints: { forNodes: [{ name: node }], forZones: [{ name: zone }] } });
  const trafficDistribution = 'PreferSameNode';
  const targets = [endpoint(1, hints('n1', 'a')), endpoint(2, hints('n3', 'a')), endpoint(3, hints('n3', 'c'))];
  assert.deepEqual(routes(compiled({ trafficDistribution }, targets)[0]!.internal), { n1: '1', n2: '1 2 3' });
});

test('affinity, node ports and addresses from outside', () => {
  const [port] = compiled(
    { sessionAffinity: 'ClientIP', externalIPs: ['192.0.2.1', '2001:db8::1'], ports: [{ port: 80, nodePort: 30_080 }] },
    [],
    {
      status: {
        loadBalancer: { ingress: [{ ip: '192.0.2.2' }, { hostname: 'x' }, { ip: '192.0.2.3', ipMode: 'Proxy' }] },
      },
    },
  );
  assert.equal(port!.affinityS, 10_800);
  assert.equal(port!.nodePort, 30_080);
  assert.deepEqual(port!.externalAddresses, ['192.0.2.1', '192.0.2.2']);
});

test('what is no address and no port never becomes a rule', () => {
  const strange = ['::ffff:10.0.0.1', '10.0.0.1; flush ruleset', '010.0.0.1', '10.0.0', ''];
  const endpoints = strange.map((address) => ({ addresses: [address] }));
  const [port] = compiled({ externalIPs: strange, clusterIPs: ['10.100.0.7', ...strange] }, endpoints);
  assert.deepEqual(port!.addresses, ['10.100.0.7']);
  assert.deepEqual(port!.externalAddresses, []);
  assert.deepEqual(routes(port!.internal), { '*': '' });
  assert.deepEqual(compiled({ ports: [{ port: 70_000 }, { port: 1.5 }] }), []);
});
