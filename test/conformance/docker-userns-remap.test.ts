import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

/** A daemon that runs containers as subordinate ids of a user, as `dockerd --userns-remap` does. */

const base = 1_300_000;
const line = `nobody:${base}:65536\n`;
const files = ['/etc/subuid', '/etc/subgid'];
/** subgid(5) takes a user's name or number where its group has another name. */
const lines = [line, line.replace('nobody', 'nogroup')];

let dabba: Dabba;

before(async () => {
  for (const [index, file] of files.entries()) writeFileSync(file, lines[index]!, { flag: 'a' });
  dabba = await Dabba.withBusybox(['--userns-remap', 'nobody:nogroup']);
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
  for (const [index, file] of files.entries())
    writeFileSync(file, readFileSync(file, 'utf8').replace(lines[index]!, ''));
});

const docker = async (...args: string[]) => await dabba.docker(...args);
const uidOf = async (name: string) => statSync(`/proc/${await docker('inspect', name, '-f', '{{.State.Pid}}')}`).uid;

test('info says so', async () => {
  assert.match(await docker('info', '-f', '{{json .SecurityOptions}}'), /"name=userns"/);
});

test('containers are remapped unless they are to be in the machine’s user namespace', async () => {
  await docker(
    'run',
    '-d',
    '--name',
    'remapped',
    '-p',
    '80',
    '-v',
    'kept:/v',
    image,
    'httpd',
    '-f',
    '-p',
    '80',
    '-h',
    '/v',
  );
  await docker('run', '-d', '--name', 'plain', '--userns', 'host', '-v', 'kept:/v', image, 'sleep', '1000');
  assert.deepEqual([await uidOf('remapped'), await uidOf('plain')], [base, 0]);
  assert.equal(await docker('inspect', 'remapped', 'plain', '-f', '({{.HostConfig.UsernsMode}})'), '()\n(host)');
  await docker('exec', 'remapped', 'sh', '-c', 'echo hello >/v/index.html');
  const port = (await docker('port', 'remapped', '80')).split('\n')[0]!.split(':').at(-1)!;
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/index.html`)).text(), 'hello\n');
  assert.equal(await docker('exec', 'plain', 'stat', '-c', '%u', '/v/index.html'), '0');
  assert.match(await docker('exec', 'remapped', 'ip', 'route'), /^default via/m);
  assert.match(await docker('exec', 'remapped', 'ls', '/sys/class/net'), /eth0/);
  const gateway = await docker('network', 'inspect', 'bridge', '-f', '{{(index .IPAM.Config 0).Gateway}}');
  assert.match(await docker('exec', 'remapped', 'ping', '-c', '1', gateway), / 0% packet loss/);
  await docker('network', 'create', 'second');
  await docker('network', 'connect', 'second', 'remapped');
  assert.match(await docker('exec', 'remapped', 'ls', '/sys/class/net'), /eth1/);
  assert.match(await docker('stats', '--no-stream', 'remapped'), /remapped/);
  assert.equal(await docker('exec', '-t', 'remapped', 'sh', '-c', 'tty && id -u'), '/dev/pts/0\r\n0');
});

test('an image that is mounted is root’s in both', async () => {
  const mount = ['--mount', `type=image,source=${image},target=/x`];
  const part = ['--mount', `type=image,source=${image},target=/p,image-subpath=bin`];
  for (const where of ['', 'host']) {
    const remapped = ['run', '--rm', '--userns', where, ...mount, ...part, image];
    assert.equal(await docker(...remapped, 'stat', '-c', '%u %g', '/x/bin/busybox', '/p/busybox'), '0 0\n0 0');
  }
});

test('a program of root’s that a container leaves is out of reach of the machine’s users', async () => {
  await docker('exec', 'remapped', 'sh', '-c', 'cp /bin/busybox /v/id && chmod 4755 /v/id');
  const path = join(await docker('volume', 'inspect', 'kept', '-f', '{{.Mountpoint}}'), 'id');
  assert.deepEqual([lstatSync(path).uid, lstatSync(path).mode & 0o7777], [0, 0o4755]);
  chmodSync(dabba.work, 0o755); // the test's own does not hide it
  const outcome = spawnSync('test', ['-e', path], { uid: 65_534, gid: 65_534 });
  assert.equal(outcome.status, 1);
});

test('a restarted daemon adopts them, with the option remembered', async () => {
  const before = await docker('inspect', 'remapped', '-f', '{{.State.Pid}}');
  const { hostPid } = await dabba.status();
  process.kill(hostPid, 'SIGKILL');
  await eventually('another host serves', 20_000, async () => {
    const now = await dabba.status();
    return now.hostPid !== undefined && now.hostPid !== hostPid && (await dabba.client('docker', ['ps'])).status === 0;
  });
  assert.equal(await docker('inspect', 'remapped', '-f', '{{.State.Pid}}'), before);
  assert.equal(await docker('exec', 'remapped', 'cat', '/v/index.html'), 'hello');
  await docker('restart', '-t', '0', 'remapped');
  assert.equal(await uidOf('remapped'), base);
  assert.equal(await docker('exec', 'remapped', 'cat', '/v/index.html'), 'hello');
});

test('files are copied both ways', async () => {
  const [there, back] = [join(dabba.work, 'there'), join(dabba.work, 'back')];
  writeFileSync(there, 'text');
  await docker('cp', there, 'remapped:/copied');
  assert.equal(await docker('exec', 'remapped', 'stat', '-c', '%u:%g', '/copied'), '0:0');
  await docker('cp', '-a', 'remapped:/copied', back);
  assert.deepEqual([readFileSync(back, 'utf8'), lstatSync(back).uid], ['text', 0]);
  await docker('rm', '-f', 'remapped', 'plain');
});

test('a build runs its steps remapped', async () => {
  const context = join(dabba.work, 'Dockerfile');
  writeFileSync(context, `FROM ${image}\nRUN cat /proc/self/uid_map >/map && chown 1:2 /map\n`);
  await docker('build', '-q', '-t', 'made', dabba.work);
  const seen = await docker('run', '--rm', '--userns', 'host', 'made', 'sh', '-c', 'cat /map; stat -c %u:%g /map');
  assert.deepEqual(seen.trim().split(/\s+/), ['0', String(base), '65536', '1:2']);
  writeFileSync(context, `FROM ${image}\nRUN true\n`);
  await dabba.refused('cannot share the host', 'docker', ['build', '--no-cache', '--network', 'host', dabba.work]);
});

test('what would undo it is refused in dockerd’s words', async () => {
  const refused = async (words: string, ...args: string[]) =>
    await dabba.refused(words, 'docker', ['create', ...args, image]);
  await refused(
    'privileged mode is incompatible with user namespaces.  You must run the container in the host',
    '--privileged',
  );
  await refused("cannot share the host's network namespace when user namespaces are enabled", '--network', 'host');
  await refused('cannot share the host PID namespace when user namespaces are enabled', '--pid', 'host');
  for (const option of ['--privileged', '--network=host', '--pid=host'])
    await docker('run', '--rm', '--userns', 'host', option, image, 'true');
});
