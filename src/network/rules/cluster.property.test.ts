import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ServicePort, ServiceRouting } from '../clusters.ts';
import { Numbers } from './balancing.ts';
import { clusterRuleset } from './cluster.ts';
import { renderChange, type Ruleset } from './ruleset.ts';

const names = ['n1', 'n2', 'n3'];
const backend = fc.record({
  address: fc.nat(40).map((last) => `10.0.0.${last}`),
  port: fc.integer({ min: 1, max: 3 }),
});
const backends = fc.uniqueArray(backend, { maxLength: 6, selector: ({ address, port }) => `${address}:${port}` });
const routing: fc.Arbitrary<ServiceRouting> = fc.oneof(
  backends.map((list): ServiceRouting => ({ kind: 'everywhere', backends: list })),
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...names), backends), { selector: ([name]) => name })
    .map((entries): ServiceRouting => ({ kind: 'by-node', backends: new Map(entries) })),
);
const service: fc.Arbitrary<ServicePort> = fc.record(
  {
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
    port: fc.integer({ min: 1, max: 3 }),
    addresses: fc.array(
      fc.nat(3).map((last) => `10.100.0.${last}`),
      { maxLength: 1 },
    ),
    externalAddresses: fc.array(
      fc.nat(3).map((last) => `192.0.2.${last}`),
      { maxLength: 2 },
    ),
    nodePort: fc.integer({ min: 30_000, max: 30_003 }),
    affinityS: fc.constantFrom(10, 60),
    internal: routing,
    external: routing,
  },
  { requiredKeys: ['id', 'protocol', 'port', 'addresses', 'externalAddresses', 'internal', 'external'] },
);
const cluster = fc.uniqueArray(service, { maxLength: 4, selector: ({ id }) => id });

function compiler(): (services: readonly ServicePort[]) => Ruleset {
  const numbers = new Numbers();
  const nodes = names.map((name, index) => ({ name, addresses: [`10.0.1.${index}`] }));
  return (services) =>
    clusterRuleset({
      table: 't',
      rules: { serviceCidr: '10.100.0.0/16', nodes, services, policies: [] },
      members: [],
      served: [],
      numbers,
    });
}

const elements = ({ sets }: Ruleset, name: string) => sets.get(name)!.elements;

test('whatever a connection is led to is there', () => {
  fc.assert(
    fc.property(fc.array(cluster, { minLength: 1, maxLength: 4 }), (history) => {
      const compile = compiler();
      for (const services of history) {
        const ruleset = compile(services);
        const verdicts = [...elements(ruleset, 'groups').values(), ...elements(ruleset, 'divided').values()];
        for (const verdict of [...verdicts, ...elements(ruleset, 'alive').values()])
          assert.ok(ruleset.chains.has(verdict.replace('goto ', '')), verdict);
        for (const [group, verdict] of elements(ruleset, 'groups')) {
          const [kind, count] = verdict.replace('goto ', '').split('_');
          const places = elements(ruleset, kind === 'spread' ? 'backends' : 'picks');
          for (let choice = 0; choice < Number(count); choice++) assert.ok(places.has(`${group} . ${choice}`));
        }
        for (const group of elements(ruleset, 'node_groups').values())
          assert.ok(elements(ruleset, 'groups').has(group));
      }
    }),
  );
});

test('the same services are no change, however one came to them', () => {
  fc.assert(
    fc.property(cluster, cluster, (one, other) => {
      const compile = compiler();
      const before = compile(one);
      assert.equal(renderChange(before, compile(one)), '');
      const now = compile(other);
      assert.equal(renderChange(now, compile(other)), '');
    }),
  );
});

test('what goes in a change was there, and what comes was not', () => {
  fc.assert(
    fc.property(cluster, cluster, (one, other) => {
      const compile = compiler();
      const [before, now] = [compile(one), compile(other)];
      for (const line of renderChange(before, now).split('\n')) {
        const [, verb, name = '', keys = ''] = /^(add|delete) element ip t (\S+) \{ (.*) \}$/.exec(line) ?? [];
        for (const key of keys.split(', ').map((element) => element.split(' : ')[0]!)) {
          if (verb === 'delete') assert.ok(elements(before, name).has(key), line);
          if (verb === 'add') assert.ok(elements(now, name).has(key), line);
        }
      }
    }),
  );
});
