import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerCreate, Engine } from '#engine';
import { endCleanly, engineAt, forever, importBusybox, leftovers, makeHome, outputOf, start } from './engine.ts';

const home = makeHome();
let engine: Engine = engineAt(home);

before(async () => {
  await engine.start();
  await importBusybox(engine);
  await engine.stop();
});

after(async () => assert.deepEqual(await endCleanly(engine, home), [], 'nothing is left behind'));

// Moments within the start of the last container, which takes some 60 ms: record, mount, conmon, runc create, runc start, running.
const moments = [0, 5, 20, 40, 60, 90].map((delayMs) => ({ delayMs, kind: 'a', more: {} }));
const range = { inside: 0, outside: 900_000, count: 65_536 };
const mapped: Partial<ContainerCreate> = {
  namespaces: { user: { users: [range], groups: [range] } },
  mounts: [{ kind: 'volume', name: 'lasting', target: '/v' }],
};
const mappedMoments = [3, 10, 15, 30, 50].map((delayMs) => ({ delayMs, kind: 'a mapped', more: mapped }));
for (const { delayMs, kind, more } of [...moments, ...mappedMoments])
  test(`a process killed ${delayMs} ms into ${kind} start stops no container and loses nothing`, async () => {
    const args = [
      join(import.meta.dirname, 'runtime-victim.ts'),
      JSON.stringify(home),
      String(delayMs),
      JSON.stringify(more),
    ];
    const victim = spawn(process.execPath, args, { stdio: 'inherit' });
    assert.deepEqual(await once(victim, 'exit'), [null, 'SIGKILL']);

    engine = engineAt(home);
    await engine.start();
    const { containers } = engine;
    const counting = (await containers.find('counting'))!;
    assert.equal(counting.state.status, 'running', 'it ran on');
    const all = outputOf(engine, 'counting', { follow: true });
    const stop = await containers.exec('counting', { args: ['touch', '/tmp/stop'], stdin: false });
    assert.deepEqual(await stop.wait(forever), { exitCode: 0 });
    assert.deepEqual(await containers.wait('counting', 'not-running', forever), { exitCode: 42 });
    const counted = (await all).stdout.trim().split('\n').map(Number);
    assert.deepEqual(
      counted,
      counted.map((_, index) => index + 1),
      'no line is missing',
    );
    assert.deepEqual(await containers.wait('brief', 'not-running', forever), { exitCode: 5 });
    assert.equal((await outputOf(engine, 'brief')).stdout, 'bye\n');
    await containers
      .wait('passing', 'removed', forever)
      .catch((error: unknown) => assert.match(String(error), /No such container/));
    assert.equal(await containers.find('passing'), undefined, 'it was to be removed on exit');
    await containers.wait('returning', 'next-exit', forever);
    assert.ok((await containers.find('returning'))!.restartCount > 0, 'its restart policy goes on');

    const half = (await containers.find('half'))!;
    if (half.state.status !== 'running') await containers.start('half');
    const exec = await containers.exec('half', { args: ['true'], stdin: false });
    assert.deepEqual(await exec.wait(forever), { exitCode: 0 });
    for (const { id } of await containers.list()) await containers.remove(id, { force: true });
    await engine.stop();
  });

test('destroy without a start ends what a dead engine left, and a restart policy outlives it', async () => {
  engine = engineAt(home);
  await engine.start();
  await start(engine, ['sleep', '1000'], { name: 'kept', restartPolicy: { name: 'unless-stopped' } });
  await engine.stop();
  assert.ok(leftovers(home).length > 0, 'it runs on');

  await engineAt(home).destroy();
  assert.deepEqual(leftovers(home), []);

  engine = engineAt(home);
  await engine.start();
  assert.equal((await engine.containers.find('kept'))!.state.status, 'running', 'its policy wants it');
});

test('destroy in the middle of a start leaves nothing', async () => {
  const events = engine.events(forever)[Symbol.asyncIterator]();
  const starting = start(engine, ['sleep', '1000'], { name: 'late' }).catch((error: unknown) => error);
  assert.equal((await events.next()).value?.action, 'create');
  await engine.destroy();
  await starting;
  assert.deepEqual(leftovers(home), []);
  engine = engineAt(home);
  await engine.start();
});

test('a container that was to be removed on exit is removed, if death came between its end and its removal', async () => {
  const { id } = await engine.containers.create({
    image: 'busybox',
    network: { mode: 'none' },
    isRemovedOnExit: true,
  });
  await engine.stop();
  const ended = {
    phase: 'exited',
    runs: 1,
    restartCount: 0,
    isStoppedByHand: false,
    isOutOfMemory: false,
    exitCode: 6,
  };
  writeFileSync(join(home.directory, 'containers', id, 'state.json'), JSON.stringify(ended));
  engine = engineAt(home);
  await engine.start();
  assert.equal(await engine.containers.find(id), undefined);
});
