import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

/** What the docker client's reference (docs.docker.com/reference/cli/docker) promises of its commands, against the daemon. */

let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
  await docker('pull', '-q', image);
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const docker = async (...args: string[]) => await dabba.docker(...args);
const statusOf = async (...args: string[]) => (await dabba.client('docker', args)).status;

test('exit codes of run: 125 of the daemon, 126 not executable, 127 not found, else the command’s own', async () => {
  assert.equal(await statusOf('run', '--rm', '--foo', image), 125);
  assert.equal(await statusOf('run', '--rm', '--network', 'nowhere', image, 'true'), 125);
  assert.equal(await statusOf('run', '--rm', image, '/etc'), 126);
  assert.equal(await statusOf('run', '--rm', image, 'no-such-command'), 127);
  assert.equal(await statusOf('run', '--rm', image, 'sh', '-c', 'exit 3'), 3);
});

test('exit codes of exec are the command’s, 126 and 127 too', async () => {
  await docker('run', '-d', '--name', 'host', image, 'sleep', '1000');
  assert.equal(await statusOf('exec', 'host', 'sh', '-c', 'exit 4'), 4);
  assert.equal(await statusOf('exec', 'host', '/etc'), 126);
  assert.equal(await statusOf('exec', 'host', 'no-such-command'), 127);
  assert.equal(await statusOf('exec', 'nobody', 'true'), 1);
  await docker('pause', 'host');
  assert.equal(await statusOf('exec', 'host', 'true'), 1);
  await docker('rm', '-f', 'host');
});

test('run --cidfile writes the id, and refuses a file that is there; --env-file and --label-file are read', async () => {
  const cid = join(dabba.work, 'cid');
  const env = dabba.file('env', '# a comment\nA=1\nB=two words\nHOME_OF_CLIENT\n');
  const label = dabba.file('label', 'one=1\ntwo=\n');
  const run = ['run', '--cidfile', cid, '--env-file', env, '--label-file', label, '--name', 'filed', image, 'env'];
  const printed = await docker(...run);
  assert.match(printed, /^A=1$/m);
  assert.match(printed, /^B=two words$/m);
  assert.equal(readFileSync(cid, 'utf8'), await docker('inspect', 'filed', '-f', '{{.Id}}'));
  assert.equal(await docker('inspect', 'filed', '-f', '{{json .Config.Labels}}'), '{"one":"1","two":""}');
  await dabba.refused(/container ID file found/i, 'docker', ['run', '--cidfile', cid, image, 'true']);
  assert.ok(existsSync(cid));
  await docker('rm', 'filed');
});

