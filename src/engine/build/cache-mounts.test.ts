import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#base';
import { Locks } from '../locks.ts';
import { CacheMounts } from './cache-mounts.ts';
import type { RunMount } from './run-mounts.ts';

const { signal } = new AbortController();

function mountsOf(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-mounts-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const mounts = new CacheMounts(directory, systemClock, new Locks());
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  const of = { type: 'cache', id: 'go', target: '/go', sharing: 'shared' } as const;
  const mount: RunMount = { ...of, uid, gid, mode: 0o755, source: '', isReadOnly: false, isRequired: false };
  const fill = async (_: RunMount, path: string) => writeFileSync(join(path, 'seed'), '');
  const take = (held: DisposableStack) => mounts.take([mount], held, { signal, fill });
  const remove = (id: string) => mounts.remove(id, (path) => rm(path, { recursive: true }));
  return { mounts, take, remove };
}

test('a cache mount that a step takes while it is removed is there, whoever came first', async (t) => {
  const { mounts, take, remove } = mountsOf(t);
  {
    using held = new DisposableStack();
    await take(held);
  }
  const [{ id } = assert.fail()] = mounts.list();
  for (let later = 0; later < 10; later++) {
    using held = new DisposableStack();
    const removed = remove(id);
    for (let turn = 0; turn < later; turn++) await Promise.resolve();
    const [[path]] = await Promise.all([take(held), removed]);
    assert.deepEqual(readdirSync(path!), ['seed'], `${later} turns later`);
    assert.equal(await remove(id), false, 'it is in use');
  }
  assert.equal(await remove(id), true);
  assert.deepEqual(mounts.list(), []);
});
