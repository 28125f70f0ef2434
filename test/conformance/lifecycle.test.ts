/** Starting, stopping, resetting, accounts: what a test suite and a laptop ask of `dabba` itself. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Dabba, freePort, project } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

suite('the life of a daemon', () => {
  test('state stays over down and up; status tells both processes; env points the clients', async () => {
    await using dabba = await Dabba.start();
    const { pid, hostPid } = await dabba.status();
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /main\.ts/);
    assert.match(readFileSync(`/proc/${hostPid}/cmdline`, 'utf8'), /host-main\.ts/);
    await dabba.aws('ecs', 'create-cluster', '--cluster-name', 'kept');
    assert.equal((await dabba.command('down')).status, 0);
    assert.equal((await dabba.command('status')).status, 3);
    assert.equal((await dabba.command('down')).stdout.includes('nothing was running'), true);
    await dabba.up();
    assert.equal(
      await dabba.aws('ecs', 'describe-clusters', '--clusters', 'kept', '--query', 'clusters[0].status'),
      'ACTIVE',
    );
  });

  test('each process alone may die: the other goes on, and the dead one comes back', async () => {
    await using dabba = await Dabba.withBusybox();
    await dabba.docker('run', '-d', '--name', 'runs', 'public.ecr.aws/docker/library/busybox', 'sleep', '300');
    const { pid, hostPid } = await dabba.status();
    process.kill(hostPid, 'SIGKILL');
    await eventually('a new host answers', 10_000, async () => {
      const now = await dabba.status();
      return (
        now.hostPid !== undefined &&
        now.hostPid !== hostPid &&
        (await dabba.client('docker', ['ps', '-q'])).stdout.trim() !== ''
      );
    });
    assert.equal(await dabba.docker('inspect', 'runs', '--format', '{{.State.Running}}'), 'true');
    const second = (await dabba.status()).hostPid;
    process.kill(pid, 'SIGKILL');
    assert.equal(await dabba.docker('inspect', 'runs', '--format', '{{.State.Running}}'), 'true');
    await dabba.up();
    const after = await dabba.status();
    assert.equal(after.hostPid, second, 'the living host was adopted');
    assert.notEqual(after.pid, pid);
    await dabba.aws('sts', 'get-caller-identity');
  });

  test('down after a crash of both removes what they left', async () => {
    await using dabba = await Dabba.withBusybox();
    await dabba.docker('run', '-d', 'public.ecr.aws/docker/library/busybox', 'sleep', '300');
    await dabba.killBoth();
    const down = await dabba.command('down');
    assert.match(down.stdout, /dabba is down/, down.stderr);
  });

  test('dabba reset forgets everything', async () => {
    await using dabba = await Dabba.start();
    await dabba.aws('ecs', 'create-cluster', '--cluster-name', 'gone');
    assert.equal((await dabba.command('reset')).status, 0);
    assert.equal(existsSync(dabba.data), false);
    await dabba.up();
    assert.equal(await dabba.aws('ecs', 'list-clusters', '--query', 'length(clusterArns)'), '0');
  });
});

suite('for test suites', () => {
  test('a default account and root key of one’s own; the well-known root still means its own account', async () => {
    await using dabba = await Dabba.start([
      '--account',
      '111122223333',
      '--root-key',
      'AKIAEXAMPLEEXAMPLE00:s3cret/with+signs',
    ]);
    assert.equal(await dabba.aws('sts', 'get-caller-identity', '--query', 'Arn'), 'arn:aws:iam::111122223333:root');
    const other = { AWS_ACCESS_KEY_ID: '444455556666', AWS_SECRET_ACCESS_KEY: 'test' };
    assert.match((await dabba.client('aws', ['sts', 'get-caller-identity'], { env: other })).stdout, /444455556666/);
    await dabba.refused('SignatureDoesNotMatch', 'aws', ['sts', 'get-caller-identity'], {
      AWS_SECRET_ACCESS_KEY: 'wrong',
    });
  });

  test('reset over HTTP forgets one account or all, stopping what runs, without a restart', async () => {
    await using dabba = await Dabba.withBusybox(['--allow-reset']);
    const { pid, hostPid } = await dabba.status();
    const other = { AWS_ACCESS_KEY_ID: '444455556666', AWS_SECRET_ACCESS_KEY: 'test' };
    await dabba.client('aws', ['ecs', 'create-cluster', '--cluster-name', 'theirs'], { env: other });
    await dabba.client('aws', ['logs', 'create-log-group', '--log-group-name', 'theirs'], { env: other });
    await startTask(dabba);
    const reset = async (query = '') => await fetch(`${dabba.endpoint}/_dabba/reset${query}`, { method: 'POST' });

    const bad = await reset('?account=12');
    assert.equal(bad.status, 400);
    assert.equal((await reset('?account=444455556666')).status, 200);
    assert.match((await dabba.client('aws', ['ecs', 'list-clusters'], { env: other })).stdout, /"clusterArns": \[\]/);
    assert.match(
      (await dabba.client('aws', ['logs', 'describe-log-groups'], { env: other })).stdout,
      /"logGroups": \[\]/,
    );
    assert.equal(
      await dabba.aws('ecs', 'list-tasks', '--cluster', 'mine', '--query', 'length(taskArns)'),
      '1',
      'the other account’s task runs',
    );

    assert.equal((await reset()).status, 200);
    assert.equal(await dabba.aws('ecs', 'list-clusters', '--query', 'length(clusterArns)'), '0');
    assert.equal(await dabba.aws('ec2', 'describe-network-interfaces', '--query', 'length(NetworkInterfaces)'), '0');
    await eventually('nothing runs', 5000, async () => {
      const { stdout } = await dabba.command('status', ['--json']);
      const { sandboxes, containers } = JSON.parse(stdout) as { sandboxes: unknown[]; containers: number };
      return sandboxes.length === 0 && containers === 0;
    });
    assert.deepEqual([(await dabba.status()).pid, (await dabba.status()).hostPid], [pid, hostPid]);
    await startTask(dabba);
  });

  test('a start that cannot go well says why, and leaves what runs alone', async () => {
    await using dabba = await Dabba.start();
    const second = ['-d', '--data', join(dabba.work, 'second')];
    const start = async (...options: string[]) =>
      await dabba.client(join(project, 'dabba'), ['up', ...second, ...options]);
    const runtimeDirectories = () => readdirSync('/run/dabba').sort();
    const before = runtimeDirectories();
    const addresses = await start('--port', String(await freePort()), '--public-cidr', dabba.publicCidr);
    assert.equal(addresses.status, 1);
    assert.match(addresses.stderr, /did not start: public addresses .*choose another range with --public-cidr/);
    const port = await start('--port', String(dabba.port), '--public-cidr', '198.18.0.0/24');
    assert.equal(port.status, 1);
    assert.match(port.stderr, /did not start: port \d+ is in use by another program; choose another with --port/);
    await eventually('nothing of them is left', 5000, () => runtimeDirectories().join() === before.join());
    assert.equal(await dabba.aws('sts', 'get-caller-identity', '--query', 'Account'), '000000000000');
  });

  test('reset is not offered unless it was asked for', async () => {
    await using dabba = await Dabba.start();
    assert.equal((await fetch(`${dabba.endpoint}/_dabba/reset`, { method: 'POST' })).status, 403);
  });
});

/** A running Fargate task of BusyBox in cluster `mine` of the default account. */
async function startTask(dabba: Dabba): Promise<void> {
  await dabba.aws('ecs', 'create-cluster', '--cluster-name', 'mine');
  const containers = '[{"name":"c","image":"public.ecr.aws/docker/library/busybox:latest","command":["sleep","300"]}]';
  await dabba.aws(
    'ecs',
    'register-task-definition',
    '--family',
    'nap',
    '--requires-compatibilities',
    'FARGATE',
    '--network-mode',
    'awsvpc',
    '--cpu',
    '256',
    '--memory',
    '512',
    '--container-definitions',
    containers,
  );
  const subnet = await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[0].SubnetId');
  const arn = await dabba.aws(
    'ecs',
    'run-task',
    '--cluster',
    'mine',
    '--task-definition',
    'nap',
    '--launch-type',
    'FARGATE',
    '--network-configuration',
    `awsvpcConfiguration={subnets=[${subnet}]}`,
    '--query',
    'tasks[0].taskArn',
  );
  await dabba.aws('ecs', 'wait', 'tasks-running', '--cluster', 'mine', '--tasks', arn);
}
