import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { events, leases, nodes, pods, runtimeClasses } from '../resources.ts';
import { FakeNode, image, node } from './fakes/node.ts';
import { endedClusterRecords } from './kubelets.ts';

const isRunning = ({ phase }: { readonly phase?: string }) => phase === 'Running';

test('a pod is brought to running, and told of as kubectl shows it', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({});
  const status = await machine.until(isRunning);
  assert.equal(status.podIP, '10.0.0.9');
  assert.equal(status.hostIP, '10.0.0.5');
  assert.equal(status.qosClass, 'BestEffort');
  assert.deepEqual(
    status.conditions?.map(({ type, status }) => `${type}=${status}`),
    ['PodReadyToStartContainers=True', 'Initialized=True', 'Ready=True', 'ContainersReady=True'],
  );
  const [web] = status.containerStatuses!;
  assert.equal(web!.ready, true);
  assert.equal(web!.started, true);
  assert.match(web!.containerID!, /^dabba:\/\/id-/);
  assert.match(web!.imageID, /^registry\.test\/app@sha256:/);
  await machine.untilTrue('events are written', () => machine.client.all(events).length >= 3);
});

test('the node registers with what it is and has, and gives signs of life', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.untilTrue('a node', () => machine.client.all(nodes)[0]?.status?.conditions !== undefined);
  const [registered] = machine.client.all(nodes);
  assert.equal(registered!.metadata?.labels?.['topology.kubernetes.io/zone'], 'ra');
  assert.equal(registered!.metadata?.labels?.['pool'], 'a');
  assert.equal(registered!.spec?.providerID, node.providerId);
  assert.equal(registered!.status?.capacity?.['cpu'], '2');
  assert.equal(registered!.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  await machine.untilTrue('a lease', () => machine.client.all(leases).length === 1);
});

test('a deleted pod is ended with its grace, released, and then gone', async () => {
  await using machine = new FakeNode();
  await machine.start();
  const pod = await machine.run({ terminationGracePeriodSeconds: 7 });
  await machine.until(isRunning);
  const run = machine.runOf('web');
  await machine.client.delete(pods, { namespace: 'default', name: 'p' });
  await machine.untilGone();
  assert.ok(machine.engine.log.includes(`stop ${run} 7000`), machine.engine.log.join('\n'));
  await machine.untilTrue('nothing is left', () => machine.interfaces.size === 1 && machine.assigned.size === 0);
  assert.deepEqual(machine.engine.names(), []);
  assert.ok(![...machine.cgroups].some((path) => path.includes(pod.metadata!.uid!)));
});

test('a container that crashes is run again: at once, then after pauses that grow', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({});
  await machine.until(isRunning);
  machine.engine.exit(machine.runOf('web', 0), 3);
  const again = await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.restartCount === 1);
  assert.equal(again.containerStatuses![0]!.lastState?.terminated?.exitCode, 3);
  assert.equal(again.containerStatuses![0]!.lastState?.terminated?.reason, 'Error');
  machine.engine.exit(machine.runOf('web', 1), 3);
  const waiting = await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.state?.waiting !== undefined);
  const { reason, message } = waiting.containerStatuses![0]!.state!.waiting!;
  assert.equal(reason, 'CrashLoopBackOff');
  assert.match(message!, /^back-off 10s restarting failed container=web pod=p_default\(/);
  assert.equal(waiting.phase, 'Running');
  machine.clock.advance(10_000);
  await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.restartCount === 2);
  machine.engine.exit(machine.runOf('web', 2), 3);
  await machine.until(({ containerStatuses }) =>
    /back-off 20s/.test(containerStatuses?.[0]?.state?.waiting?.message ?? ''),
  );
  await machine.untilTrue('of the runs two are kept', () => machine.engine.names().length === 2);
});

test('init containers run one after the other, and the pod waits for them', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({
    initContainers: [
      { name: 'one', image },
      { name: 'two', image },
    ],
  });
  await machine.untilLogged(`start ${machine.runOf('one')}`);
  const waiting = await machine.until(({ containerStatuses }) => containerStatuses?.length === 1);
  assert.equal(waiting.containerStatuses![0]!.state?.waiting?.reason, 'PodInitializing');
  assert.ok(!machine.engine.names().includes(machine.runOf('two')));
  machine.engine.exit(machine.runOf('one'), 0);
  await machine.untilLogged(`start ${machine.runOf('two')}`);
  machine.engine.exit(machine.runOf('two'), 0);
  const status = await machine.until(isRunning);
  assert.deepEqual(
    status.initContainerStatuses?.map(({ ready, state }) => [ready, state?.terminated?.reason]),
    [
      [true, 'Completed'],
      [true, 'Completed'],
    ],
  );
});

