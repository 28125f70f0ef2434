import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPattern, patternOf } from './patterns.ts';

const matching: readonly (readonly [string, string])[] = [
  ['^(\\d+|\\*)(/\\d+)?$', '5/10'],
  ['(?i)^abc$', 'ABC'],
  ['\\Aabc\\z', 'abc'],
  ['^[[:alpha:]_]+$', 'ab_c'],
  ['^(?P<name>[a-z]+)$', 'x'],
  ['^[^/\\\\]+$', 'a'],
];
for (const [pattern, value] of matching)
  test(`${pattern} matches ${value}`, () => assert.ok(patternOf(pattern).test(value)));

for (const pattern of ['(', '(?=a)', '(?<!a)b', '(a)\\1', '[[:nothing:]]', 'a**'])
  test(`${pattern} is no pattern`, () => assert.equal(isPattern(pattern), false));

test('what looks like a look-ahead inside a class is none', () => {
  assert.ok(patternOf('^[(?=]+$').test('(?='));
});

test('a pattern that goes back without end does not take for ever', { timeout: 5000 }, () => {
  assert.equal(patternOf('^(a+)+$').test(`${'a'.repeat(60)}!`), false);
  assert.equal(patternOf('^(([a-z])+.)+[A-Z]([a-z])+$').test('a'.repeat(60)), false);
});
