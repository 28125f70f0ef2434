import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkVariables, type LinkFacts } from './link-environment.ts';

const facts: LinkFacts = {
  name: '/web/my-db',
  alias: 'my-db',
  address: '172.17.0.5',
  ports: [],
  environment: ['PATH=/bin', 'HOSTNAME=abc', 'POSTGRES_DB=app=1'],
};
const tcp = (containerPort: number) => ({ containerPort, protocol: 'tcp' as const });
const udp = (containerPort: number) => ({ containerPort, protocol: 'udp' as const });

test('a link tells of a port and of the other’s environment', () => {
  assert.deepEqual(linkVariables({ ...facts, ports: [tcp(5432)] }), [
    'MY_DB_PORT=tcp://172.17.0.5:5432',
    'MY_DB_PORT_5432_TCP=tcp://172.17.0.5:5432',
    'MY_DB_PORT_5432_TCP_ADDR=172.17.0.5',
    'MY_DB_PORT_5432_TCP_PORT=5432',
    'MY_DB_PORT_5432_TCP_PROTO=tcp',
    'MY_DB_NAME=/web/my-db',
    'MY_DB_ENV_POSTGRES_DB=app=1',
  ]);
  assert.deepEqual(linkVariables(facts), ['MY_DB_NAME=/web/my-db', 'MY_DB_ENV_POSTGRES_DB=app=1']);
});

test('the lowest port is the link’s, and neighbouring ports are told as a range too', () => {
  const variables = linkVariables({ ...facts, ports: [udp(53), tcp(81), tcp(80), tcp(443)] });
  assert.equal(variables[0], 'MY_DB_PORT=udp://172.17.0.5:53');
  for (const expected of [
    'MY_DB_PORT_80_TCP_START=tcp://172.17.0.5:80',
    'MY_DB_PORT_80_TCP_PORT_START=80',
    'MY_DB_PORT_80_TCP_END=tcp://172.17.0.5:81',
    'MY_DB_PORT_80_TCP_PORT_END=81',
    'MY_DB_PORT_53_UDP_PROTO=udp',
  ])
    assert.ok(variables.includes(expected), expected);
  assert.equal(variables.filter((variable) => variable.includes('_END=')).length, 2);
});
