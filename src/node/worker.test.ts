import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '#base';
import { FakeMachine, sandbox } from './fakes/machine.ts';
import { type SandboxStatus, sandboxKey } from './sandbox.ts';

const isRunning = ({ phase }: SandboxStatus) => phase === 'running';
const isStopped = ({ phase }: SandboxStatus) => phase === 'stopped';
const log = { driver: 'awslogs', options: {} };

async function machine(): Promise<FakeMachine> {
  const made = new FakeMachine();
  await made.start();
  return made;
}

describe('a sandbox starts', () => {
  test('with its interface, image, surroundings and limits', async () => {
    await using host = await machine();
    await host.addInterface('eni-1');
    const spec = sandbox(
      [
        {
          name: 'app',
          environment: { A: '1' },
          memoryMiB: 64,
          mounts: [{ volume: 'data', path: '/data', isReadOnly: true }],
        },
      ],
      { networkInterfaceId: 'eni-1', cpuUnits: 256, memoryMiB: 512, volumes: [{ name: 'data' }] },
    );
    await host.run(spec);
    const status = await host.until(spec, isRunning);
    const [container] = status.containers;
    assert.equal(container?.phase, 'running');
    assert.equal(container?.imageDigest, digestOf('registry.test/app:1'));
    assert.ok(status.pullStartedAt && status.pullStoppedAt && status.startedAt);

    const created = host.engine.created(`${spec.id}-app`);
    assert.deepEqual(created.environment, ['A=1', 'METADATA=http://169.254.170.2']);
    assert.equal(created.cgroupParent, `/dabba/${spec.id}`);
    assert.equal(created.hostname, 'ip-10-0-0-4.r.compute.internal');
    assert.deepEqual(created.resources, { memoryBytes: 64 * 2 ** 20 });
    assert.deepEqual(created.healthCheck, { Test: ['NONE'] });
    assert.equal(created.network.mode === 'namespace' && created.network.path, '/run/netns/eni-1');
    assert.ok(created.mounts?.[0]?.kind === 'bind' && created.mounts[0].source.endsWith('volumes/data'));
    assert.deepEqual(host.cgroups, [`ensure /dabba/${spec.id}`, `cap /dabba/${spec.id} 256`]);
  });

  test('in the order of its dependencies', async () => {
    await using host = await machine();
    const spec = sandbox([
      {
        name: 'app',
        dependsOn: [
          { container: 'init', condition: 'SUCCESS' },
          { container: 'db', condition: 'HEALTHY' },
        ],
      },
      { name: 'init', isEssential: false },
      { name: 'db', dependsOn: [{ container: 'init', condition: 'START' }], healthCheck: check },
    ]);
    await host.run(spec);
    const running = (name: string) => (status: SandboxStatus) =>
      status.containers.some((container) => container.name === name && container.phase === 'running');
    await host.eventually('db runs', () => host.engine.log.includes(`start ${spec.id}-db`));
    host.engine.exit(`${spec.id}-init`, 0);
    assert.ok(!host.engine.log.includes(`start ${spec.id}-app`));
    host.engine.turnHealth(`${spec.id}-db`, 'healthy');
    const status = await host.until(spec, (seen) => isRunning(seen) && running('app')(seen));
    assert.deepEqual(
      status.containers.map(({ name, phase, health, exitCode }) => [name, phase, health, exitCode]),
      [
        ['app', 'running', 'unknown', undefined],
        ['init', 'stopped', 'unknown', 0],
        ['db', 'running', 'healthy', undefined],
      ],
    );
    host.engine.turnHealth(`${spec.id}-db`, 'unhealthy');
    await host.until(spec, (seen) => seen.containers[2]?.health === 'unhealthy');
  });

  test('once, however often the worker is stopped on the way', async () => {
    await using host = new FakeMachine();
    await host.addInterface('eni-1');
    const spec = sandbox([{ name: 'app' }, { name: 'side', dependsOn: [{ container: 'app', condition: 'HEALTHY' }] }], {
      networkInterfaceId: 'eni-1',
    });
    const gate = Promise.withResolvers<void>();
    host.engine.pulls.set('registry.test/app:1', gate);
    await host.run(spec);
    await host.start();
    await host.eventually('the pull began', () => host.engine.log.includes('pull registry.test/app:1'));
    await host.stop();
    host.engine.pulls.clear();
    await host.start();
    await host.eventually('app runs', () => host.engine.log.includes(`start ${spec.id}-app`));
    await host.stop();
    host.engine.turnHealth(`${spec.id}-app`, 'healthy');
    await host.start();
    await host.until(spec, isRunning);
    for (const name of ['app', 'side'])
      for (const action of ['create', 'start'])
        assert.equal(
          host.engine.log.filter((line) => line === `${action} ${spec.id}-${name}`).length,
          1,
          `${action} ${name}`,
        );
  });
});

