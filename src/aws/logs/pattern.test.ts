import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refused } from '../test-calls.ts';
import { regexMatcher } from './pattern-regex.ts';

describe('regular expressions of filter patterns', () => {
  test('they match parts of a message', () => {
    const matches = regexMatcher('AUTHORIZED|[45][0-9]{2} (GET|POST)');
    assert.ok(matches('status 503 GET /'));
    assert.ok(!matches('status 200 GET /'));
  });

  test('a hostile one takes no time, or is refused', () => {
    assert.equal(regexMatcher(`${'.*a'.repeat(60)}=`)('a'.repeat(50_000)), false);
    assert.equal(regexMatcher('(a+)+b')('a'.repeat(50_000)), false);
    for (const source of ['a{99999}b', '(?=a)', '('])
      assert.throws(() => regexMatcher(source), refused('InvalidParameterException'));
  });
});
