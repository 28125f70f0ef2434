import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapOf, renderChange, renderTable, setOf, type Chain, type ElementSet, type Ruleset } from './ruleset.ts';

const ruleset = (sets: Record<string, ElementSet>, chains: Record<string, Chain> = {}): Ruleset => ({
  table: 't',
  sets: new Map(Object.entries(sets)),
  chains: new Map(Object.entries(chains)),
});
const lines = (script: string) => script.trimEnd().split('\n');

test('a whole table replaces what is there', () => {
  const script = renderTable(
    ruleset({ s: setOf('type ipv4_addr;', ['10.0.0.1']) }, { c: { base: '', rules: ['accept'] } }),
  );
  assert.deepEqual(lines(script), [
    'add table ip t',
    'delete table ip t',
    'add table ip t',
    'add set ip t s { type ipv4_addr; }',
    'add chain ip t c',
    'add rule ip t c accept',
    'add element ip t s { 10.0.0.1 }',
  ]);
});

test('nothing to change is no command', () => {
  const same = () => ruleset({ s: setOf('type ipv4_addr;', ['10.0.0.1']) }, { c: { base: '', rules: ['accept'] } });
  assert.equal(renderChange(same(), same()), '');
});

test('membership changes are element updates', () => {
  const from = ruleset({ s: setOf('type ipv4_addr;', ['10.0.0.1', '10.0.0.2']) });
  const to = ruleset({ s: setOf('type ipv4_addr;', ['10.0.0.2', '10.0.0.3']) });
  assert.deepEqual(lines(renderChange(from, to)), [
    'delete element ip t s { 10.0.0.1 }',
    'add element ip t s { 10.0.0.3 }',
  ]);
});

test('a map entry that leads elsewhere is deleted before it is added', () => {
  const from = ruleset({ m: mapOf('type ifname : verdict;', [['"a"', 'goto x']]) });
  const to = ruleset({ m: mapOf('type ifname : verdict;', [['"a"', 'goto y']]) });
  assert.deepEqual(lines(renderChange(from, to)), [
    'delete element ip t m { "a" }',
    'add element ip t m { "a" : goto y }',
  ]);
});

test('a chain goes after the element that led to it and comes before', () => {
  const before = ruleset(
    { m: mapOf('type ifname : verdict;', [['"a"', 'goto x']]) },
    { x: { base: '', rules: ['accept'] } },
  );
  const after = ruleset(
    { m: mapOf('type ifname : verdict;', [['"b"', 'goto y']]) },
    { y: { base: '', rules: ['drop'] } },
  );
  assert.deepEqual(lines(renderChange(before, after)), [
    'add chain ip t y',
    'delete element ip t m { "a" }',
    'add rule ip t y drop',
    'flush chain ip t x',
    'add element ip t m { "b" : goto y }',
    'delete chain ip t x',
  ]);
});

test('a changed declaration replaces the table', () => {
  const from = ruleset({ s: setOf('type ipv4_addr;', []) });
  const to = ruleset({ s: setOf('type ipv4_addr; flags interval;', []) });
  assert.equal(renderChange(from, to), renderTable(to));
});
