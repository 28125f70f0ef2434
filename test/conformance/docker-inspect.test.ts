import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba } from '../harness/dabba.ts';

/** What clients read back of a container to make another one like it, and what they are refused as by Docker. */

let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const docker = async (...args: string[]) => await dabba.docker(...args);
const shown = async (name: string, format: string) => await docker('inspect', name, '-f', format);

test('the environment shown is what was asked and what the image has', async () => {
  await docker('run', '-dt', '--name', 'plain', '-e', 'MORE=1', image, 'sh', '-c', 'env; sleep 1000');
  const environment = JSON.parse(await shown('plain', '{{json .Config.Env}}')) as readonly string[];
  assert.deepEqual(
    environment.map((variable) => variable.split('=')[0]),
    ['PATH', 'MORE'],
  );
  const inside = await docker('exec', '-t', 'plain', 'env');
  for (const name of ['HOSTNAME', 'TERM']) assert.match(inside, new RegExp(`^${name}=`, 'm'));
  await docker('create', '--name', 'asked', '-e', 'HOSTNAME=mine', image);
  assert.match(await shown('asked', '{{json .Config.Env}}'), /HOSTNAME=mine/);
  await docker('rm', '-f', 'plain', 'asked');
});

test('the files of a container are where it says', async () => {
  await docker(
    'run',
    '-d',
    '--name',
    'files',
    '--add-host',
    'there:10.1.2.3',
    image,
    'sh',
    '-c',
    'echo said; sleep 1000',
  );
  const paths = (await shown('files', '{{.HostsPath}} {{.HostnamePath}} {{.ResolvConfPath}}')).split(' ');
  assert.match(readFileSync(paths[0]!, 'utf8'), /10\.1\.2\.3\s+there/);
  assert.ok(paths.every((path) => existsSync(path)));
  assert.match(readFileSync(await shown('files', '{{.LogPath}}'), 'utf8'), /stdout F said/);
  await docker('rm', '-f', 'files');
});

test('a container without a log can be attached to and not be asked for what it said', async () => {
  assert.equal(await docker('run', '--rm', '--log-driver', 'none', image, 'echo', 'heard'), 'heard');
  await docker('run', '-d', '--name', 'quiet', '--log-driver', 'none', image, 'sh', '-c', 'echo lost; sleep 1000');
  assert.equal(await shown('quiet', '{{.HostConfig.LogConfig.Type}}|{{.LogPath}}'), 'none|');
  await dabba.refused('configured logging driver does not support reading', 'docker', ['logs', 'quiet']);
  assert.equal(await docker('exec', 'quiet', 'echo', 'works'), 'works');
  await docker('restart', '-t', '0', 'quiet');
  await docker('rm', '-f', 'quiet');
});

test('a process has its own group among its groups', async () => {
  assert.match(await docker('run', '--rm', '--user', '7:8', '--group-add', '50', image, 'id'), /gid=8\S* groups=8,50/);
});

test('the user namespace is the machine’s, and is told if it was asked for', async () => {
  await docker('create', '--name', 'host', '--userns', 'host', image);
  await docker('create', '--name', 'any', image);
  assert.equal(await shown('host', '{{.HostConfig.UsernsMode}}'), 'host');
  assert.equal(await shown('any', '{{.HostConfig.UsernsMode}}'), '');
  assert.doesNotMatch(await docker('info', '-f', '{{json .SecurityOptions}}'), /userns/);
  await docker('rm', 'host', 'any');
});

test('processors and runtimes that are not there are refused', async () => {
  const count = availableParallelism();
  const run = ['run', '--rm'];
  await dabba.refused(`as there are only ${count} CPUs available`, 'docker', [...run, '--cpus', `${count + 1}`, image]);
  await dabba.refused('Requested CPUs are not available - requested 0-512', 'docker', [
    ...run,
    '--cpuset-cpus',
    '0-512',
    image,
  ]);
  await dabba.refused('unknown or invalid runtime name: nosuch', 'docker', [...run, '--runtime', 'nosuch', image]);
});
