import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodes } from '../../resources.ts';
import type * as types from '../../types.ts';
import { FakeNode, image } from '../fakes/node.ts';

const MiB = 2 ** 20;
const container = (resources: types.Container['resources'] = {}): types.Container => ({
  name: 'web',
  image,
  resources,
});
const isRunning = ({ phase }: types.PodStatus) => phase === 'Running';
const isEvicted = ({ phase, reason }: types.PodStatus) => phase === 'Failed' && reason === 'Evicted';

async function started(): Promise<FakeNode> {
  const machine = new FakeNode();
  await machine.start();
  return machine;
}

async function running(machine: FakeNode, name: string, spec: Partial<types.PodSpec> = {}): Promise<void> {
  await machine.run({ containers: [container()], ...spec }, { name });
  await machine.until(isRunning, name);
}

/** What a node says of its memory, once it says so. */
async function saysOfMemory(machine: FakeNode, status: string): Promise<void> {
  await machine.untilTrue(`MemoryPressure is ${status}`, () => {
    const conditions = machine.client.all(nodes)[0]?.status?.conditions;
    return conditions?.find(({ type }) => type === 'MemoryPressure')?.status === status;
  });
}

test('short of memory, a node ends the pod that holds most beyond what it asked for, and takes no other that asks for nothing', async () => {
  await using machine = await started();
  await running(machine, 'asked', { containers: [container({ requests: { memory: '1536Mi' } })] });
  await running(machine, 'critical', { priority: 2_000_000_000 });
  await running(machine, 'greedy');
  machine.memoryHeld
    .set('asked', 1500 * MiB)
    .set('critical', 400 * MiB)
    .set('greedy', 100 * MiB);
  machine.clock.advance(10_000);
  const { message, conditions } = await machine.until(isEvicted, 'greedy');
  assert.match(message!, /^The node was low on resource: memory. Threshold quantity: 100Mi, available: 48Mi. /);
  assert.equal(conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason, 'TerminationByKubelet');
  assert.ok((await machine.reasons()).includes('Evicted'));
  machine.memoryHeld.delete('greedy');
  machine.clock.advance(11_000);
  await saysOfMemory(machine, 'True');
  await machine.run({ containers: [container()] }, { name: 'late' });
  assert.match((await machine.until(isEvicted, 'late')).message!, /MemoryPressure/);
  for (const name of ['asked', 'critical']) assert.equal(machine.pod(name)?.status?.phase, 'Running', name);
  machine.clock.advance(300_000);
  await saysOfMemory(machine, 'False');
  await running(machine, 'later');
});

test('a pod that writes more than its bounds is ended: a volume of it, a container, or all together', async () => {
  await using machine = await started();
  const limited = container({ limits: { 'ephemeral-storage': '1Mi' } });
  await running(machine, 'volume', {
    volumes: [
      { name: 'scratch', emptyDir: { sizeLimit: '1Ki' } },
      { name: 'free', emptyDir: {} },
    ],
  });
  await running(machine, 'one', { containers: [limited, { ...limited, name: 'other' }] });
  await running(machine, 'all', { containers: [limited, { ...limited, name: 'other' }] });
  await running(machine, 'within', { containers: [limited] });
  const uid = machine.pod('volume')!.metadata!.uid!;
  writeFileSync(join(machine.directory, 'state/i-1/pods', uid, 'volumes/scratch/file'), Buffer.alloc(1025));
  machine.engine.written.set(machine.runOf('web', 0, 'one'), 1.5 * MiB);
  machine.engine.written.set(machine.runOf('web', 0, 'all'), MiB);
  machine.engine.written.set(machine.runOf('other', 0, 'all'), MiB + 1);
  machine.engine.written.set(machine.runOf('web', 0, 'within'), MiB);
  machine.clock.advance(10_000);
  const messageOf = async (name: string) => (await machine.until(isEvicted, name)).message;
  assert.equal(await messageOf('volume'), 'Usage of EmptyDir volume "scratch" exceeds the limit "1Ki". ');
  assert.equal(await messageOf('one'), 'Container web exceeded its local ephemeral storage limit "1Mi". ');
  assert.equal(await messageOf('all'), 'Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ');
  assert.equal(machine.pod('within')?.status?.phase, 'Running');
});

test('short of disk, a node ends pods only where that helps', async () => {
  await using machine = await started();
  await running(machine, 'small');
  await running(machine, 'large');
  machine.engine.written.set(machine.runOf('web', 0, 'small'), MiB);
  machine.engine.written.set(machine.runOf('web', 0, 'large'), 10 * MiB);
  machine.diskAvailable = 2 ** 30 - 100 * MiB;
  machine.clock.advance(10_000);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(machine.pod('large')?.status?.phase, 'Running', 'others fill the disk');
  machine.diskAvailable = 2 ** 30 - 5 * MiB;
  machine.clock.advance(10_000);
  const { message } = await machine.until(isEvicted, 'large');
  assert.match(
    message!,
    /^The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 1019Mi. /,
  );
  assert.match(message!, /Container web was using 10Mi, request is 0, has larger consumption of ephemeral-storage. $/);
  await machine.untilLogged(`remove ${machine.runOf('web', 0, 'large')}`);
  assert.equal(machine.pod('small')?.status?.phase, 'Running');
});

test('short of disk, a machine ends one pod of all that its nodes have', async () => {
  await using machine = await started();
  const nodeName = 'ip-10-0-0-6.ec2.internal';
  await machine.addNode({ id: 'i-2', nodeName });
  await running(machine, 'small');
  await running(machine, 'large', { nodeName });
  machine.engine.written.set(machine.runOf('web', 0, 'small'), 5 * MiB);
  machine.engine.written.set(machine.runOf('web', 0, 'large'), 10 * MiB);
  // Of no node the pods alone would do.
  machine.diskAvailable = 2 ** 30 - 12 * MiB;
  machine.clock.advance(10_000);
  await machine.until(isEvicted, 'large');
  machine.diskAvailable = 2 ** 30 - MiB;
  await running(machine, 'other', { nodeName });
  machine.engine.written.set(machine.runOf('web', 0, 'other'), 3 * MiB);
  machine.clock.advance(11_000);
  await machine.until(isEvicted, 'small');
  assert.equal(machine.pod('other')?.status?.phase, 'Running');
});
