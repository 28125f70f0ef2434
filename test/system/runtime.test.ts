import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDabbaError, systemClock, systemRandom } from '#base';
import { listMounts } from '#kernel';
import { EventHub } from '../../src/engine/events.ts';
import { VolumeSet } from '../../src/engine/volume/volumes.ts';
import {
  commandOf,
  endCleanly,
  engineAt,
  forever,
  image,
  importBusybox,
  makeHome,
  outputOf,
  runToEnd,
  start,
} from './engine.ts';

const home = makeHome();
const engine = engineAt(home);
const { signal } = new AbortController();

before(async () => {
  await engine.start();
  await importBusybox(engine);
});

after(async () => assert.deepEqual(await endCleanly(engine, home), [], 'nothing is left behind'));

test('output, exit code and times are recorded', async () => {
  const { exitCode, stdout, stderr, state } = await runToEnd(engine, 'echo out; echo err >&2; printf half; exit 3');
  assert.deepEqual({ exitCode, stdout, stderr }, { exitCode: 3, stdout: 'out\nhalf', stderr: 'err\n' });
  assert.equal(state.status, 'exited');
  assert.ok(state.startedAt! <= state.finishedAt!);
});

test('a process gets the image joined with the request', async () => {
  const { stdout } = await runToEnd(engine, 'id; pwd; echo $HOME $FROM_IMAGE $MORE $(hostname); cat /etc/hostname', {
    user: 'web',
    workingDirectory: '/made/on/start',
    environment: ['MORE=2'],
    hostname: 'inside',
  });
  assert.deepEqual(stdout.split('\n'), [
    'uid=1000(web) gid=1000(web) groups=50(staff),1000(web)',
    '/made/on/start',
    '/home/web 1 2 inside',
    'inside',
    '',
  ]);
});

test('the default confinement holds', async () => {
  const { stdout, exitCode } = await runToEnd(
    engine,
    'grep -E "^(Seccomp|CapEff):" /proc/self/status; unshare -m true 2>/dev/null; echo unshare $?; cat /proc/kcore | head -c1 | wc -c; echo 1 2>/dev/null >/proc/sys/kernel/panic || echo read-only; ls /dev | wc -l',
  );
  assert.equal(exitCode, 0);
  const lines = stdout.split('\n');
  assert.deepEqual(lines.slice(0, 5), ['CapEff:\t00000000a80425fb', 'Seccomp:\t2', 'unshare 1', '0', 'read-only']);
});

test('a privileged container has every capability of the machine and no filter', async () => {
  const { stdout } = await runToEnd(engine, 'grep Seccomp: /proc/self/status; unshare -m true; echo $?', {
    isPrivileged: true,
  });
  assert.match(stdout, /^Seccomp:\t0\n0\n$/);
});

test('a program that is not there, or cannot be executed, is said in Docker’s words', async () => {
  for (const [command, exitCode, words] of [
    ['nosuch', 127, /exec: "nosuch": executable file not found in \$PATH/],
    ['/etc/passwd', 126, /exec: "\/etc\/passwd": permission denied/],
  ] as const) {
    const { id } = await engine.containers.create({ image, command: [command], network: { mode: 'none' } });
    await assert.rejects(engine.containers.start(id), (error: Error) => words.test(error.message));
    const { state } = (await engine.containers.find(id))!;
    assert.equal(state.status, 'created');
    assert.equal(state.exitCode, exitCode);
  }
});

