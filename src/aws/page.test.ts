import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, boolean, integer, property, string, uniqueArray } from 'fast-check';
import { AwsError } from './errors.ts';
import { page } from './page.ts';

test('pages put together are the whole, in either order, whatever is deleted between', () => {
  check(
    property(uniqueArray(string()), integer({ min: 1, max: 7 }), boolean(), (keys, limit, isDescending) => {
      const rows = isDescending ? keys.toSorted().reverse() : keys.toSorted();
      const order = isDescending ? 'descending' : 'ascending';
      const seen: string[] = [];
      let left = rows;
      let token: string | undefined;
      do {
        const got = page(left, { token, limit, key: (row) => row, order });
        assert.ok(got.items.length <= limit);
        seen.push(...got.items);
        token = got.nextToken;
        // The row that the token stands on goes away.
        left = left.filter((row) => row !== got.items.at(-1));
      } while (token !== undefined);
      assert.deepEqual(seen, rows);
    }),
  );
});

test('a token that is not ours is refused with the code asked for', () => {
  for (const token of ['', 'x', 'e30', Buffer.from('[2,"a"]').toString('base64url')])
    assert.throws(
      () => page([], { token, limit: 1, key: String, badTokenCode: 'Bad' }),
      (error) => error instanceof AwsError && error.code === 'Bad',
    );
});
