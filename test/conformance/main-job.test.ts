/** The main job with unmodified docker and aws: a Dockerfile becomes an image in ECR and a service of two Fargate copies that heal. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

const app = {
  Dockerfile: `FROM public.ecr.aws/docker/library/busybox:latest
ARG PORT=8080
ENV PORT=\${PORT}
WORKDIR /srv
COPY site/ /srv/
RUN adduser -D -u 1000 web && chown -R web /srv && mkdir -p cgi-bin \\
 && printf '#!/bin/sh\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n"\\necho "$(hostname) $(id -u) $(cat /srv/version.txt)"\\n' > cgi-bin/who \\
 && chmod +x cgi-bin/who
USER web
EXPOSE 8080
CMD ["sh", "-c", "echo listening on $PORT; exec httpd -f -v -p $PORT -h /srv"]
`,
  version: 'version 1\n',
};

interface TaskDescription {
  readonly taskArn: string;
  readonly availabilityZone: string;
  readonly lastStatus: string;
  readonly stopCode?: string;
  readonly stoppedReason?: string;
  readonly attachments: readonly { readonly details: readonly { readonly name: string; readonly value: string }[] }[];
}

suite('the main job', () => {
  let dabba: Dabba;
  let image: string;
  let group: string;
  let subnets: string[];

  before(async () => {
    dabba = await Dabba.withBusybox();
  });
  after(async () => await dabba[Symbol.asyncDispose]());

  const tasks = async (...filter: string[]) =>
    (await dabba.aws('ecs', 'list-tasks', '--cluster', 'prod', ...filter, '--query', 'taskArns[]'))
      .split(/\s+/)
      .filter((arn) => arn && arn !== 'None');
  const describe = async (arns: readonly string[]): Promise<TaskDescription[]> => {
    const { stdout, stderr, status } = await dabba.client('aws', [
      'ecs',
      'describe-tasks',
      '--cluster',
      'prod',
      '--tasks',
      ...arns,
      '--output',
      'json',
    ]);
    assert.equal(status, 0, stderr);
    return (JSON.parse(stdout) as { tasks: TaskDescription[] }).tasks;
  };
  const publicAddress = async (task: TaskDescription) => {
    const eni = task.attachments[0]!.details.find(({ name }) => name === 'networkInterfaceId')!.value;
    return await dabba.aws(
      'ec2',
      'describe-network-interfaces',
      '--network-interface-ids',
      eni,
      '--query',
      'NetworkInterfaces[0].Association.PublicIp',
    );
  };
  const runsTwo = async () =>
    (await dabba.aws(
      'ecs',
      'describe-services',
      '--cluster',
      'prod',
      '--services',
      'web',
      '--query',
      'services[0].runningCount',
    )) === '2';

  test('a Dockerfile is built into layers and pushed to a private repository', async () => {
    dabba.file('app/Dockerfile', app.Dockerfile);
    dabba.file('app/site/version.txt', app.version);
    await dabba.docker('build', '-q', '-t', 'app:1', `${dabba.work}/app`);
    assert.ok(Number(await dabba.docker('image', 'inspect', 'app:1', '--format', '{{len .RootFS.Layers}}')) >= 3);
    const uri = await dabba.aws(
      'ecr',
      'create-repository',
      '--repository-name',
      'team/app',
      '--query',
      'repository.repositoryUri',
    );
    assert.equal(uri, '000000000000.dkr.ecr.us-east-1.amazonaws.com/team/app');
    image = `${uri}:1`;
    await dabba.docker('tag', 'app:1', image);
    await dabba.refused(/no basic auth credentials|unauthorized|denied/i, 'docker', ['push', image]);
    const password = await dabba.aws('ecr', 'get-login-password');
    const login = await dabba.client('docker', ['login', '--username', 'AWS', '--password-stdin', uri.split('/')[0]!], {
      input: password,
    });
    assert.equal(login.status, 0, login.stderr);
    await dabba.docker('push', '-q', image);
    assert.match(
      await dabba.aws(
        'ecr',
        'describe-images',
        '--repository-name',
        'team/app',
        '--query',
        'imageDetails[0].imageDigest',
      ),
      /^sha256:/,
    );
    await dabba.docker('rmi', image, 'app:1');
    await dabba.docker('pull', '-q', image);
    assert.equal(await dabba.docker('run', '--rm', image, 'cat', '/srv/version.txt'), app.version.trim());
  });

  test('a service of two copies becomes stable, in different zones, each at an address of its own', async () => {
    const vpc = await dabba.aws(
      'ec2',
      'describe-vpcs',
      '--filters',
      'Name=isDefault,Values=true',
      '--query',
      'Vpcs[0].VpcId',
    );
    subnets = (
      await dabba.aws(
        'ec2',
        'describe-subnets',
        '--filters',
        `Name=vpc-id,Values=${vpc}`,
        '--query',
        'Subnets[].SubnetId',
      )
    ).split(/\s+/);
    assert.equal(subnets.length, 3);
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
      '0.0.0.0/0',
    );
    await dabba.aws('logs', 'create-log-group', '--log-group-name', '/ecs/app');
    await dabba.aws('ecs', 'create-cluster', '--cluster-name', 'prod');
    await dabba.role(
      'exec',
      { Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' },
      { Action: ['ecr:*', 'logs:*'], Resource: '*' },
    );
    assert.equal(await register(image), 'web:1');
    const network = `awsvpcConfiguration={subnets=[${subnets.join(',')}],securityGroups=[${group}],assignPublicIp=ENABLED}`;
    await dabba.aws(
      'ecs',
      'create-service',
      '--cluster',
      'prod',
      '--service-name',
      'web',
      '--task-definition',
      'web:1',
      '--desired-count',
      '2',
      '--launch-type',
      'FARGATE',
      '--network-configuration',
      network,
    );
    await dabba.aws('ecs', 'wait', 'services-stable', '--cluster', 'prod', '--services', 'web');
    const copies = await describe(await tasks('--service-name', 'web'));
    assert.equal(new Set(copies.map(({ availabilityZone }) => availabilityZone)).size, 2, 'spread over zones');
    const answers = await Promise.all(copies.map(async (copy) => await get(await publicAddress(copy), '/cgi-bin/who')));
    assert.equal(new Set(answers).size, 2, 'two hosts answer');
    for (const answer of answers) assert.match(answer, /^ip-172-31-\d+-\d+\S* 1000 version 1$/);
  });

  test('the security group is a wall, and revoking closes it at once', async () => {
    const [copy] = await describe(await tasks('--service-name', 'web'));
    const address = await publicAddress(copy!);
    await assert.rejects(get(address, '/', 9999));
    const rule = ['--group-id', group, '--protocol', 'tcp', '--port', '8080', '--cidr', '0.0.0.0/0'];
    await dabba.aws('ec2', 'revoke-security-group-ingress', ...rule);
    await assert.rejects(get(address, '/version.txt'));
    await dabba.aws('ec2', 'authorize-security-group-ingress', ...rule);
    await eventually(
      'reachable again',
      5000,
      async () => (await get(address, '/version.txt').catch(() => '')) === 'version 1',
    );
  });

  test('what a copy prints is in CloudWatch Logs, under the stream name of awslogs', async () => {
    const [arn] = await tasks('--service-name', 'web');
    const stream = `web/web/${arn!.split('/').at(-1)}`;
    await eventually('the line arrives', 10_000, async () =>
      (
        await dabba.aws(
          'logs',
          'get-log-events',
          '--log-group-name',
          '/ecs/app',
          '--log-stream-name',
          stream,
          '--query',
          'events[].message',
        )
      ).includes('listening on 8080'),
    );
  });

  test('a stopped copy is replaced and says why it stopped', async () => {
    const [victim] = await tasks('--service-name', 'web');
    await dabba.aws('ecs', 'stop-task', '--cluster', 'prod', '--task', victim!, '--reason', 'test');
    await eventually(
      'replaced',
      30_000,
      async () => (await runsTwo()) && !(await tasks('--service-name', 'web')).includes(victim!),
    );
    await eventually('stopped', 10_000, async () => (await describe([victim!]))[0]!.lastStatus === 'STOPPED');
    const [stopped] = await describe([victim!]);
    assert.equal(stopped!.stopCode, 'UserInitiated');
    assert.equal(stopped!.stoppedReason, 'test');
  });

  test('SIGKILL of both processes stops nothing, loses nothing and repeats no log line', async () => {
    const copies = await describe(await tasks('--service-name', 'web'));
    const addresses = await Promise.all(copies.map(publicAddress));
    await dabba.killBoth();
    for (const address of addresses) assert.equal(await get(address, '/version.txt'), 'version 1');
    await dabba.up();
    assert.deepEqual((await tasks('--service-name', 'web')).sort(), copies.map(({ taskArn }) => taskArn).sort());
    for (const address of addresses) assert.equal(await get(address, '/version.txt'), 'version 1');
    const stream = `web/web/${copies[0]!.taskArn.split('/').at(-1)}`;
    await get(addresses[0]!, '/after-the-restart');
    const messages = async () =>
      await dabba.aws(
        'logs',
        'get-log-events',
        '--log-group-name',
        '/ecs/app',
        '--log-stream-name',
        stream,
        '--start-from-head',
        '--query',
        'events[].message',
      );
    await eventually(
      'lines go on',
      10_000,
      async () => (await messages()).includes('/after-the-restart') || (await messages()).includes('response:404'),
    );
    assert.equal((await messages()).split('listening on 8080').length - 1, 1, 'the first line stands once');
  });

  test('an image that is not there stops the task with a clear reason', async () => {
    const definition = await register(image.replace(/:1$/, ':missing'));
    const network = `awsvpcConfiguration={subnets=[${subnets[0]}],securityGroups=[${group}],assignPublicIp=ENABLED}`;
    const arn = await dabba.aws(
      'ecs',
      'run-task',
      '--cluster',
      'prod',
      '--task-definition',
      definition,
      '--launch-type',
      'FARGATE',
      '--network-configuration',
      network,
      '--query',
      'tasks[0].taskArn',
    );
    await dabba.aws('ecs', 'wait', 'tasks-stopped', '--cluster', 'prod', '--tasks', arn);
    const [task] = await describe([arn]);
    assert.equal(task!.stopCode, 'TaskFailedToStart');
    assert.match(task!.stoppedReason!, /^CannotPullContainerError: .*missing/);
  });

  test('an execution role that may not pull is refused by IAM, and the task says so', async () => {
    await dabba.aws(
      'iam',
      'put-role-policy',
      '--role-name',
      'exec',
      '--policy-name',
      'exec',
      '--policy-document',
      '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}',
    );
    const network = `awsvpcConfiguration={subnets=[${subnets[0]}],securityGroups=[${group}],assignPublicIp=ENABLED}`;
    const arn = await dabba.aws(
      'ecs',
      'run-task',
      '--cluster',
      'prod',
      '--task-definition',
      'web:1',
      '--launch-type',
      'FARGATE',
      '--network-configuration',
      network,
      '--query',
      'tasks[0].taskArn',
    );
    await dabba.aws('ecs', 'wait', 'tasks-stopped', '--cluster', 'prod', '--tasks', arn);
    assert.match((await describe([arn]))[0]!.stoppedReason!, /ecr:GetAuthorizationToken/);
  });

  test('deleting the service stops its copies and gives their addresses back', async () => {
    await dabba.aws('ecs', 'delete-service', '--cluster', 'prod', '--service', 'web', '--force');
    await eventually('no task', 30_000, async () => (await tasks()).length === 0);
    await eventually(
      'no interface',
      10_000,
      async () =>
        (await dabba.aws('ec2', 'describe-network-interfaces', '--query', 'length(NetworkInterfaces)')) === '0',
    );
  });

  async function register(reference: string): Promise<string> {
    const definition = {
      family: 'web',
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: '256',
      memory: '512',
      executionRoleArn: 'arn:aws:iam::000000000000:role/exec',
      containerDefinitions: [
        {
          name: 'web',
          image: reference,
          essential: true,
          stopTimeout: 2,
          portMappings: [{ containerPort: 8080 }],
          logConfiguration: {
            logDriver: 'awslogs',
            options: { 'awslogs-group': '/ecs/app', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'web' },
          },
        },
      ],
    };
    const arn = await dabba.aws(
      'ecs',
      'register-task-definition',
      '--cli-input-json',
      JSON.stringify(definition),
      '--query',
      'taskDefinition.taskDefinitionArn',
    );
    return arn.split('/').at(-1)!;
  }
});

/** GET over a new connection; rejects when nothing answers within five seconds. */
async function get(address: string, path: string, port = 8080): Promise<string> {
  return await new Promise((resolve, reject) => {
    const call = request({ host: address, port, path, agent: false, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve(body.trim()));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer from ${address}:${port}`)));
    call.on('error', reject);
    call.end();
  });
}