test('a pod that is not restarted ends as its containers did', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ restartPolicy: 'Never' });
  await machine.run({ restartPolicy: 'OnFailure' }, { name: 'q' });
  await machine.until(isRunning);
  await machine.until(isRunning, 'q');
  machine.engine.exit(machine.runOf('web'), 2);
  machine.engine.exit(machine.runOf('web', 0, 'q'), 0);
  const failed = await machine.until(({ phase }) => phase === 'Failed');
  assert.equal(failed.podIP, '10.0.0.9', 'its address is still told');
  const done = await machine.until(({ phase }) => phase === 'Succeeded', 'q');
  assert.equal(done.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodCompleted');
  await machine.untilTrue('their addresses are given back', () => machine.assigned.size === 0);
  assert.equal(machine.engine.names().length, 2, 'their logs can be read');
});

test('sidecars start first, and end when the work is done', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({
    restartPolicy: 'Never',
    initContainers: [{ name: 'proxy', image, restartPolicy: 'Always' }],
  });
  await machine.until(isRunning);
  const starts = machine.engine.log.filter((line) => line.startsWith('start'));
  assert.deepEqual(starts, [`start ${machine.runOf('proxy')}`, `start ${machine.runOf('web')}`]);
  machine.engine.exit(machine.runOf('web'), 0);
  await machine.until(({ phase }) => phase === 'Succeeded');
  assert.ok(machine.engine.log.some((line) => line.startsWith(`stop ${machine.runOf('proxy')}`)));
});

test('the next kubelet finds the pods again and restarts nothing', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers: [{ name: 'web', image, readinessProbe: { exec: { command: ['ok'] } } }] });
  await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.ready === true);
  await machine.stop();
  const before = machine.engine.log.length;
  const { resourceVersion } = machine.pod()!.metadata!;
  machine.engine.commands.set('ok', { exitCode: 1, output: 'no' });
  await machine.start();
  await machine.untilTrue('it is probed again', () =>
    machine.engine.log.slice(before).some((line) => line.startsWith('exec')),
  );
  assert.equal(machine.pod()!.metadata!.resourceVersion, resourceVersion, 'nothing was written');
  assert.ok(!machine.engine.log.slice(before).some((line) => /^(create|start|stop)/.test(line)));
});

test('a pod deleted while no kubelet looked leaves nothing', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({});
  await machine.until(isRunning);
  await machine.stop();
  await machine.client.delete(pods, { namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 });
  await machine.start();
  await machine.untilTrue('nothing is left', () => machine.engine.names().length === 0 && machine.assigned.size === 0);
});

test('with its record a node loses everything', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({});
  await machine.until(isRunning);
  await machine.removeNode();
  await machine.untilTrue(
    'nothing is left',
    () => machine.engine.names().length === 0 && machine.interfaces.size === 0,
  );
  await machine.untilTrue('no cgroup', () => machine.cgroups.size === 0);
  await machine.untilTrue('no address', () => machine.assigned.size === 0);
  await machine.untilTrue('no folder', () => !existsSync(join(machine.directory, 'state/i-1')));
});

test('volumes outlive the nodes of their cluster, and go with the cluster once the last node is gone', async () => {
  await using machine = new FakeNode();
  await machine.start();
  const state = join(machine.directory, 'state');
  await machine.addNode({ id: 'i-2', nodeName: 'other', cluster: { ...node.cluster, id: 'c-2' } });
  const here = (path: string) => existsSync(join(state, path));
  for (const id of ['i-1', 'i-2']) await machine.untilTrue('its places', () => here(`${id}/root/etc/hostname`));
  const ended = endedClusterRecords(machine.store);
  await ended.create('c-1', { tenant: 't' });
  await machine.removeNode('i-2');
  await machine.untilTrue('one node is gone', () => !here('i-2'));
  assert.ok(['.storage/c-1', '.blocks/c-1', '.storage/c-2', '.blocks/c-2'].every(here));
  await machine.removeNode('i-1');
  await ended.create('c-2', { tenant: 't' });
  for (const cluster of ['c-1', 'c-2'])
    await machine.untilTrue('its volumes are gone', () => !here(`.storage/${cluster}`) && !here(`.blocks/${cluster}`));
  await ended.create('c-3', { tenant: 't' });
  for (const id of ['c-1', 'c-2', 'c-3']) while (await ended.get(id)) await nextTurn();
});

test('a liveness probe that fails too often has the container restarted', async () => {
  await using machine = new FakeNode();
  await machine.start();
  const livenessProbe = { exec: { command: ['alive'] }, periodSeconds: 1, failureThreshold: 1 };
  await machine.run({ containers: [{ name: 'web', image, livenessProbe }] });
  await machine.until(isRunning);
  machine.engine.commands.set('alive', { exitCode: 1, output: 'dead' });
  machine.clock.advance(1_000);
  await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.restartCount === 1);
  await machine.untilTrue('told', () =>
    machine.engine.log.some((line) => line.startsWith(`stop ${machine.runOf('web')}`)),
  );
});

