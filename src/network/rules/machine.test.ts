import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineRuleset, type PublishedTarget } from './machine.ts';
import { renderChange, renderTable } from './ruleset.ts';

const base = {
  untranslated: [],
  instance: 'abc',
  publicCidr: '198.18.0.0/16',
  linkCidr: '100.64.16.0/20',
};
const port: PublishedTarget = {
  containerPort: 80,
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort: 8080,
  address: '172.17.0.2',
};

test('a published port is one element of a map, by every address or by one', () => {
  const before = machineRuleset({ ...base, published: [] });
  const after = machineRuleset({
    ...base,
    published: [port, { ...port, protocol: 'udp', hostIp: '127.0.0.1', hostPort: 53 }],
  });
  assert.deepEqual(renderChange(before, after).trim().split('\n'), [
    'add element ip dabba_abc published { tcp . 8080 : 172.17.0.2 . 80 }',
    'add element ip dabba_abc published_at { 127.0.0.1 . udp . 53 : 172.17.0.2 . 80 }',
  ]);
  assert.match(renderChange(after, before), /delete element ip dabba_abc published \{ tcp \. 8080 \}/);
});

test('into a fabric come published ports and nothing else that is routed here, from another fabric neither', () => {
  const rules = machineRuleset({ ...base, published: [] }).chains.get('forward')!.rules;
  const place = (text: string) => rules.findIndex((rule) => rule.includes(text));
  assert.ok(place('ct status dnat accept') < place('oifname "dababc-*" ip daddr != 198.18.0.0/16 drop'));
  assert.ok(place('ip daddr != 198.18.0.0/16 drop') < place('iifname "dababc-*" accept'));
  assert.equal(rules.at(-1), 'oifname "dababc-*" drop');
});

test('a packet from elsewhere that names loopback is not led into a sandbox', () => {
  const table = renderTable(machineRuleset({ ...base, published: [port] }));
  const lookup = table.indexOf('prerouting fib daddr type local dnat');
  assert.ok(table.indexOf('prerouting ip daddr 127.0.0.0/8 return') < lookup);
});
