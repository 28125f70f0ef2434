import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { isDabbaError, systemClock, systemCode, systemRandom } from '#base';
import { type Store, openSqliteStore } from '#store';

const root = mkdtempSync(join(tmpdir(), 'dabba-store-'));
after(() => rmSync(root, { recursive: true }));

interface Acknowledged {
  readonly revision: number;
  readonly key: string;
  readonly value: string;
}

interface Load {
  readonly journalBytes: number;
  readonly writers: number;
  /** It is killed when it was acknowledged so many times, and at this moment. */
  readonly count: number;
}

/** Runs the writer, kills it, and returns what it was told. */
async function writeAndDie(directory: string, { journalBytes, writers, count }: Load): Promise<Acknowledged[]> {
  const writer = join(import.meta.dirname, 'store-writer.ts');
  const child = spawn(process.execPath, [writer, directory, String(journalBytes), String(writers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const acknowledged: Acknowledged[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // The last line may be cut off; then its number is missing or too short to have been told.
    const [, revision, writer, n] = /^(\d+) (\d+) (\d+)$/.exec(line) ?? [];
    if (revision === undefined) continue;
    const name = `${child.pid}/${writer}/${n}`;
    acknowledged.push({ revision: Number(revision), key: `log/${name}`, value: name });
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  const [, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
  return acknowledged;
}

async function checkWhole(store: Store): Promise<number> {
  const last = await store.revision();
  let next = 2;
  if (last > 1)
    for await (const { revision, events } of store.watch('', {
      fromRevision: 2,
      signal: new AbortController().signal,
    })) {
      assert.equal(revision, next++, 'no revision is missing');
      assert.equal(events.length, 2, 'each revision is whole');
      if (revision === last) break;
    }
  return last;
}

const upTo = (count: number) => 1 + Math.floor(systemRandom.fraction() * count);

// A large journal dies between two syncs of SQLite, while SQLite follows; a small one mostly while SQLite takes all and the journal begins anew.
for (const { name, journalBytes, writers, rounds } of [
  { name: 'with a journal that is seldom full', journalBytes: 8 * 1024 * 1024, writers: 16, rounds: 6 },
  { name: 'with a journal that is full every few groups', journalBytes: 16 * 1024, writers: 16, rounds: 8 },
  { name: 'with one writer and a small journal', journalBytes: 64 * 1024, writers: 1, rounds: 6 },
])
  test(`kill -9 loses nothing that was acknowledged, and leaves no holes, ${name}`, async () => {
    const directory = join(root, `killed-${journalBytes}-${writers}`);
    const all: Acknowledged[] = [];
    for (let round = 0; round < rounds; round++) {
      all.push(...(await writeAndDie(directory, { journalBytes, writers, count: upTo(1500) })));
      const store = openSqliteStore({ directory, clock: systemClock, journalBytes });
      const last = await checkWhole(store);
      for (const { revision, key, value } of all) {
        const entry = await store.get(key);
        assert.ok(entry, `${key} was acknowledged`);
        assert.equal(Buffer.from(entry.value).toString(), value);
        assert.equal(entry.modRevision, revision);
        assert.ok(revision <= last);
      }
      await store.close();
    }
    assert.ok(all.length > 100, 'the test wrote something');
  });

test('a full disk refuses the write, keeps nothing of it, and is left behind when there is room', async () => {
  const directory = join(root, 'small');
  mkdirSync(directory);
  await using held = new AsyncDisposableStack();
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'dabba-test', directory]).status, 0);
  held.defer(() => assert.equal(spawnSync('umount', [directory]).status, 0));
  const open = () => openSqliteStore({ directory: join(directory, 'store'), clock: systemClock });
  const store = open();
  held.defer(() => store.close());
  const put = (key: string, sizeBytes: number) =>
    store.txn({ success: [{ kind: 'put', key, value: Buffer.alloc(sizeBytes) }] });
  await put('small', 10);
  const before = await store.revision();
  const refused = store.txn({
    success: [
      { kind: 'delete', key: 'small' },
      { kind: 'put', key: 'big', value: Buffer.alloc(1_500_000) },
    ],
  });
  await assert.rejects(refused, (error) => isDabbaError(error, 'ResourceExhausted'));
  assert.equal(await store.revision(), before);
  assert.equal(await store.get('big'), undefined);
  assert.equal((await store.get('small'))?.value.length, 10);
  assert.equal((await put('next', 10)).revision, before + 1);
  await store.close();
  const again = open();
  held.defer(() => again.close());
  assert.deepEqual(
    (await again.list('')).entries.map(({ key }) => key),
    ['next', 'small'],
  );
});

test('a disk that is full for SQLite, but not for the journal, loses nothing and is left behind when there is room', async () => {
  const directory = join(root, 'filled');
  mkdirSync(directory);
  await using held = new AsyncDisposableStack();
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'dabba-test', directory]).status, 0);
  held.defer(() => assert.equal(spawnSync('umount', [directory]).status, 0));
  const open = () =>
    openSqliteStore({ directory: join(directory, 'store'), clock: systemClock, journalBytes: 4 * 1024 * 1024 });
  const store = open();
  held.defer(() => store.close());
  const keys: string[] = [];
  const put = async (key: string) => {
    await store.txn({ success: [{ kind: 'put', key, value: Buffer.alloc(1000) }] });
    keys.push(key);
  };
  await put('before');
  const filler = join(directory, 'filler');
  fill(filler);
  // The journal takes some, until too much waits for SQLite.
  await assert.rejects(
    async () => {
      for (;;) await put(`full/${keys.length}`);
    },
    (error) => isDabbaError(error, 'ResourceExhausted'),
  );
  assert.ok(keys.length > 100, 'the journal took some');
  await assert.rejects(store.grantLease(1000), (error) => isDabbaError(error, 'ResourceExhausted'));
  const check = async (one: Store) => {
    assert.equal(await one.revision(), keys.length + 1);
    const { entries } = await one.list('');
    assert.deepEqual(
      entries.map(({ key, modRevision, value }) => [key, modRevision, value.length]),
      keys.map((key, index) => [key, index + 2, 1000]).toSorted(([a], [b]) => (a! < b! ? -1 : 1)),
    );
  };
  await check(store);
  const history = store.watch('', { fromRevision: 2, signal: new AbortController().signal });
  let next = 2;
  for await (const { revision } of history) {
    assert.equal(revision, next++);
    if (revision === keys.length + 1) break;
  }
  rmSync(filler);
  await put('after');
  await check(store);
  await store.close();
  const again = open();
  held.defer(() => again.close());
  await check(again);
});

/** Writes zeros until there is no more room. */
function fill(path: string): void {
  const fd = openSync(path, 'w');
  try {
    for (const piece = Buffer.alloc(4096); ;) writeSync(fd, piece);
  } catch (error) {
    assert.equal(systemCode(error), 'ENOSPC');
  } finally {
    closeSync(fd);
  }
}