describe('a sandbox that cannot start says why, in the words of ECS', () => {
  const cases = [
    {
      what: 'an image that is not there',
      break: (host: FakeMachine) =>
        host.engine.failures.set('pull registry.test/app:1', {
          kind: 'NotFound',
          message: 'registry.test/app:1: not found',
        }),
      reason: 'CannotPullContainerError',
      message:
        'pull image manifest has been retried 1 time(s): failed to resolve ref registry.test/app:1: registry.test/app:1: not found',
    },
    {
      what: 'a pull that is not allowed',
      break: (host: FakeMachine) =>
        host.failures.set('pullCredentials', { kind: 'PermissionDenied', message: 'the role may not' }),
      reason: 'CannotPullContainerError',
      message: 'the role may not',
    },
    {
      what: 'a log that cannot be opened',
      break: (host: FakeMachine) => host.failures.set('openLog', { kind: 'NotFound', message: 'no such log group' }),
      reason: 'ResourceInitializationError',
      message: 'failed to validate logger args: no such log group',
    },
    {
      what: 'an interface of an unknown subnet',
      break: (host: FakeMachine) => host.failures.set('attach', { kind: 'NotFound', message: 'no such subnet' }),
      reason: 'ResourceInitializationError',
      message: 'unable to set up the network interface: no such subnet',
    },
  ];
  for (const { what, break: breakIt, reason, message } of cases)
    test(what, async () => {
      await using host = await machine();
      await host.addInterface('eni-1');
      breakIt(host);
      const spec = sandbox([{ name: 'app', log }], { networkInterfaceId: 'eni-1' });
      await host.run(spec);
      const { failure, containers } = await host.until(spec, isStopped);
      assert.deepEqual(failure, { kind: 'failed-to-start', reason, message });
      assert.equal(containers[0]?.phase, 'stopped');
      assert.deepEqual([host.engine.names(), [...host.interfaces]], [[], []]);
    });

  test('a program that is not there', async () => {
    await using host = await machine();
    const spec = sandbox([{ name: 'app' }]);
    host.engine.failures.set(`start ${spec.id}-app`, { kind: 'InvalidArgument', message: 'exec: no such file' });
    await host.run(spec);
    const { failure, containers } = await host.until(spec, isStopped);
    assert.deepEqual(failure, {
      kind: 'failed-to-start',
      reason: 'CannotStartContainerError',
      message: 'exec: no such file',
    });
    assert.equal(containers[0]?.reason, 'CannotStartContainerError: exec: no such file');
  });

  test('a dependency that fails', async () => {
    await using host = await machine();
    const spec = sandbox([
      { name: 'app', dependsOn: [{ container: 'init', condition: 'SUCCESS' }] },
      { name: 'init', isEssential: false },
    ]);
    await host.run(spec);
    await host.eventually('init runs', () => host.engine.log.includes(`start ${spec.id}-init`));
    host.engine.exit(`${spec.id}-init`, 3);
    const { failure } = await host.until(spec, isStopped);
    assert.equal(
      failure?.message,
      'container "app" cannot start: container "init" exited with code 3 and was not SUCCESS',
    );
  });

  test('a dependency that takes longer than its start timeout', async () => {
    await using host = await machine();
    const spec = sandbox([
      { name: 'app', dependsOn: [{ container: 'init', condition: 'COMPLETE' }] },
      { name: 'init', isEssential: false, startTimeoutMs: 20 },
    ]);
    await host.run(spec);
    const { failure } = await host.until(spec, isStopped);
    assert.match(failure!.message, /"init" was not COMPLETE within 0.02 s/);
  });
});

