/** Bad input gets a clear error in the client's own protocol, and nothing happens. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { layoutOf } from '#daemon';
import { Dabba, freePort, project } from '../harness/dabba.ts';

suite('refusals', () => {
  let dabba: Dabba;
  before(async () => {
    dabba = await Dabba.withBusybox();
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  test('a wrong signature and an unknown key, each in the words of its service', async () => {
    const wrong = { AWS_SECRET_ACCESS_KEY: 'wrong' };
    const unknown = { AWS_ACCESS_KEY_ID: 'AKIAUNKNOWN000000000', AWS_SECRET_ACCESS_KEY: 'x' };
    await dabba.refused('SignatureDoesNotMatch', 'aws', ['sts', 'get-caller-identity'], wrong);
    await dabba.refused('InvalidSignatureException', 'aws', ['ecs', 'list-clusters'], wrong);
    await dabba.refused('InvalidClientTokenId', 'aws', ['iam', 'list-users'], unknown);
    await dabba.refused('UnrecognizedClientException', 'aws', ['ecs', 'list-clusters'], unknown);
    await dabba.refused('AuthFailure', 'aws', ['ec2', 'describe-vpcs'], unknown);
    await dabba.refused('MissingAuthenticationToken', 'aws', ['ecs', 'list-clusters', '--no-sign-request']);
  });

  test('an action that no policy allows', async () => {
    await dabba.aws('iam', 'create-user', '--user-name', 'bob');
    const [id, secret] = (
      await dabba.aws(
        'iam',
        'create-access-key',
        '--user-name',
        'bob',
        '--query',
        'AccessKey.[AccessKeyId,SecretAccessKey]',
      )
    ).split(/\s+/);
    const bob = { AWS_ACCESS_KEY_ID: id!, AWS_SECRET_ACCESS_KEY: secret! };
    await dabba.refused('is not authorized to perform: ecs:ListClusters', 'aws', ['ecs', 'list-clusters'], bob);
    await dabba.refused('UnauthorizedOperation', 'aws', ['ec2', 'describe-vpcs'], bob);
    await dabba.refused('(AccessDenied)', 'aws', ['iam', 'list-users'], bob);
    await dabba.aws(
      'iam',
      'put-user-policy',
      '--user-name',
      'bob',
      '--policy-name',
      'p',
      '--policy-document',
      '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:List*","Resource":"*"}]}',
    );
    assert.equal((await dabba.client('aws', ['ecs', 'list-clusters'], { env: bob })).status, 0);
    await dabba.refused(
      'is not authorized to perform: ecs:CreateCluster',
      'aws',
      ['ecs', 'create-cluster', '--cluster-name', 'x'],
      bob,
    );
  });

  test('an operation that dabba lacks says so, once', async () => {
    await dabba.refused('UnsupportedOperation', 'aws', ['ec2', 'describe-spot-price-history']);
  });

  test('an unknown image', async () => {
    await dabba.refused(/no\/such/, 'docker', ['run', '--rm', 'public.ecr.aws/no/such:image', 'true']);
    await dabba.refused('invalid reference format', 'docker', ['run', '--rm', 'UpperCase', 'true']);
  });

  test('a bad Dockerfile names line and instruction', async () => {
    dabba.file('bad/Dockerfile', 'FROM scratch\nRUNN true\n');
    await dabba.refused(/line 2.*RUNN/, 'docker', ['build', `${dabba.work}/bad`]);
    dabba.file('failing/Dockerfile', 'FROM public.ecr.aws/docker/library/busybox\nRUN exit 7\n');
    await dabba.refused('returned a non-zero code: 7', 'docker', ['build', `${dabba.work}/failing`]);
  });

  test('a bad pair of CPU and memory, and a definition without what Fargate needs', async () => {
    const containers = '[{"name":"c","image":"busybox"}]';
    await dabba.refused('No Fargate configuration exists for given values', 'aws', [
      'ecs',
      'register-task-definition',
      '--family',
      'bad',
      '--requires-compatibilities',
      'FARGATE',
      '--network-mode',
      'awsvpc',
      '--cpu',
      '256',
      '--memory',
      '9999',
      '--container-definitions',
      containers,
    ]);
    await dabba.refused('ClientException', 'aws', [
      'ecs',
      'register-task-definition',
      '--family',
      'bad',
      '--container-definitions',
      containers,
    ]);
    await dabba.refused('ClusterNotFoundException', 'aws', ['ecs', 'list-tasks', '--cluster', 'nowhere']);
  });

  test('a tar entry that climbs out of its root changes nothing outside', async () => {
    const escaped = join(tmpdir(), `dabba-escaped-${process.pid}`);
    dabba.file('evil/f', 'evil');
    const tar = join(dabba.work, 'evil.tar');
    execFileSync('tar', [
      '-C',
      join(dabba.work, 'evil'),
      '--absolute-names',
      '--transform',
      `s,^f,../../../../../..${escaped},`,
      '-cf',
      tar,
      'f',
    ]);
    await dabba.client('docker', ['import', tar, 'evil:1']);
    await dabba.client('docker', ['run', '--rm', 'evil:1', 'true']);
    assert.throws(() => execFileSync('test', ['-e', escaped]), 'nothing was written outside');
  });

  test('a second start on the same data', async () => {
    const second = await dabba.command('up', ['-d', '--port', String(await freePort())]);
    assert.equal(second.status, 1);
    assert.match(second.stderr, /already running/);
  });

  test('a port in use, without a half start', async () => {
    const data = mkdtempSync(join(tmpdir(), 'dabba-port-'));
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => holder.once('listening', listening));
    const { port } = holder.address() as { port: number };
    try {
      const outcome = await dabba.client(join(project, 'dabba'), ['up', '-d', '--data', data, '--port', String(port)]);
      assert.equal(outcome.status, 1);
      assert.match(outcome.stderr, new RegExp(`port ${port} is in use`));
      const status = await dabba.client(join(project, 'dabba'), ['status', '--data', data, '--json']);
      assert.equal((JSON.parse(status.stdout) as { isRunning: boolean }).isRunning, false);
      assert.equal(existsSync(layoutOf(data).runtime), false, 'no runtime directory is left');
    } finally {
      holder.close();
      await dabba.client(join(project, 'dabba'), ['down', '--data', data]);
      rmSync(data, { recursive: true, force: true });
    }
  });

  test('without root: a clear message and no half start', async () => {
    const data = mkdtempSync(join(tmpdir(), 'dabba-nobody-'));
    const outcome = await dabba.client('setpriv', [
      '--reuid',
      '65534',
      '--regid',
      '65534',
      '--clear-groups',
      // Wherever this project lies, it may be read.
      '--inh-caps=+dac_read_search',
      '--ambient-caps=+dac_read_search',
      process.execPath,
      join(project, 'src/cli/main.ts'),
      'up',
      '-d',
      '--data',
      data,
    ]);
    rmSync(data, { recursive: true, force: true });
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, /must run as root/);
  });
});

test('a full disk is an error of the client’s protocol, and what was acknowledged stays', async () => {
  const disk = mkdtempSync(join(tmpdir(), 'dabba-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'dabba-disk', disk]);
  try {
    await using dabba = await Dabba.start([], { data: join(disk, 'data') });
    await dabba.aws('ecr', 'create-repository', '--repository-name', 'kept');
    execFileSync('sh', ['-c', 'dd if=/dev/zero of="$1/filler" bs=64k 2>/dev/null; true', 'fill', disk]);
    const outcome = await dabba.client('aws', ['logs', 'create-log-group', '--log-group-name', 'x'.repeat(500)], {
      env: { AWS_MAX_ATTEMPTS: '1' },
    });
    const images = await dabba.client('docker', ['import', join(project, 'package-lock.json'), 'x:1']);
    assert.notEqual(images.status, 0);
    assert.ok(outcome.status === 0 || /Exception|Error|ServiceUnavailable/.test(outcome.stderr), outcome.stderr);
    rmSync(join(disk, 'filler'));
    assert.equal(await dabba.aws('ecr', 'describe-repositories', '--query', 'repositories[0].repositoryName'), 'kept');
    await dabba.aws('logs', 'create-log-group', '--log-group-name', 'after');
  } finally {
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true, force: true });
  }
});
