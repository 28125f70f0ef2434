import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pods } from '../../resources.ts';
import type * as types from '../../types.ts';
import { FakeNode, image } from '../fakes/node.ts';

type Container = types.Container;
type Amounts = { readonly cpu: string; readonly memory: string };

const container = (requests: Amounts, rest: Partial<Container> = {}): Container => ({
  name: 'web',
  image,
  resources: { requests },
  ...rest,
});

/** What `pods/resize` does to the object. */
async function ask(machine: FakeNode, ...containers: readonly Container[]): Promise<void> {
  const now = machine.pod()!;
  await machine.client.update(pods, { ...now, spec: { ...now.spec!, containers } });
}

const conditionOf = ({ conditions }: types.PodStatus, type: string) => conditions?.find((each) => each.type === type);
const resourcesOf = ({ containerStatuses }: types.PodStatus) => containerStatuses?.[0]?.resources?.requests;
const small = { cpu: '100m', memory: '64Mi' };
const large = { cpu: '500m', memory: '128Mi' };

test('a running container gets what its pod asks for later, in place', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers: [container(small)] });
  await machine.until((status) => resourcesOf(status)?.cpu === '100m');
  await ask(machine, container(large));
  const status = await machine.until((status) => resourcesOf(status)?.cpu === '500m');
  assert.equal(status.containerStatuses![0]!.restartCount, 0);
  assert.equal(conditionOf(status, 'PodResizePending'), undefined);
  assert.equal(machine.engine.created(machine.runOf('web')).resources?.cpuShares, 512);
  await machine.until((status) => !conditionOf(status, 'PodResizeInProgress'));
});

test('a container whose policy says so gets it by being begun again', async () => {
  await using machine = new FakeNode();
  await machine.start();
  const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
  await machine.run({ containers: [container(small, { resizePolicy })] });
  await machine.until((status) => resourcesOf(status)?.cpu === '100m');
  await ask(machine, container({ ...small, cpu: '200m' }, { resizePolicy }));
  const inPlace = await machine.until((status) => resourcesOf(status)?.cpu === '200m');
  assert.equal(inPlace.containerStatuses![0]!.restartCount, 0, 'for processor time it needs none');
  const limits = { memory: '128Mi' };
  await ask(machine, container(large, { resizePolicy, resources: { requests: large, limits } }));
  await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.restartCount === 1);
  assert.equal(machine.engine.created(machine.runOf('web', 1)).resources?.memoryBytes, 128 * 2 ** 20);
});

test('what the node cannot give is told, and the container keeps what it has', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers: [container(small)] });
  await machine.until((status) => resourcesOf(status)?.cpu === '100m');
  await ask(machine, container({ ...small, cpu: '100' }));
  const status = await machine.until((status) => conditionOf(status, 'PodResizePending') !== undefined);
  assert.equal(conditionOf(status, 'PodResizePending')!.reason, 'Infeasible');
  assert.equal(resourcesOf(status)?.cpu, '100m');
  await machine.run({ containers: [container({ ...small, cpu: '1500m' })] }, { name: 'q' });
  await machine.until((status) => status.phase === 'Running', 'q');
  await ask(machine, container({ ...small, cpu: '1' }));
  await machine.until((status) => conditionOf(status, 'PodResizePending')?.reason === 'Deferred');
  await ask(machine, container(small));
  await machine.until((status) => conditionOf(status, 'PodResizePending') === undefined);
});

test('a container that is begun again while its pod waits for more gets what it had, by the next kubelet too', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers: [container(small)] });
  await machine.until((status) => resourcesOf(status)?.cpu === '100m');
  await ask(machine, container({ ...small, cpu: '100' }));
  await machine.until((status) => conditionOf(status, 'PodResizePending') !== undefined);
  const sharesOf = (attempt: number) => machine.engine.created(machine.runOf('web', attempt)).resources?.cpuShares;
  machine.engine.exit(machine.runOf('web'), 1);
  const again = await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.restartCount === 1);
  assert.deepEqual([sharesOf(1), conditionOf(again, 'PodResizePending')?.reason], [102, 'Infeasible']);
  await machine.stop();
  machine.engine.exit(machine.runOf('web', 1), 1);
  await machine.start();
  machine.clock.advance(60_000);
  const later = await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.restartCount === 2);
  assert.deepEqual([sharesOf(2), resourcesOf(later)?.cpu], [102, '100m']);
  await ask(machine, container(large));
  await machine.until((status) => resourcesOf(status)?.cpu === '500m');
});

test('a pod that asks for more memory has room for it or waits, though no container is told of requests', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers: [container(small)] });
  await machine.until((status) => resourcesOf(status)?.cpu === '100m');
  await ask(machine, container({ ...small, memory: '64Gi' }));
  const status = await machine.until((status) => conditionOf(status, 'PodResizePending') !== undefined);
  assert.equal(resourcesOf(status)?.memory, '64Mi');
  await ask(machine, container({ ...small, memory: '128Mi' }));
  await machine.until((status) => resourcesOf(status)?.memory === '128Mi');
});
