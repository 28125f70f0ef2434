import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, conformanceNames, ledger, titleOf } from '../kubernetes/ledger.ts';

test("the ledger names only upstream's conformance tests, each once", () => {
  const names = conformanceNames();
  assert.equal(names.length, 441);
  assert.equal(new Set(names.map(titleOf)).size, names.length);
  const recorded = ledger().map(({ title }) => title);
  assert.ok(recorded.length >= 100, 'the guard looked at the ledger');
  assert.deepEqual(
    ledger().filter(({ suite }) => suite !== 'api' && suite !== 'pods'),
    [],
  );
  assert.equal(new Set(recorded).size, recorded.length, 'a title stands twice');
  assert.deepEqual(compare(new Set(recorded), recorded, names), { lost: [], gained: [], unknown: [] });
});

test('a title that is lost, gained or unknown is told', () => {
  const names = ['a', 'b'].map((name) => ({ sig: 'sig-x', kind: 'A', name }));
  assert.deepEqual(compare(new Set(['[sig-x] b', '[sig-x] own']), ['[sig-x] a', '[sig-x] c'], names), {
    lost: ['[sig-x] a', '[sig-x] c'],
    gained: ['[sig-x] b'],
    unknown: ['[sig-x] c'],
  });
});
