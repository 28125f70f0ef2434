import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as types from '../../../types.ts';
import { FakeNode, image } from '../../fakes/node.ts';
import { pauseName } from './pause.ts';

const containers: readonly types.Container[] = [
  { name: 'web', image },
  { name: 'side', image },
];
const restartsOf = ({ containerStatuses }: types.PodStatus, name: string) =>
  containerStatuses?.find((each) => each.name === name)?.restartCount;

test('containers that share processes join one that is nobody’s, which goes when they have ended', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers, shareProcessNamespace: true, restartPolicy: 'Never' });
  await machine.until(({ phase }) => phase === 'Running');
  const pause = machine.runOf(pauseName);
  for (const { name } of containers)
    assert.deepEqual(machine.engine.created(machine.runOf(name)).namespaces?.pid, { container: `id-${pause}` });
  assert.deepEqual(
    (await machine.until(({ phase }) => phase === 'Running')).containerStatuses?.map(({ name }) => name),
    ['web', 'side'],
  );
  for (const { name } of containers) machine.engine.exit(machine.runOf(name), 0);
  await machine.until(({ phase }) => phase === 'Succeeded');
  await machine.untilTrue('it is gone', () => !machine.engine.names().includes(pause));
});

test('when it ends, the next containers join another, and the next kubelet finds it again', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers, shareProcessNamespace: true });
  await machine.until(({ phase }) => phase === 'Running');
  await machine.stop();
  machine.engine.exit(machine.runOf('web'), 1);
  await machine.start();
  await machine.until((status) => restartsOf(status, 'web') === 1);
  const joined = (name: string, attempt: number) =>
    machine.engine.created(machine.runOf(name, attempt)).namespaces?.pid;
  assert.deepEqual(joined('web', 1), joined('side', 0));
  // With the first process go all.
  for (const run of [machine.runOf(pauseName), machine.runOf('web', 1), machine.runOf('side')])
    machine.engine.exit(run, 137);
  machine.clock.advance(60_000);
  await machine.until((status) => restartsOf(status, 'web') === 2 && restartsOf(status, 'side') === 1);
  assert.deepEqual(joined('side', 1), { container: `id-${machine.runOf(pauseName, 1)}` });
  assert.deepEqual(joined('web', 2), joined('side', 1));
});