test('an image that cannot be had is asked for again', async () => {
  await using machine = new FakeNode();
  await machine.start();
  machine.engine.failures.set('pull registry.test/none:1', { kind: 'NotFound', message: 'no such image' });
  await machine.run({ containers: [{ name: 'web', image: 'registry.test/none:1' }] });
  const refused = await machine.until(
    ({ containerStatuses }) => containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImagePull',
  );
  assert.equal(refused.phase, 'Pending');
  machine.clock.advance(5_000);
  await machine.until(({ containerStatuses }) => containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff');
  machine.engine.failures.clear();
  machine.clock.advance(5_000);
  await machine.until(isRunning);
});

test('a runtime that is not here is said to be missing, and the one that is runs', async () => {
  await using machine = new FakeNode();
  for (const handler of ['runc', 'kata'])
    await machine.client.create(runtimeClasses, { metadata: { name: `by-${handler}` }, handler });
  await machine.start();
  await machine.run({ runtimeClassName: 'by-runc' });
  await machine.until(isRunning);
  await machine.run({ runtimeClassName: 'by-kata' }, { name: 'q' });
  await machine.untilTrue('told', () =>
    machine.client
      .all(events)
      .some(({ message }) => message === 'Failed to create pod sandbox: no runtime for "kata" is configured'),
  );
  assert.equal(machine.pod('q')!.status?.phase, 'Pending');
});

test('a node refuses what it has no room for', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ containers: [{ name: 'web', image, resources: { requests: { cpu: '3' } } }] });
  const { reason, phase } = await machine.until(({ reason }) => reason !== undefined);
  assert.deepEqual([phase, reason], ['Failed', 'OutOfcpu']);
});

test('labels that a node was given in the cluster count, however late it hears of them', async () => {
  await using machine = new FakeNode();
  await machine.client.create(nodes, { metadata: { name: node.nodeName, labels: { rack: '7' } } });
  const heard = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  let isHeard = false;
  const { informers } = machine;
  machine.informers = {
    of(type, options) {
      const copy = informers.of(type, options);
      if (type.resource !== nodes.resource) return copy;
      return {
        get(key) {
          asked.resolve();
          return isHeard ? copy.get(key) : undefined;
        },
        list: (namespace) => copy.list(namespace),
        by: (index, value) => copy.by(index, value),
        async synced() {
          asked.resolve();
          await heard.promise;
        },
        onChange: (handler) => copy.onChange(handler),
      };
    },
  };
  await machine.run({ nodeSelector: { rack: '7' } });
  await machine.start();
  await asked.promise;
  isHeard = true;
  heard.resolve();
  await machine.until(isRunning);
});

test('the room of a pod whose object is gone is free, though its processes are still ending; that of one that is ending is not', async () => {
  await using machine = new FakeNode();
  await machine.start();
  const wanting = (cpu: string) => ({ containers: [{ name: 'web', image, resources: { requests: { cpu } } }] });
  await machine.run(wanting('1500m'));
  await machine.until(isRunning);
  machine.engine.stops.set(machine.runOf('web'), Promise.withResolvers());
  await machine.client.delete(pods, { namespace: 'default', name: 'p' });
  await machine.untilLogged(`stop ${machine.runOf('web')} 30000`);
  await machine.run(wanting('1'), { name: 'early' });
  assert.equal((await machine.until(({ phase }) => phase === 'Failed', 'early')).reason, 'OutOfcpu');
  await machine.client.delete(pods, { namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 });
  await machine.run(wanting('1'), { name: 'late' });
  await machine.until(isRunning, 'late');
});

test('how a pod ended is told once, and not forgotten', async () => {
  await using machine = new FakeNode();
  await machine.start();
  await machine.run({ activeDeadlineSeconds: 5 });
  await machine.until(isRunning);
  machine.clock.advance(5_000);
  const { reason } = await machine.until(({ phase }) => phase === 'Failed');
  assert.equal(reason, 'DeadlineExceeded');
  await machine.stop();
  const { resourceVersion } = machine.pod()!.metadata!;
  await machine.start();
  await machine.untilTrue('the node is back', () => machine.client.all(leases).length === 1);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(machine.pod()!.metadata!.resourceVersion, resourceVersion);
});

test('a pod taken up again keeps the note of its interface', async () => {
  await using machine = new FakeNode();
  await machine.start();
  const { metadata } = await machine.run({});
  await machine.until(isRunning);
  await machine.stop();
  await machine.start();
  await machine.untilTrue('the node is back', () => machine.client.all(leases).length === 1);
  await machine.stop();
  await machine.client.delete(pods, { namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 });
  await machine.start();
  await machine.untilTrue('its interface is gone', () => !machine.interfaces.has(`eni-${metadata!.uid}`));
});
