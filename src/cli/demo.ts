import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { layoutOf, livingProcess, rememberedSettings, resolveSettings, type Layout } from '#daemon';
import { text, UsageError, type Command } from './command.ts';
import { requireMachine } from './doctor.ts';
import { seed } from './images.ts';
import { findOnPath, run } from './programs.ts';

const project = join(import.meta.dirname, '../..');
const application = join(project, 'examples/guestbook');
const region = 'us-east-1';
const names = {
  cluster: 'demo',
  service: 'guestbook',
  repository: 'team/guestbook',
  role: 'demo-execution',
  logGroup: '/ecs/guestbook',
  group: 'guestbook',
} as const;

/** How long the service may take to become stable. */
const STABLE_TIMEOUT_MS = 120_000;

export const demo: Command = {
  summary: 'the main job on real input, told step by step: a Dockerfile becomes two reachable Fargate copies',
  usage: '[--data DIR] [--port N]',
  options: { port: { type: 'string', help: 'port of the AWS endpoint, if dabba is not up yet', placeholder: 'N' } },
  async run(invocation) {
    requireMachine();
    process.env['PATH'] = `${join(project, '.cache/clients/bin')}${delimiter}${process.env['PATH']}`;
    for (const client of ['docker', 'aws'])
      if (!findOnPath(client))
        throw new UsageError(
          `the demo drives the unmodified ${client} command line, which is missing`,
          'npm run demo installs it; or: sh scripts/setup.sh clients',
        );
    const layout = layoutOf(text(invocation, 'data'));
    await new Demo(layout).tell(text(invocation, 'port'));
    return 0;
  },
};

