import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from 'dns-packet';
import fc from 'fast-check';
import { MemoryClient } from '../client/memory-client.ts';
import { MemoryInformers } from '../client/memory-informers.ts';
import { networkCopies } from '../proxy/copies.ts';
import { endpointSlices, namespaces, services } from '../resources.ts';
import type { EndpointSlice, Service } from '../types.ts';
import { clusterZone } from './zone.ts';

type Spec = NonNullable<Service['spec']>;

const http = { name: 'http', port: 80, protocol: 'TCP' };

async function cluster() {
  const client = new MemoryClient();
  const zone = clusterZone('cluster.local', networkCopies(new MemoryInformers(client)));
  const metadata = (name: string) => ({ name, namespace: 'default' });
  await client.create(namespaces, { metadata: { name: 'default' } });
  return {
    ask: (name: string, type = 'A') => zone.answer({ name, type }, { vpcId: 'vpc-1', address: '10.0.0.9' }),
    service: async (name: string, spec: Spec) => await client.create(services, { metadata: metadata(name), spec }),
    slice: async (
      service: string,
      endpoints: EndpointSlice['endpoints'],
      ports: EndpointSlice['ports'] = [{ name: 'http', port: 8080, protocol: 'TCP' }],
    ) =>
      await client.create(endpointSlices, {
        metadata: { ...metadata(`${service}-1`), labels: { 'kubernetes.io/service-name': service } },
        addressType: 'IPv4',
        endpoints,
        ports,
      }),
  };
}

function sections(answer: ReturnType<ReturnType<typeof clusterZone>['answer']>) {
  assert.ok(answer && answer !== 'unknown', 'there is an answer');
  const { answers, additionals } = 'answers' in answer ? answer : { answers: answer, additionals: [] };
  const data = (records: readonly Answer[]) => records.map((record) => ('data' in record ? record.data : undefined));
  return { answers: data(answers), additionals: data(additionals), names: answers.map(({ name }) => name) };
}

test('a service has its address, its ports and a name for its address', async () => {
  const { ask, service } = await cluster();
  await service('web', { clusterIP: '10.100.0.7', clusterIPs: ['10.100.0.7'], ports: [http] });
  assert.deepEqual(sections(ask('web.default.svc.cluster.local')).answers, ['10.100.0.7']);
  const target = { target: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 100 };
  const found = sections(ask('_http._tcp.web.default.svc.cluster.local', 'SRV'));
  assert.deepEqual(found, {
    answers: [target],
    additionals: ['10.100.0.7'],
    names: ['_http._tcp.web.default.svc.cluster.local'],
  });
  assert.deepEqual(sections(ask('7.0.100.10.in-addr.arpa', 'PTR')).answers, ['web.default.svc.cluster.local']);
  assert.equal(ask('_other._tcp.web.default.svc.cluster.local', 'SRV'), 'unknown');
  assert.equal(ask('_http._udp.web.default.svc.cluster.local', 'SRV'), 'unknown');
});

test('what exists has no records of other types; what does not is unknown', async () => {
  const { ask, service } = await cluster();
  await service('web', { clusterIP: '10.100.0.7', clusterIPs: ['10.100.0.7'], ports: [http] });
  for (const name of [
    'web.default.svc.cluster.local',
    'default.svc.cluster.local',
    'svc.cluster.local',
    'cluster.local',
  ])
    assert.deepEqual(sections(ask(name, 'AAAA')).answers, [], name);
  for (const name of ['other.default.svc.cluster.local', 'web.other.svc.cluster.local', 'other.svc.cluster.local'])
    assert.equal(ask(name), 'unknown', name);
  assert.equal(ask('web.default.cluster.local'), 'unknown');
  assert.equal(ask('example.com'), undefined);
  assert.equal(ask('notcluster.local'), undefined);
  assert.equal(ask('1.0.0.10.in-addr.arpa', 'PTR'), undefined, 'somebody else may know');
});

test('a headless service has its ready endpoints, each with a name', async () => {
  const { ask, service, slice } = await cluster();
  await service('db', { clusterIP: 'None', clusterIPs: ['None'], ports: [http] });
  assert.equal(ask('db.default.svc.cluster.local'), 'unknown', 'nobody is ready');
  await slice('db', [
    { addresses: ['10.0.0.1'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.0.0.2'], conditions: {} },
    { addresses: ['10.0.0.3'], hostname: 'db-2', conditions: { ready: false } },
  ]);
  assert.deepEqual(new Set(sections(ask('db.default.svc.cluster.local')).answers), new Set(['10.0.0.1', '10.0.0.2']));
  assert.deepEqual(sections(ask('db-0.db.default.svc.cluster.local')).answers, ['10.0.0.1']);
  assert.deepEqual(sections(ask('10-0-0-2.db.default.svc.cluster.local')).answers, ['10.0.0.2']);
  assert.equal(ask('db-2.db.default.svc.cluster.local'), 'unknown');
  assert.deepEqual(sections(ask('1.0.0.10.in-addr.arpa', 'PTR')).answers, ['db-0.db.default.svc.cluster.local']);
  const ports = sections(ask('_http._tcp.db.default.svc.cluster.local', 'SRV'));
  assert.deepEqual(new Set(ports.additionals), new Set(['10.0.0.1', '10.0.0.2']));
  assert.ok(
    ports.answers.some((data) => JSON.stringify(data).includes('"port":8080')),
    'the port of the endpoint',
  );
});

test('addresses come in turn', async () => {
  const { ask, service, slice } = await cluster();
  await service('db', { clusterIP: 'None', ports: [http] });
  await slice(
    'db',
    ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({ addresses: [address] })),
  );
  const first = Array.from({ length: 3 }, () => sections(ask('db.default.svc.cluster.local')).answers[0]);
  assert.equal(new Set(first).size, 3);
});

test('an external name is an alias', async () => {
  const { ask, service } = await cluster();
  await service('out', { type: 'ExternalName', externalName: 'example.com.' });
  assert.deepEqual(sections(ask('out.default.svc.cluster.local')).answers, ['example.com']);
});

test('a pod has the address of its name', async () => {
  const { ask } = await cluster();
  assert.deepEqual(sections(ask('10-0-0-7.default.pod.cluster.local')).answers, ['10.0.0.7']);
  assert.equal(ask('10-0-0-700.default.pod.cluster.local'), 'unknown');
  assert.equal(ask('10-0-0-7.other.pod.cluster.local'), 'unknown');
});

test('the version of the specification', async () => {
  const { ask } = await cluster();
  assert.deepEqual(sections(ask('dns-version.cluster.local', 'TXT')).answers, ['1.1.0']);
  assert.equal(sections(ask('cluster.local', 'SOA')).answers.length, 1);
});

test('only names of the zone are answered, and no name is too strange', async () => {
  const { ask, service } = await cluster();
  await service('web', { clusterIP: '10.100.0.7', clusterIPs: ['10.100.0.7'], ports: [http] });
  const label = fc.oneof(
    fc.constantFrom('web', 'default', 'svc', 'pod', '_http', '_tcp', 'cluster', 'local'),
    fc.string(),
  );
  fc.assert(
    fc.property(
      fc.array(label, { maxLength: 9 }),
      fc.constantFrom('A', 'AAAA', 'SRV', 'PTR', 'ANY'),
      (labels, type) => {
        const name = labels.join('.').toLowerCase();
        const isOurs = name === 'cluster.local' || name.endsWith('.cluster.local');
        assert.equal(ask(name, type) !== undefined, isOurs);
      },
    ),
  );
});
