import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba } from '../harness/dabba.ts';

/** `dabba build` and the unmodified docker client against a daemon. */

let dabba: Dabba;
before(async () => {
  dabba = await Dabba.withBusybox();
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const build = (...args: readonly string[]) => dabba.command('build', [...args]);

test('a context is packed, built, tagged; secrets and agents go along and stay nowhere', async () => {
  const secret = `conformance-${'s3cret'.repeat(4)}`;
  const secretFile = dabba.file('secret', secret);
  const context = join(dabba.file('app/.dockerignore', 'left-out\n'), '..');
  dabba.file('app/left-out', '');
  dabba.file('app/kept', '');
  dabba.file(
    'app/Dockerfile',
    `FROM busybox
COPY . /ctx/
RUN --mount=type=secret,id=token,required=true test "$(cat /run/secrets/token)" = ${secret.slice(0, 12)}$(cat /run/secrets/token | tail -c +13)
RUN --mount=type=ssh,required=true test -S "$SSH_AUTH_SOCK"
ARG WHO
CMD ls /ctx
`,
  );
  const socket = join(dabba.work, 'agent');
  const agent = createServer((client) => client.end());
  await new Promise<void>((resolve) => agent.listen(socket, resolve));
  const args = [
    '--secret',
    `id=token,src=${secretFile}`,
    '--ssh',
    `default=${socket}`,
    '--build-arg',
    'WHO=me',
    context,
  ];
  const built = await build('-t', 'app:1', ...args);
  agent.close();
  assert.equal(built.status, 0, built.stderr);
  assert.match(built.stderr, /^\[4\/6\] DONE \d/m);
  assert.match(built.stderr, /built sha256:[0-9a-f]{64} as docker\.io\/library\/app:1/);
  assert.equal(await dabba.docker('run', '--rm', '--network=none', 'app:1'), 'Dockerfile\nkept');
  assert.throws(() => execFileSync('grep', ['-rqaF', secret, dabba.data]), { status: 1 }, 'the secret is on the disk');
  const missing = await build(context);
  assert.equal(missing.status, 1);
  assert.match(
    missing.stderr,
    /Dockerfile:3: RUN needs the secret token: build with "dabba build --secret id=token,src=FILE"/,
  );
});

test('files come out as a directory or a tar', async () => {
  const context = join(dabba.file('out/Dockerfile', 'FROM scratch\nCOPY Dockerfile /d/e\n'), '..');
  const local = await build('--output', `type=local,dest=${join(dabba.work, 'local')}`, context);
  assert.equal(local.status, 0, local.stderr);
  assert.match(readFileSync(join(dabba.work, 'local/d/e'), 'utf8'), /^FROM scratch/);
  const tar = await build('-o', `type=tar,dest=${join(dabba.work, 'out.tar')}`, context);
  assert.equal(tar.status, 0, tar.stderr);
  assert.equal(execFileSync('tar', ['-tf', join(dabba.work, 'out.tar')], { encoding: 'utf8' }), 'd/\nd/e\n');
});

test('faults say where and what to do', async () => {
  const elsewhere = dabba.file('other/Broken', 'FROM scratch\nRUNN x\n');
  const context = join(dabba.file('empty/file', ''), '..');
  const outcomes = [
    [['-f', elsewhere, context], /line 2 of .*\/other\/Broken: unknown instruction: RUNN \(did you mean RUN\?\)/],
    [[context], /there is no Dockerfile in .*\n  name it with -f FILE/],
    [[join(context, 'nowhere')], /there is no directory/],
    [['--platform', 'linux/s390x', join(dabba.work, 'out')], /nothing is emulated/],
    [['--secret', 'id=x,src=/nowhere', context], /there is no file \/nowhere/],
    [['--ssh', 'default=/nowhere', context], /is no socket/],
    [[], /expected one CONTEXT/],
  ] as const;
  for (const [args, words] of outcomes) {
    const { status, stderr } = await build(...args);
    assert.equal(status, 1, stderr);
    assert.match(stderr, words);
  }
});

test('docker build takes stages in turn, and its cache can be pruned', async () => {
  const dockerfile = dabba.file(
    'stages/Dockerfile',
    'FROM busybox AS one\nRUN echo first\nFROM busybox AS two\nRUN echo second\nFROM busybox\nCOPY --from=one /bin/true /1\nCOPY --from=two /bin/true /2\n',
  );
  const words = await dabba.docker('build', '--network=none', join(dockerfile, '..'));
  const order = ['Step 1/7', 'first', 'Step 3/7', 'second', 'Step 5/7', 'Step 7/7', 'Successfully built'];
  assert.deepEqual(
    order.map((word) => words.indexOf(word)).toSorted((a, b) => a - b),
    order.map((word) => words.indexOf(word)),
  );
  assert.ok(!order.some((word) => !words.includes(word)), words);
  const pruned = await dabba.docker('builder', 'prune', '-f', '--filter', 'until=1000h');
  assert.match(pruned, /Total reclaimed space: 0B/);
  assert.match(await dabba.docker('builder', 'prune', '-f'), /Deleted build cache objects/);
});

test('the containers of RUN have the limits and hosts that docker build was given', async () => {
  const run = [
    'grep -c 10.9.8.7 /etc/hosts',
    'ulimit -n',
    'df -k /dev/shm | tail -1 | awk "{print \\$2}"',
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null',
  ];
  const dockerfile = dabba.file('limits/Dockerfile', `FROM ${image}\nRUN ${run.join('; ')}; true\n`);
  const options = ['--add-host', 'there:10.9.8.7', '--ulimit', 'nofile=123:456', '--shm-size', '3m', '--memory', '64m'];
  const said = await dabba.docker('build', '--network', 'none', ...options, join(dockerfile, '..'));
  assert.match(said, /\n1\n123\n3072\n67108864\n/);
  const context = join(dockerfile, '..');
  await dabba.refused('CPUs', 'docker', ['build', '--cpuset-cpus', '0-999', context]);
});

test('a machine with an empty cache builds on from the image it pulled', async () => {
  const registry = `127.0.0.1:${dabba.port}`;
  const name = `${registry}/000000000000/us-east-1/ci`;
  await dabba.aws('ecr', 'create-repository', '--repository-name', 'ci');
  const password = await dabba.aws('ecr', 'get-login-password');
  await dabba.client('docker', ['login', '-u', 'AWS', '--password-stdin', registry], { input: password });
  const stages = [`FROM ${image} AS base`, 'COPY kept /kept', 'RUN date +%N > /stamp', 'FROM base', 'COPY site /site'];
  const dockerfile = dabba.file('ci/Dockerfile', [...stages, ''].join('\n'));
  dabba.file('ci/kept', 'kept');
  dabba.file('ci/site', 'one');
  const context = join(dockerfile, '..');
  await dabba.docker('build', '--network', 'none', '-t', `${name}:1`, context);
  const stamp = await dabba.docker('run', '--rm', '--network', 'none', `${name}:1`, 'cat', '/stamp');
  await dabba.docker('push', `${name}:1`);
  await dabba.docker('rmi', `${name}:1`);
  await dabba.docker('builder', 'prune', '-af');

  dabba.file('ci/site', 'two');
  await dabba.docker('pull', `${name}:1`);
  const from = ['--cache-from', `type=registry,ref=${name}:1`, '--build-arg', 'BUILDKIT_INLINE_CACHE=1'];
  const said = await dabba.docker('build', '--network', 'none', ...from, '-t', `${name}:2`, context);
  assert.equal(said.match(/Using cache/g)?.length, 2, said);
  assert.match(said, /Successfully tagged \S+:2$/);
  assert.doesNotMatch(said, /not consumed/);
  assert.equal(
    await dabba.docker('run', '--rm', '--network', 'none', `${name}:2`, 'cat', '/stamp', '/site'),
    `${stamp}\ntwo`,
  );
  await dabba.refused('only an image', 'docker', ['build', '--cache-from', 'type=local,src=/x', context]);
});

test('a link to a container that is not there is no reason to pull', async () => {
  const outcome = await dabba.client('docker', ['run', '--rm', '--link', 'nobody:x', image, 'true']);
  assert.equal(outcome.status, 125);
  assert.match(outcome.stderr, /could not get container for nobody/);
  assert.doesNotMatch(outcome.stderr, /Unable to find image/);
});
