/** A network load balancer before Fargate tasks, made and watched with the unmodified aws command line, and asked from the machine. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { busybox as image, Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

suite('network load balancers', () => {
  let dabba: Dabba;
  let subnets: string[];
  let vpc: string;
  let group: string;
  let balancer: string;
  let targets: string;
  let address: string;
  let tasks: string[];

  before(async () => {
    dabba = await Dabba.withBusybox();
    vpc = await dabba.aws('ec2', 'describe-vpcs', '--query', 'Vpcs[0].VpcId');
    subnets = (await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[].SubnetId')).split(/\s+/);
    group = await dabba.aws(
      'ec2',
      'create-security-group',
      '--group-name',
      'web',
      '--description',
      'web',
      '--vpc-id',
      vpc,
      '--query',
      'GroupId',
    );
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const elb = async (operation: string, ...args: string[]) => await dabba.aws('elbv2', operation, ...args);
  const ask = async () =>
    (await dabba.client('curl', ['-s', '-m', '2', `http://${address}/cgi-bin/who`])).stdout.trim();
  const seen = async (count: number) => {
    const names = new Set<string>();
    for (let index = 0; index < count; index++) names.add(await ask());
    names.delete('');
    return names;
  };
  const states = async () =>
    (
      await elb(
        'describe-target-health',
        '--target-group-arn',
        targets,
        '--query',
        'TargetHealthDescriptions[].TargetHealth.State',
      )
    )
      .split(/\s+/)
      .toSorted((one, other) => (one < other ? -1 : 1));

  test('two tasks serve their names', async () => {
    await dabba.aws('ecs', 'create-cluster', '--cluster-name', 'prod');
    const script =
      "mkdir -p /srv/cgi-bin; printf '#!/bin/sh\\necho; hostname\\n' > /srv/cgi-bin/who; chmod +x /srv/cgi-bin/who; exec httpd -f -p 8080 -h /srv";
    const definition = dabba.file(
      'task.json',
      JSON.stringify({
        family: 'web',
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: '256',
        memory: '512',
        containerDefinitions: [{ name: 'web', image, essential: true, command: ['sh', '-c', script] }],
      }),
    );
    await dabba.aws('ecs', 'register-task-definition', '--cli-input-json', `file://${definition}`);
    const network = `awsvpcConfiguration={subnets=[${subnets[0]},${subnets[1]}],securityGroups=[${group}]}`;
    tasks = (
      await dabba.aws(
        'ecs',
        'run-task',
        '--cluster',
        'prod',
        '--task-definition',
        'web',
        '--count',
        '2',
        '--launch-type',
        'FARGATE',
        '--network-configuration',
        network,
        '--query',
        'tasks[].taskArn',
      )
    ).split(/\s+/);
    await dabba.aws('ecs', 'wait', 'tasks-running', '--cluster', 'prod', '--tasks', ...tasks);
  });

  test('a load balancer before them waits until they may be reached', async () => {
    balancer = await elb(
      'create-load-balancer',
      '--name',
      'web',
      '--type',
      'network',
      '--subnets',
      ...subnets.slice(0, 2),
      '--query',
      'LoadBalancers[0].LoadBalancerArn',
    );
    await elb('wait', 'load-balancer-available', '--load-balancer-arns', balancer);
    await elb(
      'modify-load-balancer-attributes',
      '--load-balancer-arn',
      balancer,
      '--attributes',
      'Key=load_balancing.cross_zone.enabled,Value=true',
    );
    targets = await elb(
      'create-target-group',
      '--name',
      'web',
      '--protocol',
      'TCP',
      '--port',
      '8080',
      '--vpc-id',
      vpc,
      '--target-type',
      'ip',
      '--health-check-interval-seconds',
      '5',
      '--healthy-threshold-count',
      '2',
      '--health-check-timeout-seconds',
      '2',
      '--query',
      'TargetGroups[0].TargetGroupArn',
    );
    const details = 'tasks[].attachments[0].details[?name==`privateIPv4Address`].value';
    const addresses = (
      await dabba.aws('ecs', 'describe-tasks', '--cluster', 'prod', '--tasks', ...tasks, '--query', details)
    ).split(/\s+/);
    await elb('register-targets', '--target-group-arn', targets, '--targets', ...addresses.map((each) => `Id=${each}`));
    assert.deepEqual(await states(), ['unused', 'unused']);
    await elb(
      'create-listener',
      '--load-balancer-arn',
      balancer,
      '--protocol',
      'TCP',
      '--port',
      '80',
      '--default-actions',
      `Type=forward,TargetGroupArn=${targets}`,
    );
    address = await elb(
      'describe-load-balancers',
      '--load-balancer-arns',
      balancer,
      '--query',
      'LoadBalancers[0].AvailabilityZones[0].LoadBalancerAddresses[0].IpAddress',
    );
    await eventually(
      'their group keeps them out of reach',
      20_000,
      async () => (await states()).join() === 'unhealthy,unhealthy',
    );
    assert.equal(await ask(), '');
  });

  test('opened, both answer, by one address', async () => {
    await dabba.aws(
      'ec2',
      'authorize-security-group-ingress',
      '--group-id',
      group,
      '--protocol',
      'tcp',
      '--port',
      '8080',
      '--cidr',
      '172.31.0.0/16',
    );
    await elb('wait', 'target-in-service', '--target-group-arn', targets);
    assert.equal((await seen(20)).size, 2);
  });

  test('a task that is stopped is left out', async () => {
    await dabba.aws('ecs', 'stop-task', '--cluster', 'prod', '--task', tasks[0]!);
    await dabba.aws('ecs', 'wait', 'tasks-stopped', '--cluster', 'prod', '--tasks', tasks[0]!);
    await eventually('the target is seen to be gone', 30_000, async () => (await states()).includes('unhealthy'));
    await eventually('one answers always', 5_000, async () => (await seen(10)).size === 1);
  });

  test('both processes are killed: it goes on, and afterwards can be changed', async () => {
    await dabba.killBoth();
    assert.equal((await seen(5)).size, 1, 'the kernel carries on');
    await dabba.up();
    assert.equal((await seen(5)).size, 1);
    await elb('delete-load-balancer', '--load-balancer-arn', balancer);
    await elb('wait', 'load-balancers-deleted', '--load-balancer-arns', balancer);
    await eventually('nobody answers', 5_000, async () => (await ask()) === '');
    await elb('delete-target-group', '--target-group-arn', targets);
  });
});