/** The story: each step says what it does, shows the command as one would type it, and runs it with the real client. */
class Demo {
  readonly #layout: Layout;
  #step = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  async tell(port: string | undefined): Promise<void> {
    await this.#start(port);
    await this.#seed();
    const repository = await this.#buildAndPush();
    const network = await this.#prepare();
    await this.#runService(repository, network);
    await this.#show();
  }

  async #start(port: string | undefined): Promise<void> {
    this.#say('Start dabba: container engine, registry, ECS, VPC, IAM and logs in two processes');
    const data = ['--data', this.#layout.data];
    if (livingProcess(this.#layout.controlPidFile)) this.#tell('it is running already');
    else
      await this.#type('./dabba', ['up', '-d', ...data, ...(port === undefined ? [] : ['--port', port])], {
        program: join(project, 'dabba'),
      });
    const exports: unknown = JSON.parse(await run(join(project, 'dabba'), ['env', '--json', ...data]));
    Object.assign(process.env, exports, {
      AWS_DEFAULT_REGION: region,
      AWS_PAGER: '',
      DOCKER_BUILDKIT: '0',
      DOCKER_CONFIG: join(this.#layout.data, 'demo-docker'),
    });
    delete process.env['AWS_SESSION_TOKEN'];
    this.#tell(`clients are pointed at it: eval "$(./dabba env)"`);
  }

  async #seed(): Promise<void> {
    this.#say("Base images, made from this machine's own package sources (no image registry is needed)");
    await seed(this.#layout, ['node'], { isForced: false });
  }

  async #buildAndPush(): Promise<string> {
    this.#say('Build the guest book from its Dockerfile and push it to a private ECR repository');
    await this.#type('docker', ['build', '-t', 'guestbook:1', application], { isShown: true });
    await this.#aws(['ecr', 'create-repository', '--repository-name', names.repository], {
      unless: 'RepositoryAlreadyExistsException',
    });
    const uri = await this.#ask([
      'ecr',
      'describe-repositories',
      '--repository-names',
      names.repository,
      '--query',
      'repositories[0].repositoryUri',
    ]);
    const image = `${uri}:1`;
    const host = uri.split('/')[0]!;
    const password = await this.#ask(['ecr', 'get-login-password']);
    await this.#type('docker', ['login', '--username', 'AWS', '--password-stdin', host], { input: password });
    await this.#type('docker', ['tag', 'guestbook:1', image]);
    await this.#type('docker', ['push', '-q', image]);
    return image;
  }

  async #prepare(): Promise<{ readonly subnets: readonly string[]; readonly group: string }> {
    this.#say('A security group that lets port 8080 in, a role that may pull and log, a log group');
    const vpc = await this.#ask([
      'ec2',
      'describe-vpcs',
      '--filters',
      'Name=isDefault,Values=true',
      '--query',
      'Vpcs[0].VpcId',
    ]);
    const subnets = (
      await this.#ask([
        'ec2',
        'describe-subnets',
        '--filters',
        `Name=vpc-id,Values=${vpc}`,
        '--query',
        'Subnets[].SubnetId',
      ])
    ).split(/\s+/);
    await this.#aws(
      ['ec2', 'create-security-group', '--group-name', names.group, '--description', 'guest book', '--vpc-id', vpc],
      { unless: 'InvalidGroup.Duplicate' },
    );
    const group = await this.#ask([
      'ec2',
      'describe-security-groups',
      '--filters',
      `Name=group-name,Values=${names.group}`,
      '--query',
      'SecurityGroups[0].GroupId',
    ]);
    await this.#aws(
      [
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
      ],
      { unless: 'InvalidPermission.Duplicate' },
    );
    const statement = (fields: object) =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...fields }] });
    const trust = statement({ Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' });
    await this.#aws(['iam', 'create-role', '--role-name', names.role, '--assume-role-policy-document', trust], {
      unless: 'EntityAlreadyExists',
    });
    await this.#aws([
      'iam',
      'put-role-policy',
      '--role-name',
      names.role,
      '--policy-name',
      'pull-and-log',
      '--policy-document',
      statement({ Action: ['ecr:*', 'logs:*'], Resource: '*' }),
    ]);
    await this.#aws(['logs', 'create-log-group', '--log-group-name', names.logGroup], {
      unless: 'ResourceAlreadyExistsException',
    });
    return { subnets, group };
  }

  async #runService(
    image: string,
    network: { readonly subnets: readonly string[]; readonly group: string },
  ): Promise<void> {
    this.#say('An ECS service of two Fargate copies, each with its own network interface, spread over zones');
    await this.#aws(['ecs', 'create-cluster', '--cluster-name', names.cluster]);
    const role = await this.#ask(['iam', 'get-role', '--role-name', names.role, '--query', 'Role.Arn']);
    const definition = await this.#ask([
      'ecs',
      'register-task-definition',
      '--cli-input-json',
      JSON.stringify(taskDefinition(image, role)),
      '--query',
      'taskDefinition.taskDefinitionArn',
    ]);
    this.#tell(`registered ${definition}`);
    const configuration = `awsvpcConfiguration={subnets=[${network.subnets.join(',')}],securityGroups=[${network.group}],assignPublicIp=ENABLED}`;
    const status = await this.#ask([
      'ecs',
      'describe-services',
      '--cluster',
      names.cluster,
      '--services',
      names.service,
      '--query',
      'services[0].status',
    ]);
    const where = ['--cluster', names.cluster, '--task-definition', definition, '--desired-count', '2'];
    if (status === 'ACTIVE') await this.#aws(['ecs', 'update-service', '--service', names.service, ...where]);
    else
      await this.#aws([
        'ecs',
        'create-service',
        '--service-name',
        names.service,
        ...where,
        '--launch-type',
        'FARGATE',
        '--network-configuration',
        configuration,
      ]);
    this.#tell('waiting until both copies run …');
    await this.#type(
      'aws',
      ['ecs', 'wait', 'services-stable', '--cluster', names.cluster, '--services', names.service],
      { timeoutMs: STABLE_TIMEOUT_MS },
    );
  }

  async #show(): Promise<void> {
    this.#say('What runs, and how to reach it');
    const tasks = (
      await this.#ask([
        'ecs',
        'list-tasks',
        '--cluster',
        names.cluster,
        '--service-name',
        names.service,
        '--query',
        'taskArns[]',
      ])
    ).split(/\s+/);
    const query = "tasks[].[availabilityZone, attachments[0].details[?name=='networkInterfaceId'].value | [0]]";
    const rows = (
      await this.#ask(['ecs', 'describe-tasks', '--cluster', names.cluster, '--tasks', ...tasks, '--query', query])
    )
      .split('\n')
      .map((row) => row.split(/\s+/) as [string, string]);
    const addresses: string[] = [];
    for (const [zone, networkInterface] of rows) {
      const address = await this.#ask([
        'ec2',
        'describe-network-interfaces',
        '--network-interface-ids',
        networkInterface,
        '--query',
        'NetworkInterfaces[0].Association.PublicIp',
      ]);
      addresses.push(address);
      const answer = await fetch(`http://${address}:8080/api`, { signal: AbortSignal.timeout(10_000) });
      const { host, greeting } = (await answer.json()) as { host: string; greeting: string }; // examples/guestbook/server.mjs, GET /api
      this.#tell(`${zone}  http://${address}:8080/  "${greeting}", says ${host}`);
    }
    const { port } = resolveSettings({}, rememberedSettings(this.#layout));
    const data = this.#layout.data === layoutOf().data ? '' : ` --data ${this.#layout.data}`;
    process.stdout.write(
      [
        '',
        'It stays up. Try:',
        `  curl -s http://${addresses[0]}:8080/api`,
        `  eval "$(./dabba env${data})"                                             # AWS endpoint http://127.0.0.1:${port}`,
        `  aws ecs update-service --cluster ${names.cluster} --service ${names.service} --desired-count 4`,
        `  aws logs tail ${names.logGroup}        # AWS CLI v2; with v1: aws logs filter-log-events --log-group-name ${names.logGroup}`,
        `  ./dabba status${data}`,
        `  ./dabba down${data}                                                      # stops everything, state stays`,
        '',
      ].join('\n'),
    );
  }

  #say(title: string): void {
    this.#step++;
    process.stdout.write(`\n${this.#step}. ${title}\n`);
  }

  #tell(words: string): void {
    process.stdout.write(`   ${words}\n`);
  }

  /** An aws call whose answer is not shown. `unless`: an error that says the work is done already. */
  async #aws(args: readonly string[], options: { readonly unless?: string } = {}): Promise<void> {
    await this.#type('aws', args, options);
  }

  /** An aws call for its answer in text form; not shown. */
  async #ask(args: readonly string[]): Promise<string> {
    return (await run('aws', [...args, '--output', 'text'])).trim();
  }

  /** Shows a command as one would type it, runs it, and fails with what it said. */
  async #type(
    program: string,
    args: readonly string[],
    options: {
      readonly program?: string;
      readonly input?: string;
      readonly isShown?: boolean;
      readonly unless?: string;
      readonly timeoutMs?: number;
    } = {},
  ): Promise<void> {
    process.stdout.write(`   $ ${[program, ...args].map(quoted).join(' ')}\n`);
    const child = spawn(options.program ?? program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
    });
    child.stdin.end(options.input ?? '');
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
        if (options.isShown) process.stdout.write(chunk.replaceAll(/^/gm, '     ').replaceAll(/ +$/gm, ''));
      });
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (status === 0) return;
    if (options.unless !== undefined && output.includes(options.unless)) return this.#tell('(there already)');
    throw new UsageError(
      `"${program} ${args.slice(0, 2).join(' ')}" ended with status ${status}: ${output.trim().slice(-600)}`,
      `logs: ${this.#layout.logFile}`,
    );
  }
}

function taskDefinition(image: string, role: string): object {
  return {
    family: names.service,
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: '256',
    memory: '512',
    executionRoleArn: role,
    containerDefinitions: [
      {
        name: 'web',
        image,
        essential: true,
        portMappings: [{ containerPort: 8080 }],
        logConfiguration: {
          logDriver: 'awslogs',
          options: { 'awslogs-group': names.logGroup, 'awslogs-region': region, 'awslogs-stream-prefix': 'web' },
        },
      },
    ],
  };
}

/** As one would type it in a shell; long documents are cut for the eye. */
function quoted(argument: string): string {
  const short = argument.length > 100 ? `${argument.slice(0, 97)}…` : argument;
  return /^[\w@%+=:,./-]+$/.test(short) ? short : `'${short.replaceAll("'", `'\\''`)}'`;
}
