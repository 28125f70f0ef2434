import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLogger, systemClock } from '#base';
import { nodeRecords, sandboxKey, type SandboxSpec } from '#node';
import { memoryStore } from '#store';
import { NodeUse } from './node-use.ts';
import type { TaskRecord } from './records.ts';
import { ecsCollections } from './state.ts';
import { TaskGroups } from './task-groups.ts';

describe('what ECS keeps in memory', () => {
  const options = () => ({
    store: memoryStore(),
    clock: systemClock,
    logger: silentLogger,
    signal: AbortSignal.timeout(10_000),
  });

  test('a group is its tasks as the store has them, by id', async () => {
    const parts = options();
    const { tasks } = ecsCollections(parts.store);
    const scope = { account: '1', region: 'r', cluster: 'c' };
    // Only what names the group matters here.
    const task = (group: string, more: object = {}) => ({ ...scope, group, ...more }) as TaskRecord;
    await tasks.create('1/r/c/b', task('service:web'));
    const groups = new TaskGroups(parts);
    const ids = async (group: string) => (await groups.of(scope, group)).map(({ id }) => id);
    assert.deepEqual(await ids('service:web'), ['1/r/c/b']);
    await tasks.create('1/r/c/a', task('service:web'));
    await tasks.create('1/r/c/x', task('family:web'));
    assert.deepEqual(await ids('service:web'), ['1/r/c/a', '1/r/c/b']);
    await tasks.update('1/r/c/b', (value) => ({ ...value, lastStatus: 'STOPPED' }));
    const [, changed] = await groups.of(scope, 'service:web');
    assert.equal(changed!.value.lastStatus, 'STOPPED');
    assert.equal(changed!.modRevision, (await tasks.get('1/r/c/b'))!.modRevision);
    await tasks.delete('1/r/c/a');
    await tasks.delete('1/r/c/b');
    assert.deepEqual(await ids('service:web'), []);
    assert.deepEqual(await groups.of({ ...scope, cluster: 'other' }, 'family:web'), []);
  });

  test('what is taken of a node follows its sandboxes', async () => {
    const parts = options();
    const { specs } = nodeRecords(parts.store);
    const use = new NodeUse(parts);
    // Only place and size matter here.
    const spec = (id: string, cpuUnits: number) =>
      ({ id, nodeId: 'n', tenant: '1', cpuUnits, memoryMiB: 512 }) as SandboxSpec;
    const put = async (one: SandboxSpec) => await parts.store.txn({ success: [specs.put(sandboxKey(one), one)] });
    await put(spec('a', 256));
    const used = async () => (await use.now())('n');
    assert.deepEqual(await used(), { cpuUnits: 256, memoryMiB: 512 });
    await put(spec('b', 512));
    await put(spec('a', 1024));
    assert.deepEqual(await used(), { cpuUnits: 1536, memoryMiB: 1024 });
    await specs.delete(sandboxKey(spec('a', 0)));
    assert.deepEqual(await used(), { cpuUnits: 512, memoryMiB: 512 });
    assert.deepEqual((await use.now())('another'), { cpuUnits: 0, memoryMiB: 0 });
  });
});
