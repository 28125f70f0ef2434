/** What outlives the host process, and what is left when a node goes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../harness/machine.ts';
import { world } from './shared.ts';

test('a new host finds its pods again, and restarts nothing', async () => {
  await world.runReady('kept', 'sleep 1000', { container: { readinessProbe: { exec: { command: ['true'] } } } });
  const state = async () =>
    (await world.kubectl('get', 'pod', 'kept', '-o', 'jsonpath={.status.containerStatuses[0]}{.status.conditions}'))
      .stdout;
  const before = await state();
  await world.restartHost();
  await eventually(
    'it can be asked',
    10_000,
    async () => (await world.kubectl('exec', 'kept', '--', 'true')).code === 0,
  );
  assert.equal(await state(), before);
});

test('with its record a node loses everything', async () => {
  await world.removeNode();
  assert.deepEqual(
    (await world.engine.containers.list()).map(({ name }) => name),
    [],
  );
  assert.deepEqual(world.network.plane.attached(), []);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  assert.deepEqual(
    mounts.filter((line) => line.includes(world.directory)),
    [],
  );
  assert.deepEqual(
    readdirSync(join(world.directory, 'kubelets')).filter((name) => !name.startsWith('.')),
    [],
  );
  assert.deepEqual(cgroupsNamed('i-1', world.home.instance), []);
});

function cgroupsNamed(name: string, instance: string): readonly string[] {
  const found = execFileSync('find', ['/sys/fs/cgroup', '-path', `*/dabba-${instance}/${name}*`], { encoding: 'utf8' });
  return found.split('\n').filter(Boolean);
}
