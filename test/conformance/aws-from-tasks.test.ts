/** Tasks that call AWS: the unmodified aws command line, from within the network of a Fargate task, with what the task's own environment says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { busybox, Dabba, isAwsTooOld, type Outcome } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

suite('aws from inside tasks', { skip: isAwsTooOld(), timeout: 720_000 }, () => {
  let dabba: Dabba;
  let vpc: string;
  let subnet: string;
  let task: string;
  /** Nobody else sleeps for so long. */
  const seconds = String(10 ** 8 + Math.floor(Math.random() * 10 ** 8));

  before(async () => {
    dabba = await Dabba.withBusybox();
    [vpc = '', subnet = ''] = (
      await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[0].[VpcId,SubnetId]')
    ).split(/\s+/);
    const Condition = { StringEquals: { 'aws:SourceVpc': vpc } };
    const trusted = { Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' };
    const taskRole = await dabba.role('task', trusted, { Action: 'iam:ListRoles', Resource: '*', Condition });
    await dabba.aws('ecs', 'create-cluster', '--cluster-name', 'prod');
    const containers = JSON.stringify([{ name: 'c', image: busybox, command: ['sleep', seconds] }]);
    const size = ['--cpu', '256', '--memory', '512', '--network-mode', 'awsvpc'];
    const definition = ['--family', 'caller', '--requires-compatibilities', 'FARGATE', ...size];
    const parts = ['--task-role-arn', taskRole, '--container-definitions', containers];
    await dabba.aws('ecs', 'register-task-definition', ...definition, ...parts);
    const place = `awsvpcConfiguration={subnets=[${subnet}],assignPublicIp=DISABLED}`;
    const run = ['--cluster', 'prod', '--launch-type', 'FARGATE', '--network-configuration', place];
    task = await dabba.aws('ecs', 'run-task', ...run, '--task-definition', 'caller', '--query', 'tasks[0].taskArn');
    await eventually('the task runs', 30_000, async () => {
      const named = ['--cluster', 'prod', '--tasks', task, '--query', 'tasks[0].lastStatus'];
      return (await dabba.aws('ecs', 'describe-tasks', ...named)) === 'RUNNING';
    });
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const words = (file: string) => readFileSync(file, 'utf8').split('\0').filter(Boolean);
  const sleeping = () => {
    const isIt = (pid: string) => {
      try {
        return words(`/proc/${pid}/cmdline`).join(' ') === `sleep ${seconds}`;
      } catch {
        return false; // it ended meanwhile
      }
    };
    const pid = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .find(isIt);
    assert.ok(pid, 'the process of the task');
    return pid;
  };
  /** The command line in the network of the task, with its environment and nothing of ours. */
  const aws = async (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Outcome> => {
    const pid = sleeping();
    const own = words(`/proc/${pid}/environ`).filter((word) => word.startsWith('AWS_') || word.startsWith('ECS_'));
    const env = { ...Object.fromEntries(own.map((word) => word.split(/=(.*)/s))), ...more };
    const { PATH } = process.env;
    return await new Promise((settle) =>
      execFile(
        'nsenter',
        ['-t', pid, '-n', 'aws', ...args, '--output', 'text'],
        { env: { ...env, PATH, HOME: dabba.work, AWS_PAGER: '' } },
        (error, stdout, stderr) => settle({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      ),
    );
  };

  test('a task has its role, and no more than its role, at the address its environment names', async () => {
    const who = await aws(['sts', 'get-caller-identity', '--query', 'Arn']);
    assert.equal(who.status, 0, who.stderr);
    const id = task.slice(task.lastIndexOf('/') + 1);
    assert.equal(who.stdout.trim(), `arn:aws:sts::000000000000:assumed-role/task/${id}`);
    const roles = await aws(['iam', 'list-roles', '--query', 'Roles[].RoleName']);
    assert.equal(roles.stdout.trim(), 'task', roles.stderr);
    const users = await aws(['iam', 'list-users']);
    assert.match(users.stderr, /AccessDenied.*assumed-role\/task/);
  });

  test('the same session says nothing from outside, where its policy does not hold', async () => {
    const pid = sleeping();
    const path = words(`/proc/${pid}/environ`).find((word) =>
      word.startsWith('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI='),
    );
    assert.ok(path, 'the task is told where its credentials are');
    const keys = JSON.parse(
      await new Promise<string>((settle, reject) =>
        execFile(
          'nsenter',
          ['-t', pid, '-n', 'curl', '-sS', `http://169.254.170.2${path.split('=')[1]}`],
          (error, stdout) => (error ? reject(error) : settle(stdout)),
        ),
      ),
    ) as { readonly AccessKeyId: string; readonly SecretAccessKey: string; readonly Token: string };
    const env = {
      AWS_ACCESS_KEY_ID: keys.AccessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.SecretAccessKey,
      AWS_SESSION_TOKEN: keys.Token,
    };
    await dabba.refused(/AccessDenied/, 'aws', ['iam', 'list-roles'], env);
    assert.equal((await dabba.client('aws', ['sts', 'get-caller-identity'], { env })).status, 0);
  });

  test('the well-known keys open nothing there', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
    const { status, stderr } = await aws(['sts', 'get-caller-identity'], env);
    assert.notEqual(status, 0);
    assert.match(stderr, /InvalidClientTokenId/);
  });

  test('the trail tells the address in the VPC', async () => {
    const attribute = 'AttributeKey=EventName,AttributeValue=ListRoles';
    const found = await dabba.aws(
      'cloudtrail',
      'lookup-events',
      '--lookup-attributes',
      attribute,
      '--query',
      'Events[].CloudTrailEvent',
    );
    const details = `tasks[0].attachments[0].details[?name=='privateIPv4Address'].value | [0]`;
    const address = await dabba.aws('ecs', 'describe-tasks', '--cluster', 'prod', '--tasks', task, '--query', details);
    assert.ok(found.includes(`"sourceIPAddress":"${address}"`), found);
  });
});
