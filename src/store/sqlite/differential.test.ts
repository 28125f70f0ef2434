import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ManualClock } from '#base';
import { memoryStore } from '../memory/store.ts';
import type { Store, Transaction } from '../store.ts';
import { openSqliteStore } from './store.ts';

type Step =
  | { readonly do: 'put' | 'delete' | 'deletePrefix'; readonly key: string }
  | { readonly do: 'compact'; readonly back: number }
  | { readonly do: 'reopen' };

const key = fc.constantFrom('a', 'a/1', 'a/2', 'a/é', 'a/😀', 'a/\uffee', 'b', 'b/1');
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'deletePrefix' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const), back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
);

function transactionOf(one: Step & { readonly key: string }): Transaction {
  if (one.do === 'deletePrefix') return { success: [{ kind: 'deletePrefix', prefix: one.key }] };
  if (one.do === 'delete') return { success: [{ kind: 'delete', key: one.key }] };
  return { success: [{ kind: 'put', key: one.key, value: Buffer.from(one.key) }] };
}

/** The state at every revision that can be read, and the answer to those that cannot. */
async function everything(store: Store): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (let revision = await store.revision(); revision > 0; revision--)
    seen.push(
      await store.list('', { revision }).then(
        ({ entries }) => entries.map((entry) => ({ ...entry, value: Buffer.from(entry.value).toString() })),
        (error: Error) => error.name,
      ),
    );
  return seen;
}

test('any history reads like that of the memory store, at every revision, also after opening again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const directory = mkdtempSync(join(tmpdir(), 'dabba-differential-'));
      const clock = new ManualClock();
      const expected = memoryStore({ clock });
      let store = openSqliteStore({ directory, clock });
      try {
        for (const one of steps)
          if (one.do === 'reopen') {
            await store.close();
            store = openSqliteStore({ directory, clock });
          } else if (one.do === 'compact') {
            const revision = Math.max(1, (await expected.revision()) - one.back);
            const outcomes = [expected, store].map((each) =>
              each.compact(revision).catch((error: Error) => error.name),
            );
            assert.equal(await outcomes[0], await outcomes[1]);
          } else assert.deepEqual(await store.txn(transactionOf(one)), await expected.txn(transactionOf(one)));
        assert.deepEqual(await everything(store), await everything(expected));
      } finally {
        await store.close();
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: 40 },
  );
});
