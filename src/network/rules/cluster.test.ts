import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRules, ServicePort, ServiceRouting } from '../clusters.ts';
import { Numbers } from './balancing.ts';
import { clusterRuleset } from './cluster.ts';
import { renderChange } from './ruleset.ts';

const backends = (...last: number[]): ServiceRouting => ({
  kind: 'everywhere',
  backends: last.map((each) => ({ address: `10.0.0.${each}`, port: 8080 })),
});

function service(id: string, internal: ServiceRouting, more: Partial<ServicePort> = {}): ServicePort {
  const rest = { addresses: [`10.100.0.${id.length}`], externalAddresses: [], external: internal };
  return { id, protocol: 'tcp', port: 80, internal, ...rest, ...more };
}

const members = [{ link: 'e1', node: 'n1', privateIp: '10.0.0.9' }];
const nodes = [{ name: 'n1', addresses: ['10.0.0.4'] }];

/** Compiles what one cluster wants from time to time. */
function compiler() {
  const numbers = new Numbers();
  return (services: readonly ServicePort[], more: Partial<ClusterRules> = {}) =>
    clusterRuleset({
      table: 't',
      rules: { serviceCidr: '10.100.0.0/16', nodes, services, policies: [], ...more },
      members,
      served: [],
      numbers,
    });
}

const lines = (script: string) => script.trimEnd().split('\n');

test('a backend that comes is one element and a new length', () => {
  const compile = compiler();
  const other = service('other', backends(7, 8, 9));
  const before = compile([service('a', backends(1, 2)), other]);
  const change = lines(renderChange(before, compile([service('a', backends(1, 2, 3)), other])));
  assert.deepEqual(change, [
    'delete element ip t groups { 2 }',
    'add element ip t groups { 2 : goto spread_3 }',
    'add element ip t backends { 2 . 2 : 10.0.0.3 . 8080 }',
  ]);
});

test('a backend in place of another is one element', () => {
  const compile = compiler();
  const change = renderChange(compile([service('a', backends(1, 2))]), compile([service('a', backends(1, 5))]));
  assert.deepEqual(lines(change), [
    'delete element ip t backends { 2 . 1 }',
    'add element ip t backends { 2 . 1 : 10.0.0.5 . 8080 }',
  ]);
});

test('numbers stay with their services and are not given again', () => {
  const compile = compiler();
  const numberOf = (services: readonly ServicePort[]) => [
    ...compile(services).sets.get('frontends')!.elements.values(),
  ];
  assert.deepEqual(numberOf([service('a', backends(1)), service('bb', backends(2))]), ['2', '3']);
  assert.deepEqual(numberOf([service('bb', backends(2))]), ['3']);
  assert.deepEqual(numberOf([service('a', backends(1)), service('bb', backends(2))]), ['4', '3']);
});

test('a service without backends leads nowhere', () => {
  const { sets } = compiler()([service('a', backends())]);
  assert.equal(sets.get('groups')!.elements.size, 0);
});

test('a divided service asks for the node, and one list is one group', () => {
  const own = [{ address: '10.0.0.1', port: 8080 }];
  const routing: ServiceRouting = {
    kind: 'by-node',
    backends: new Map([
      ['n1', own],
      ['n2', own],
      ['n3', []],
    ]),
  };
  const moreNodes = [...nodes, { name: 'n2', addresses: [] }, { name: 'n3', addresses: [] }];
  const { sets } = compiler()([service('a', routing)], { nodes: moreNodes });
  assert.equal(sets.get('groups')!.elements.size, 1);
  assert.equal(sets.get('node_groups')!.elements.size, 2);
  assert.deepEqual([...sets.get('divided')!.elements.values()], ['goto by_client_node']);
});
