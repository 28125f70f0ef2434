import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesCode } from './probe.ts';

test('a matcher has codes, lists of codes and ranges', () => {
  for (const [matcher, code, isMatch] of [
    ['200', 200, true],
    ['200', 204, false],
    ['200,204', 204, true],
    ['200-399', 302, true],
    ['200-299,418', 418, true],
    ['200-299,418', 404, false],
  ] as const)
    assert.equal(matchesCode(matcher, code), isMatch, `${matcher} ${code}`);
});