describe('a sandbox ends', () => {
  test('when an essential container does: the others are stopped, dependents first', async () => {
    await using host = await machine();
    await host.addInterface('eni-1');
    const spec = sandbox(
      [
        { name: 'db', isEssential: false, stopTimeoutMs: 2000 },
        { name: 'web', isEssential: false, dependsOn: [{ container: 'db', condition: 'START' }] },
        { name: 'app', dependsOn: [{ container: 'web', condition: 'START' }] },
      ],
      { networkInterfaceId: 'eni-1' },
    );
    await host.run(spec);
    await host.until(spec, isRunning);
    host.engine.exit(`${spec.id}-app`, 137, true);
    const { failure, containers, stoppedAt } = await host.until(spec, isStopped);
    assert.deepEqual(failure, {
      kind: 'essential-container-exited',
      message: 'Essential container in task exited',
    });
    assert.ok(stoppedAt);
    assert.deepEqual(
      containers.map(({ name, phase, exitCode, reason }) => [name, phase, exitCode, reason]),
      [
        ['db', 'stopped', 143, undefined],
        ['web', 'stopped', 143, undefined],
        ['app', 'stopped', 137, 'OutOfMemoryError: Container killed due to memory usage'],
      ],
    );
    assert.deepEqual(
      host.engine.log.filter((line) => line.startsWith('stop')),
      [`stop ${spec.id}-web 30000`, `stop ${spec.id}-db 2000`],
    );
    assert.deepEqual([host.engine.names(), [...host.interfaces]], [[], []]);
    assert.ok(host.cgroups.includes(`remove /dabba/${spec.id}`));
  });

  test('when it is asked to, even while it pulls', async () => {
    await using host = await machine();
    const spec = sandbox([{ name: 'app' }]);
    host.engine.pulls.set('registry.test/app:1', Promise.withResolvers());
    await host.run(spec);
    await host.eventually('the pull began', () => host.engine.log.includes('pull registry.test/app:1'));
    await host.askToStop(spec);
    const { failure } = await host.until(spec, isStopped);
    assert.equal(failure?.kind, 'requested');
  });

  test('and is let go of by a worker that goes, for the next to end', async () => {
    await using host = await machine();
    const spec = sandbox([{ name: 'app', stopTimeoutMs: 30_000 }]);
    await host.run(spec);
    await host.until(spec, isRunning);
    host.engine.stops.set(`${spec.id}-app`, Promise.withResolvers());
    await host.askToStop(spec);
    await host.eventually('it was told', () => host.engine.log.includes(`stop ${spec.id}-app 30000`));
    await host.stop();
    assert.deepEqual(host.engine.names(), [`${spec.id}-app`]);
    host.engine.stops.clear();
    await host.start();
    await host.until(spec, isStopped);
  });

  test('and is forgotten with its spec, also when nobody was there to see it go', async () => {
    await using host = await machine();
    await host.addInterface('eni-1');
    const spec = sandbox([{ name: 'app', log }], { networkInterfaceId: 'eni-1', volumes: [{ name: 'v' }] });
    await host.run(spec);
    await host.until(spec, isRunning);
    await host.stop();
    await host.records.specs.delete(sandboxKey(spec));
    await host.start();
    await host.eventually('the status is gone', async () => (await host.status(spec)) === undefined);
    assert.deepEqual([host.engine.names(), [...host.interfaces]], [[], []]);
  });
});

describe('what containers print', () => {
  const text = (host: FakeMachine) => host.lines.map(({ message }) => message);

  test('is delivered whole, in order, and the last lines before the sandbox is stopped', async () => {
    await using host = await machine();
    const spec = sandbox([{ name: 'app', log }]);
    await host.run(spec);
    await host.until(spec, isRunning);
    host.engine.print(`${spec.id}-app`, 'one', 'two');
    await host.eventually('two lines', () => host.lines.length === 2);
    host.engine.print(`${spec.id}-app`, 'last');
    host.engine.exit(`${spec.id}-app`, 0);
    await host.until(spec, isStopped);
    assert.deepEqual(text(host), ['one', 'two', 'last']);
  });

  test('is taken up by the next worker where the last one left it', async () => {
    await using host = await machine();
    const spec = sandbox([{ name: 'app', log }]);
    await host.run(spec);
    await host.until(spec, isRunning);
    host.engine.print(`${spec.id}-app`, 'one');
    await host.eventually('one line', () => host.lines.length === 1);
    await host.stop();
    host.engine.print(`${spec.id}-app`, 'two');
    await host.start();
    await host.eventually('two lines', () => host.lines.length === 2);
    assert.deepEqual(text(host), ['one', 'two']);
  });

  test('waits for a sink that fails', async () => {
    await using host = await machine();
    const spec = sandbox([{ name: 'app', log }]);
    await host.run(spec);
    await host.until(spec, isRunning);
    host.failures.set('write', { kind: 'Unavailable', message: 'away' });
    host.engine.print(`${spec.id}-app`, 'one');
    await host.eventually('a first attempt', () => host.engine.log.length > 0);
    host.failures.clear();
    await host.eventually('one line', () => host.lines.length === 1);
    assert.deepEqual(text(host), ['one']);
  });
});

test('the nodes are there while their worker lives', async () => {
  await using host = await machine();
  const [node] = await host.records.nodes.list();
  assert.equal(node?.id, 'n1');
  assert.ok((await host.store.get('node/nodes/n1'))?.leaseId);
});

const check = { command: ['CMD', 'true'], intervalMs: 1000, timeoutMs: 1000, retries: 3, startPeriodMs: 0 };
