/**
 * How fast dabba starts and runs tasks, and how big it is when idle.
 *   node bench/start.ts        (root; nothing else busy on the machine)
 * Prints: `up` to the first answered call, resident memory of both processes, run-task answered to RUNNING, 20 tasks at once.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { freePort } from '../test/harness/dabba.ts';

const RUNS = 9;
const project = resolve(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'dabba-bench-'));
const data = join(work, 'data');
const port = await freePort();
const dabba = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(join(project, 'dabba'), [...args, '--data', data], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`dabba ${args[0]}: ${stderr}`);
  return stdout;
};
const client = {
  endpoint: `http://127.0.0.1:${port}`,
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
};
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const show = (name: string, values: readonly number[], unit: string) =>
  console.log(
    `${name.padEnd(52)} p50 ${median(values).toFixed(0)} ${unit}   min ${Math.min(...values).toFixed(0)}   max ${Math.max(...values).toFixed(0)}   n ${values.length}`,
  );

try {
  dabba('up', '-d', '--port', String(port), '--public-cidr', '198.19.250.0/24');
  dabba('images', 'seed', 'busybox');
  dabba('down');

  const starts: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startedAt = performance.now();
    dabba('up', '-d');
    await new STSClient(client).send(new GetCallerIdentityCommand({}));
    starts.push(performance.now() - startedAt);
    if (run < RUNS - 1) dabba('down');
  }
  show('up -d to the first answered call', starts, 'ms');

  dabba('down');
  dabba('up', '-d');
  await new Promise((settled) => setTimeout(settled, 5000)); // idle is what is left when nothing happens
  const { rssBytes, hostRssBytes } = JSON.parse(dabba('status', '--json')) as {
    rssBytes: number;
    hostRssBytes: number;
  };
  console.log(
    `idle resident memory: control plane ${(rssBytes / 2 ** 20).toFixed(0)} MiB, host ${(hostRssBytes / 2 ** 20).toFixed(0)} MiB, together ${((rssBytes + hostRssBytes) / 1e6).toFixed(0)} MB`,
  );

  await measureTasks();
} finally {
  dabba('down');
  rmSync(work, { recursive: true, force: true });
}

async function measureTasks(): Promise<void> {
  const ecs = new ECSClient(client);
  const { Subnets } = await new EC2Client(client).send(new DescribeSubnetsCommand({}));
  await ecs.send(new CreateClusterCommand({ clusterName: 'bench' }));
  const image = 'public.ecr.aws/docker/library/busybox:latest';
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'nap',
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'c', image, command: ['sh', '-c', 'trap exit TERM; sleep 600 & wait'] }],
    }),
  );
  const run = async (count: number) => {
    const { tasks } = await ecs.send(
      new RunTaskCommand({
        cluster: 'bench',
        taskDefinition: 'nap',
        launchType: 'FARGATE',
        count,
        networkConfiguration: { awsvpcConfiguration: { subnets: Subnets!.map(({ SubnetId }) => SubnetId!) } },
      }),
    );
    return tasks!.map(({ taskArn }) => taskArn!);
  };
  const untilRunning = async (arns: readonly string[]) => {
    for (;;) {
      const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster: 'bench', tasks: [...arns] }));
      if (tasks!.every(({ lastStatus }) => lastStatus === 'RUNNING')) return tasks!;
      const stopped = tasks!.find(({ lastStatus }) => lastStatus === 'STOPPED');
      if (stopped) throw new Error(`a task stopped: ${stopped.stoppedReason}`);
      await new Promise((next) => setTimeout(next, 5)); // DescribeTasks announces nothing
    }
  };
  const stop = async (arns: readonly string[]) => {
    for (const task of arns) await ecs.send(new StopTaskCommand({ cluster: 'bench', task }));
    for (;;) {
      const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster: 'bench', tasks: [...arns] }));
      if (tasks!.every(({ lastStatus }) => lastStatus === 'STOPPED')) return;
      await new Promise((next) => setTimeout(next, 50));
    }
  };
  await stop(await runOnce());

  const single: number[] = [];
  for (let index = 0; index < 2 * RUNS; index++) {
    const arns = await run(1);
    const answeredAt = performance.now();
    await untilRunning(arns);
    single.push(performance.now() - answeredAt);
    await stop(arns);
  }
  show('run-task answered to RUNNING, image cached, with ENI', single, 'ms');

  const twenty: number[] = [];
  for (let round = 0; round < 7; round++) {
    const startedAt = performance.now();
    const arns = [...(await run(10)), ...(await run(10))];
    await Promise.all([untilRunning(arns.slice(0, 10)), untilRunning(arns.slice(10))]);
    twenty.push(performance.now() - startedAt);
    await stop(arns);
  }
  show('20 tasks at once, asked to all RUNNING', twenty, 'ms');

  /** The first task pulls and unpacks the image. */
  async function runOnce(): Promise<string[]> {
    const arns = await run(1);
    await untilRunning(arns);
    return arns;
  }
}