test('ps: filters, formats, sizes, the last and the latest', async () => {
  await docker('run', '-d', '--name', 'p1', '--label', 'of=ps', '-p', '127.0.0.1::80', image, 'sleep', '1000');
  assert.equal(await statusOf('run', '--name', 'p2', '--label', 'of=ps', image, 'sh', '-c', 'exit 2'), 2);
  const names = async (...filters: string[]) =>
    (await docker('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((each) => ['-f', each])))
      .split('\n')
      .filter(Boolean)
      .toSorted();
  assert.deepEqual(await names('label=of=ps'), ['p1', 'p2']);
  assert.deepEqual(await names('label=of=ps', 'status=exited'), ['p2']);
  assert.deepEqual(await names('label=of', 'exited=2'), ['p2']);
  assert.deepEqual(await names('name=^/p1$'), ['p1']);
  assert.deepEqual(await names('label=of=ps', 'since=p1'), ['p2']);
  assert.deepEqual(await names('label=of=ps', 'before=p2'), ['p1']);
  assert.deepEqual(await names('label=of=ps', `ancestor=${image}`, 'expose=80'), ['p1']);
  const published = (await docker('port', 'p1', '80')).replace(/^.*:/, '');
  assert.deepEqual(await names(`publish=${published}`), ['p1']);
  assert.deepEqual(await names('label=of=ps', 'health=none', 'network=bridge', 'is-task=false'), ['p1', 'p2']);
  assert.deepEqual(await names('volume=/nowhere'), []);
  await dabba.refused('invalid filter', 'docker', ['ps', '-f', 'odd=1']);
  assert.equal(await docker('ps', '-l', '-a', '--format', '{{.Names}}'), 'p2');
  const [row] = (await docker('ps', '-as', '-n', '1', '--no-trunc', '--format', '{{json .}}')).split('\n');
  const shown = JSON.parse(row!) as { Names: string; ID: string; Size: string; State: string };
  assert.deepEqual([shown.Names, shown.ID.length, shown.State], ['p2', 64, 'exited']);
  assert.match(shown.Size, /virtual/);
  await docker('rm', '-f', 'p1', 'p2');
});

test('events: since and until, every filter, the format', async () => {
  const since = Math.floor(Date.now() / 1000);
  await docker('run', '--rm', '--name', 'seen', '--label', 'watch=me', image, 'true');
  await docker('volume', 'create', 'seen-volume');
  await docker('volume', 'rm', 'seen-volume');
  const seen = async (...filters: string[]) =>
    (
      await docker(
        'events',
        '--since',
        `${since}`,
        '--until',
        `${Math.floor(Date.now() / 1000) + 1}`,
        '--format',
        '{{.Type}} {{.Action}}',
        ...filters.flatMap((each) => ['-f', each]),
      )
    ).split('\n');
  const life = ['create', 'start', 'die', 'destroy'].map((action) => `container ${action}`);
  assert.deepEqual(await seen('label=watch=me', 'type=container'), [
    'container create',
    'container attach',
    'container start',
    'container die',
    'container destroy',
  ]);
  assert.deepEqual(await seen('container=seen', 'event=create', 'event=start', 'event=die', 'event=destroy'), life);
  assert.deepEqual(await seen('volume=seen-volume'), ['volume create', 'volume destroy']);
  assert.ok((await seen('network=bridge')).every((line) => /^network (dis)?connect$/.test(line)));
  assert.deepEqual(await seen(`image=${image}`, 'label=watch=me', 'event=die'), ['container die']);
});

test('detach keys leave a container that runs on, whatever they are', async () => {
  await docker('run', '-dit', '--name', 'kept', image, 'sh');
  const child = spawn('script', ['-qec', 'docker attach --detach-keys=ctrl-x,q kept', '/dev/null'], {
    env: { ...process.env, DOCKER_HOST: `unix://${join(dabba.data, 'docker.sock')}` },
  });
  let said = '';
  child.stdout.on('data', (data: Buffer) => (said += data.toString()));
  child.stdin.write('echo attached-$((1+1))\n');
  await eventually('the echo', 5_000, async () => said.includes('attached-2'));
  child.stdin.write('\u0018q');
  await once(child, 'exit');
  assert.equal(await docker('inspect', 'kept', '-f', '{{.State.Running}}'), 'true');
  await docker('rm', '-f', 'kept');
});

test('wait, kill, stop, restart and rm keep their promises', async () => {
  const id = await docker(
    'run',
    '-d',
    '--name',
    'ww',
    '--stop-signal',
    'USR1',
    image,
    'sh',
    '-c',
    'trap "exit 9" USR1; while :; do sleep 0.1; done',
  );
  const waiting = docker('wait', 'ww');
  await docker('stop', '-t', '5', 'ww');
  assert.equal(await waiting, '9');
  assert.equal(await docker('restart', 'ww'), 'ww');
  assert.equal(await docker('kill', '-s', 'USR1', 'ww'), 'ww');
  assert.equal(await docker('wait', 'ww'), '9');
  await dabba.refused('is not running', 'docker', ['kill', 'ww']);
  assert.equal(await docker('stop', 'ww'), 'ww', 'what is stopped stops');
  assert.equal(await docker('rm', '-v', id.slice(0, 8)), id.slice(0, 8));
  await dabba.refused('No such container', 'docker', ['rm', 'ww']);
  assert.equal(await statusOf('rm', '-f', 'ww'), 0, 'by force, what is not there is gone');
});

test('diff, logs, port, top and inspect print what they document', async () => {
  await docker(
    'run',
    '-d',
    '--name',
    'dd',
    '-p',
    '127.0.0.1::80/tcp',
    image,
    'sh',
    '-c',
    'echo one; mkdir /new && touch /new/f && rm /bin/wc; sleep 1000',
  );
  await eventually('its changes', 5_000, async () => (await docker('diff', 'dd')).split('\n').length >= 4);
  assert.deepEqual((await docker('diff', 'dd')).split('\n').toSorted(), ['A /new', 'A /new/f', 'C /bin', 'D /bin/wc']);
  assert.match(await docker('logs', '-t', '--details', '--since', '10m', '-n', 'all', 'dd'), /^\d{4}-.*Z {1,2}one$/);
  assert.equal(await docker('logs', '--until', '2001-01-01T00:00:00', 'dd'), '');
  assert.match(await docker('port', 'dd', '80/tcp'), /^127\.0\.0\.1:\d+$/);
  assert.match(await docker('top', 'dd', '-o', 'pid,args'), /PID\s+COMMAND\n\s*\d+\s+s/);
  assert.equal(
    await docker('inspect', '--type', 'container', '-f', '{{json .Config.Cmd}}', 'dd').then(
      (text) => (JSON.parse(text) as string[])[0],
    ),
    'sh',
  );
  await dabba.refused(/no such/i, 'docker', ['inspect', '--type', 'volume', 'dd']);
  assert.match(await docker('inspect', '-s', '-f', '{{.SizeRw}} {{.SizeRootFs}}', 'dd'), /^\d+ \d+$/);
  await docker('rm', '-f', 'dd');
});

test('an init process reaps what others leave, where the machine has one', async () => {
  const outcome = await dabba.client('docker', ['run', '--rm', '--init', image, 'ps', '-o', 'pid,comm']);
  if (outcome.status === 0) assert.match(outcome.stdout, /^\s*1 (docker-init|tini|catatonit)/m);
  else assert.match(outcome.stderr, /no init process for --init on this machine: install/);
});