test('memory and process limits are kept, and told', async () => {
  const hungry = await runToEnd(engine, 'x=$(head -c 100000000 /dev/zero | tr "\\0" a); echo ${#x}', {
    resources: { memoryBytes: 20 << 20, memorySwapBytes: 20 << 20 },
  });
  assert.equal(hungry.exitCode, 137);
  assert.ok(hungry.state.isOutOfMemory);
  const forking = await runToEnd(engine, 'for i in 1 2 3 4 5 6 7 8; do sleep 9 & done', {
    resources: { pidsLimit: 5 },
  });
  assert.match(forking.stderr, /can't fork/);
});

test('what the machine cannot grant is lowered and told', async () => {
  const ulimits = [{ name: 'nofile', soft: 1000, hard: -1 }];
  const { id, stdout } = await runToEnd(engine, 'ulimit -n', { ulimits, oomScoreAdj: -900 });
  assert.equal(stdout, '1000\n');
  const held = BigInt(`0x${/CapEff:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
  const sysResource = 24n;
  const expected = (held >> sysResource) & 1n ? 0 : 2;
  assert.equal((await engine.containers.find(id))!.warnings.length, expected);
});

test('volumes keep what containers write, and start with what the image has', async () => {
  const mounts = [{ kind: 'volume', name: 'kept', target: '/data' }] as const;
  const first = await runToEnd(engine, 'cat /data/seed; echo more > /data/more', { mounts });
  assert.equal(first.stdout, 'seeded\n');
  const second = await runToEnd(engine, 'cat /data/more; echo x > /data/x', {
    mounts: [{ ...mounts[0], isReadOnly: true }],
  });
  assert.match(second.stderr, /Read-only file system/);
  assert.equal(second.stdout, 'more\n');
});

test('a volume stays mounted for a container that starts while the last that used it lets go', async () => {
  const directory = join(home.directory, 'opened-volumes');
  const events = new EventHub(systemClock);
  const volumes = new VolumeSet({ directory, events, clock: systemClock, random: systemRandom });
  const options = { type: 'tmpfs', device: 'tmpfs' };
  const volume = await volumes.create({ name: 'memory', options });
  const isMounted = () => listMounts().some(({ target }) => target === volume.path);
  volumes.open(volume);
  const ended = volumes.close(volume.name, 'ending');
  volumes.askForUsers(() => [{ id: 'starting', isRunning: true }]);
  volumes.open(volume);
  await ended;
  assert.ok(isMounted());
  await volumes.close(volume.name, 'starting');
  assert.ok(!isMounted());
});

test('tmpfs, bind and read-only root', async () => {
  const { stdout, stderr } = await runToEnd(engine, 'touch /t/x && echo written; touch /x; ls /b', {
    isReadOnlyRoot: true,
    mounts: [
      { kind: 'tmpfs', target: '/t', sizeBytes: 1 << 20 },
      { kind: 'bind', source: home.directory, target: '/b', isReadOnly: true },
    ],
  });
  assert.match(stdout, /^written\n/);
  assert.match(stdout, /containers/);
  assert.match(stderr, /Read-only file system/);
});

test('exec adds a process: streams, input, exit code, user', async () => {
  const { id } = await start(engine, ['sleep', '1000'], { environment: ['OF_CONTAINER=1'] });
  const exec = await engine.containers.exec(id, {
    args: ['sh', '-c', 'id -un; echo $OF_CONTAINER $OF_EXEC >&2; cat; exit 4'],
    environment: ['OF_EXEC=2'],
    user: 'web',
    stdin: true,
  });
  await exec.attachment.write(Buffer.from('typed\n'));
  await exec.attachment.closeInput();
  const output = { stdout: '', stderr: '' };
  for await (const { stream, data } of exec.attachment.output) output[stream] += data.toString();
  assert.deepEqual(output, { stdout: 'web\ntyped\n', stderr: '1 2\n' });
  assert.deepEqual(await exec.wait(signal), { exitCode: 4 });
  await assert.rejects(
    engine.containers.exec(id, { args: ['nosuch'], stdin: false }),
    /OCI runtime exec failed: .*"nosuch": executable file not found/,
  );
  await engine.containers.remove(id, { force: true });
  await assert.rejects(engine.containers.exec(id, { args: ['true'], stdin: false }), (error) =>
    isDabbaError(error, 'NotFound'),
  );
});

test('an exec ends with its process, whoever holds its pipes, and never blocks on a reader that left', async () => {
  const { id } = await start(engine, ['sleep', '1000']);
  const holding = await engine.containers.exec(id, { args: ['sh', '-c', 'sleep 999 & echo told'], stdin: false });
  let text = '';
  for await (const { data } of holding.attachment.output) text += data.toString();
  assert.equal(text, 'told\n');
  assert.deepEqual(await holding.wait(signal), { exitCode: 0 });

  const chatty = await engine.containers.exec(id, {
    args: ['sh', '-c', 'yes | head -c 3000000; exit 5'],
    stdin: false,
  });
  for await (const _ of chatty.attachment.output) break;
  await chatty.attachment[Symbol.asyncDispose]();
  assert.deepEqual(await chatty.wait(signal), { exitCode: 5 });

  const whole = await engine.containers.exec(id, { args: ['head', '-c', '3000000', '/dev/zero'], stdin: false });
  let bytes = 0;
  for await (const { data } of whole.attachment.output) bytes += data.length;
  assert.equal(bytes, 3_000_000);

  const quick = await engine.containers.exec(id, { args: ['echo', 'late'], stdin: false });
  assert.deepEqual(await quick.wait(signal), { exitCode: 0 });
  let late = '';
  for await (const { data } of quick.attachment.output) late += data.toString();
  assert.equal(late, 'late\n', 'what it wrote outlasts it');

  const killed = await engine.containers.exec(id, { args: ['sh', '-c', 'kill -TERM $$'], stdin: false });
  assert.deepEqual(await killed.wait(signal), { exitCode: 143 });
  await killed.attachment[Symbol.asyncDispose]();
  const detached = await engine.containers.exec(id, { args: ['sh', '-c', 'exit 6'], stdin: false, isDetached: true });
  assert.deepEqual(await detached.wait(signal), { exitCode: 6 });
  await detached.attachment[Symbol.asyncDispose]();
  await engine.containers.remove(id, { force: true });
});

test('exec with a terminal has a size', async () => {
  const { id } = await start(engine, ['sleep', '1000']);
  const exec = await engine.containers.exec(id, {
    args: ['sh', '-c', 'read x; stty size; exit 7'],
    stdin: true,
    isTty: true,
  });
  // Many at once, as from a window that is drawn larger: the last counts.
  await Promise.all(Array.from({ length: 20 }, (_, step) => exec.resize({ rows: 21 + step, columns: 113 + step })));
  await exec.attachment.write(Buffer.from('\n'));
  let text = '';
  for await (const { data } of exec.attachment.output) text += data.toString();
  assert.match(text, /40 132/);
  assert.deepEqual(await exec.wait(signal), { exitCode: 7 });
  await assert.rejects(exec.resize({ rows: 40, columns: 132 }), { kind: 'Conflict' });
  await engine.containers.resize(id, { rows: 40, columns: 132 }); // it has no terminal
  await engine.containers.remove(id, { force: true });
});

test('attach before the start sees every byte, and the end of input reaches the process', async () => {
  const create = { image, network: { mode: 'none' }, isStdinOpen: true, isStdinOnce: true } as const;
  const { id } = await engine.containers.create({ ...create, command: ['sh', '-c', 'echo first; wc -c'] });
  const attachment = await engine.containers.attach(id, { stdin: true, stdout: true, stderr: true });
  const ended = engine.containers.wait(id, 'next-exit', signal);
  await engine.containers.start(id);
  const sizeBytes = 300_000;
  await attachment.write(Buffer.alloc(sizeBytes, 'a'));
  await attachment.closeInput();
  let text = '';
  for await (const { data } of attachment.output) text += data.toString();
  assert.equal(text, `first\n${sizeBytes}\n`);
  assert.deepEqual(await ended, { exitCode: 0 });
});

test('logs: tail, positions, follow to the end', async () => {
  const { id } = await start(engine, ['sh', '-c', 'for i in 1 2 3; do echo line $i; done; read x; echo last'], {
    isStdinOpen: true,
  });
  const following = outputOf(engine, id, { follow: true });
  const attachment = await engine.containers.attach(id, { stdin: true, stdout: false, stderr: false });
  await attachment.write(Buffer.from('\n'));
  assert.equal((await following).stdout, 'line 1\nline 2\nline 3\nlast\n');
  assert.equal((await outputOf(engine, id, { tail: 2 })).stdout, 'line 3\nlast\n');
  const positions: number[] = [];
  const all = { stdout: true, stderr: true, follow: false, signal };
  for await (const { nextPosition } of engine.containers.logs(id, all)) positions.push(nextPosition);
  assert.equal((await outputOf(engine, id, { fromPosition: positions[1]! })).stdout, 'line 3\nlast\n');
});

test('stop is asked politely first and forced when the time is up', async () => {
  const polite = await start(engine, ['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done']);
  await firstOutput(polite.id);
  await engine.containers.stop(polite.id);
  assert.equal((await engine.containers.find(polite.id))!.state.exitCode, 9);
  const stubborn = await start(engine, ['sleep', '1000']);
  await engine.containers.stop(stubborn.id, { timeoutMs: 50 });
  assert.equal((await engine.containers.find(stubborn.id))!.state.exitCode, 137);
  await engine.containers.stop(stubborn.id);
  await assert.rejects(engine.containers.kill(stubborn.id, 'TERM'), /is not running/);
});

test('a restart policy brings a container back until it is stopped', async () => {
  const { id } = await start(engine, ['sh', '-c', 'exit 1'], {
    restartPolicy: { name: 'on-failure', maximumRetryCount: 2 },
  });
  const { exitCode } = await engine.containers.wait(id, 'not-running', signal);
  assert.equal(exitCode, 1);
  assert.equal((await engine.containers.find(id))!.restartCount, 2);
});

test('a container that is removed on exit is gone, with its anonymous volume', async () => {
  const { id } = await engine.containers.create({
    image,
    command: ['sh', '-c', 'exit 6'],
    network: { mode: 'none' },
    isRemovedOnExit: true,
    mounts: [{ kind: 'volume', name: '', target: '/v' }],
  });
  const removed = engine.containers.wait(id, 'removed', signal);
  await engine.containers.start(id);
  assert.deepEqual(await removed, { exitCode: 6 });
  assert.equal(await engine.containers.find(id), undefined);
});

test('names are unique, found by prefix, and may change', async () => {
  const { id } = await engine.containers.create({ image, name: 'one', network: { mode: 'none' } });
  await assert.rejects(engine.containers.create({ image, name: 'one', network: { mode: 'none' } }), (error) =>
    isDabbaError(error, 'AlreadyExists'),
  );
  await engine.containers.rename('one', 'two');
  assert.equal(await engine.containers.find('one'), undefined);
  assert.equal((await engine.containers.find('two'))!.id, id);
  assert.equal((await engine.containers.find(id.slice(0, 12)))!.id, id);
  await assert.rejects(engine.containers.create({ image: 'absent', network: { mode: 'none' } }), (error) =>
    isDabbaError(error, 'NotFound'),
  );
});

test('a link that is made while its container is renamed means it', async () => {
  const network = { mode: 'none' } as const;
  const linked = await engine.containers.create({ image, network, name: 'before' });
  const [linking] = await Promise.all([
    engine.containers.create({ image, network, links: [{ container: 'before', alias: 'db' }] }),
    engine.containers.rename(linked.id, 'after'),
  ]);
  const { create } = (await engine.containers.find(linking.id))!;
  assert.deepEqual(create.links, [{ container: 'after', alias: 'db' }]);
});

test('a container whose monitor is killed is ended and said so', async () => {
  const { id } = await start(engine, ['sleep', '1000']);
  const monitors = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`--cid=${id}`));
  assert.equal(monitors.length, 1);
  process.kill(Number(monitors[0]), 'SIGKILL');
  assert.deepEqual(await engine.containers.wait(id, 'not-running', signal), { exitCode: 255 });
  assert.match((await engine.containers.find(id))!.state.error!, /monitor/);
  await engine.containers.remove(id);
});

test('without an init program on the machine, asking for one is refused', async (context) => {
  const hasInit = ['docker-init', 'tini-static', 'catatonit'].some((name) => existsSync(join('/usr/bin', name)));
  if (hasInit) context.skip('one is installed');
  else await assert.rejects(start(engine, ['true'], { isInitEnabled: true }), /install tini-static .*or catatonit/);
});

test('top lists the processes inside', async () => {
  const { id } = await start(engine, ['sh', '-c', 'echo up; exec sleep 1234']);
  // A start is over a moment before the process has become its program.
  for await (const _ of engine.containers.logs(id, { stdout: true, stderr: true, follow: true, signal })) break;
  const { titles, processes } = await engine.containers.top(id, []);
  assert.equal(processes.length, 1);
  assert.match(processes[0]![titles.indexOf('CMD')]!, /sleep 1234$/);
  await engine.containers.remove(id, { force: true });
});

test('a health check turns healthy, then unhealthy', async () => {
  const healthCheck = { Test: ['CMD-SHELL', 'echo checked; test ! -e /sick'], Interval: 5e7, Retries: 2 };
  const abort = new AbortController();
  const events = engine.events(abort.signal)[Symbol.asyncIterator]();
  const { id } = await start(engine, ['sleep', '1000'], { healthCheck });
  await untilEvent(events, id, 'health_status: healthy');
  assert.equal((await engine.containers.find(id))!.state.health!.log.at(-1)!.output, 'checked\n');
  const exec = await engine.containers.exec(id, { args: ['touch', '/sick'], stdin: false });
  await exec.wait(signal);
  await exec.attachment[Symbol.asyncDispose]();
  await untilEvent(events, id, 'health_status: unhealthy');
  assert.ok((await engine.containers.find(id))!.state.health!.failingStreak >= 2);
  abort.abort();
  await engine.containers.remove(id, { force: true });
});

async function firstOutput(id: string): Promise<void> {
  for await (const _ of engine.containers.logs(id, { stdout: true, stderr: true, follow: true, signal: forever }))
    return;
}

async function untilEvent(
  events: AsyncIterator<{ readonly id: string; readonly action: string }>,
  id: string,
  action: string,
): Promise<void> {
  for (let next = await events.next(); !next.done; next = await events.next())
    if (next.value.id === id && next.value.action === action) return;
}
