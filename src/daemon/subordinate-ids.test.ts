import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDabbaError } from '#base';
import { firstFree, mapRanges, subordinateIds } from './subordinate-ids.ts';

const account = { name: 'dock', id: '990' };

test('ranges of a user follow one another, those by its number too', () => {
  const text = 'other:1:2\n990:500000:10\ndock:100000:65536\nbroken\ndock:7:0\n';
  assert.deepEqual(mapRanges('subuid', account, text), [
    { inside: 0, outside: 100_000, count: 65_536 },
    { inside: 65_536, outside: 500_000, count: 10 },
  ]);
});

test('a user without ranges, and one that is not there, are named', () => {
  const refusal = (words: RegExp) => (error: unknown) =>
    isDabbaError(error, 'InvalidArgument') && words.test(error.message);
  assert.throws(() => mapRanges('subgid', account, 'other:1:2'), refusal(/no subgid ranges found for "dock"/));
  assert.throws(() => subordinateIds('no-such-user'), refusal(/"no-such-user" is not in \/etc\/passwd/));
  assert.equal(subordinateIds(undefined), undefined);
});

test('new ranges lie behind all others', () => {
  assert.equal(firstFree(''), 100_000);
  assert.equal(firstFree('a:100000:65536\nb:165536:65536\n'), 231_072);
});
