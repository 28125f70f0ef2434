import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { isDabbaError, systemClock, systemRandom } from '#base';
import { type Store, openSqliteStore } from '#store';

const root = mkdtempSync(join(tmpdir(), 'dabba-store-'));
after(() => rmSync(root, { recursive: true }));

interface Acknowledged {
  readonly revision: number;
  readonly key: string;
  readonly value: string;
}

/** Runs the writer until it was acknowledged some number of times, kills it at that instant, and returns what it was told. */
async function writeAndDie(directory: string, count: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'store-writer.ts'), directory], {
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

test('kill -9 loses nothing that was acknowledged, and leaves no holes', async () => {
  const directory = join(root, 'killed');
  const all: Acknowledged[] = [];
  for (let round = 0; round < 8; round++) {
    all.push(...(await writeAndDie(directory, 1 + Math.floor(systemRandom.fraction() * 1500))));
    const store = openSqliteStore({ directory, clock: systemClock });
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
