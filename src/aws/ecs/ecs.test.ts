import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock, systemRandom, type Arn } from '#base';
import { networkRecords } from '#network';
import { nodeRecords } from '#node';
import { runReconcilers } from '#reconcile';
import { memoryStore, type Store } from '#store';
import type { Principal, RoleSessionRequest } from '../auth/index.ts';
import { createEc2 } from '../ec2/index.ts';
import { AwsError } from '../errors.ts';
import { account, type Answer, callContext, caller, refused, until } from '../test-calls.ts';
import { FakeNode } from './fake-node.ts';
import { createEcs, type Ecs } from './index.ts';

const roleArn = `arn:aws:iam::${account}:role/exec` as Arn;

const definition = {
  family: 'web',
  requiresCompatibilities: ['FARGATE'],
  networkMode: 'awsvpc',
  cpu: '256',
  memory: '512',
  containerDefinitions: [{ name: 'web', image: 'public.ecr.aws/x/y', portMappings: [{ containerPort: 8080 }] }],
};

describe('ecs', () => {
  let store: Store;
  let stop: AbortController;
  let running: Promise<unknown>;
  let node: FakeNode;
  let ecs: Ecs;
  let sessions: RoleSessionRequest[];
  let passed: string[];
  let subnets: string[];
  let network: object;

  const context = () =>
    callContext({
      async authorize(action, resource) {
        if (resource.endsWith('/forbidden'))
          throw new AwsError('AccessDeniedException', `not authorized to perform: ${action}`);
        passed.push(resource);
      },
    });
  const call = caller(() => ecs.definition, context);

  const describeTask = async (task: string) =>
    (await call('DescribeTasks', { cluster: 'prod', tasks: [task] })).tasks[0];
  const inState = (task: string, lastStatus: string) =>
    until(store, async () => {
      const found = await describeTask(task);
      return found.lastStatus === lastStatus && found;
    });
  const describeService = async (name = 'web') =>
    (await call('DescribeServices', { cluster: 'prod', services: [name] })).services[0];
  const stable = (revision?: number) =>
    until(store, async () => {
      const service = await describeService();
      const isStable =
        service.deployments.length === 1 &&
        service.runningCount === service.desiredCount &&
        service.deployments[0].rolloutState === 'COMPLETED';
      return isStable && (revision === undefined || service.taskDefinition.endsWith(`:${revision}`)) && service;
    });
  const runTask = async (input: object = {}) =>
    (
      await call('RunTask', {
        cluster: 'prod',
        taskDefinition: 'web',
        launchType: 'FARGATE',
        networkConfiguration: network,
        ...input,
      })
    ).tasks;
  const createService = (input: object = {}) =>
    call('CreateService', {
      cluster: 'prod',
      serviceName: 'web',
      taskDefinition: 'web',
      desiredCount: 2,
      launchType: 'FARGATE',
      networkConfiguration: network,
      ...input,
    });

  function start(): void {
    stop = new AbortController();
    const options = { store, clock: systemClock, random: systemRandom, logger: silentLogger };
    const ec2 = createEc2({ ...options, publicCidr: '198.18.0.0/16' });
    ecs = createEcs({
      ...options,
      network: ec2.network,
      nodes: nodeRecords(store),
      signal: stop.signal,
      identities: {
        find: async () => undefined,
        hasExpired: () => false,
        describeRole: async () => undefined,
        async issueRoleSession(request) {
          sessions.push(request);
          return { accessKeyId: 'ASIA', secretAccessKey: 's', sessionToken: 't', expiresAt: 1, roleArn };
        },
      },
    });
    node = new FakeNode(store, stop.signal);
    running = Promise.all([
      node.run(),
      runReconcilers({ ...options, reconcilers: ecs.reconcilers, signal: stop.signal }),
    ]);
  }

  beforeEach(async () => {
    store = memoryStore();
    sessions = [];
    passed = [];
    start();
    const ec2 = createEc2({
      store,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      publicCidr: '198.18.0.0/16',
    });
    await ec2.network.ensureDefaultVpc({ account, region: 'us-east-1' });
    subnets = (await ec2.network.subnets({ account, region: 'us-east-1' })).map(({ id }) => id);
    network = { awsvpcConfiguration: { subnets, assignPublicIp: 'ENABLED' } };
    const { nodes } = nodeRecords(store);
    for (const zoneLetter of ['a', 'b', 'c'])
      await nodes.create(`n-${zoneLetter}`, {
        id: `n-${zoneLetter}`,
        zoneLetter,
        cpuUnits: 4096,
        memoryMiB: 8192,
        machineId: 'm',
        startedAt: 0,
      });
    await call('CreateCluster', { clusterName: 'prod' });
    await call('RegisterTaskDefinition', definition);
  });

  afterEach(async () => {
    stop.abort();
    await running;
    await store.close();
  });

  test('clusters: made once, described, refused while in use, gone', async () => {
    await assert.rejects(
      call('ListTasks', { cluster: 'nowhere' }),
      refused('ClusterNotFoundException', 'Cluster not found.'),
    );
    const described = await call('DescribeClusters', {
      clusters: ['prod', 'none'],
      include: ['SETTINGS', 'STATISTICS'],
    });
    assert.equal(described.clusters[0].status, 'ACTIVE');
    assert.equal(described.failures[0].reason, 'MISSING');
    const [{ taskArn }] = await runTask();
    await inState(taskArn, 'RUNNING');
    await assert.rejects(call('DeleteCluster', { cluster: 'prod' }), refused('ClusterContainsTasksException'));
    await call('StopTask', { cluster: 'prod', task: taskArn });
    await inState(taskArn, 'STOPPED');
    assert.equal((await call('DeleteCluster', { cluster: 'prod' })).cluster.status, 'INACTIVE');
    await assert.rejects(call('DeleteCluster', { cluster: 'prod' }), refused('ClusterNotFoundException'));
    assert.equal((await call('ListTasks')).taskArns.length, 0, 'the default cluster is there when it is meant');
  });

  test('settings of the account hold for those who have none of their own, and for new clusters', async () => {
    const setting = { name: 'containerInsights', value: 'enabled' };
    const insights = async (clusterName: string) =>
      (await call('CreateCluster', { clusterName })).cluster.settings[0].value;
    assert.equal(await insights('before'), 'disabled');
    await call('PutAccountSettingDefault', setting);
    assert.equal(await insights('after'), 'enabled');
    const principalArn = `arn:aws:iam::${account}:role/deployer`;
    await call('PutAccountSetting', { ...setting, value: 'enhanced', principalArn });
    const list = async (more: object) =>
      (await call('ListAccountSettings', { name: 'containerInsights', effectiveSettings: true, ...more })).settings[0];
    assert.equal((await list({})).value, 'enabled');
    assert.equal((await list({ principalArn })).value, 'enhanced');
    await call('DeleteAccountSetting', { name: 'containerInsights', principalArn });
    assert.equal((await list({ principalArn })).value, 'enabled');
    const { settings } = await call('ListAccountSettings', { effectiveSettings: true });
    assert.equal(settings.length, 10);
    const off = { name: 'serviceLongArnFormat', value: 'disabled' };
    await assert.rejects(call('PutAccountSetting', off), refused('UnsupportedOperation', 501));
    await call('PutAccountSetting', { ...off, value: 'enabled' });
    await assert.rejects(call('PutAccountSetting', { ...off, name: 'none' }), refused('InvalidParameterException'));
    const another = 'arn:aws:iam::111111111111:root';
    await assert.rejects(
      call('PutAccountSetting', { ...setting, principalArn: another }),
      refused('InvalidParameterException'),
    );
  });

  test('a role has settings of its own, and no say in those of others', async () => {
    const principalArn = `arn:aws:iam::${account}:role/deployer`;
    const principal = { kind: 'assumed-role', account, roleArn: principalArn } as Principal; // as much of it as settings read
    const asRole = caller(
      () => ecs.definition,
      () => ({ ...context(), principal }),
    );
    const setting = { name: 'containerInsights', value: 'enabled' };
    assert.equal((await asRole('PutAccountSetting', setting)).setting.principalArn, principalArn);
    await asRole('PutAccountSetting', { ...setting, principalArn });
    for (const other of ['root', 'user/somebody', 'role/other']) {
      const named = { ...setting, principalArn: `arn:aws:iam::${account}:${other}` };
      for (const operation of ['PutAccountSetting', 'DeleteAccountSetting', 'ListAccountSettings'])
        await assert.rejects(asRole(operation, named), refused('AccessDeniedException'));
    }
    const { settings } = await call('ListAccountSettings', { name: 'containerInsights', effectiveSettings: true });
    assert.equal(settings[0].value, 'disabled');
  });

  test('definitions are checked as the service checks them', async () => {
    const [web] = definition.containerDefinitions;
    const container = (more: object) => ({ containerDefinitions: [{ ...web, ...more }] });
    const cases: readonly (readonly [object, string])[] = [
      [{ memory: '9999' }, 'No Fargate configuration exists for given values: 256 CPU, 9999 memory.'],
      [{ cpu: undefined }, "Fargate requires that 'cpu' be defined at the task level."],
      [{ networkMode: 'bridge' }, "Fargate only supports network mode 'awsvpc'."],
      [{ family: 'a b' }, 'Family contains invalid characters.'],
      [{ containerDefinitions: [] }, 'Container list cannot be empty.'],
      [container({ essential: false }), 'essential'],
      [container({ name: '' }), 'Container.name should not be null or empty.'],
      [container({ portMappings: [{ containerPort: 80, hostPort: 81 }] }), 'must match'],
      [container({ privileged: true }), 'privileged'],
      [container({ mountPoints: [{ sourceVolume: 'v', containerPath: '/v' }] }), "Unknown volume 'v'."],
      [container({ healthCheck: { command: ['CMD', 'x'], interval: 1 } }), 'interval'],
      [container({ logConfiguration: { logDriver: 'syslog' } }), 'Fargate only supports log drivers'],
      [
        container({
          logConfiguration: {
            logDriver: 'awslogs',
            options: { 'awslogs-group': 'g', 'awslogs-region': 'r', 'awslogs-stream-prefix': 'p' },
          },
        }),
        'execution role ARN to support log driver awslogs',
      ],
      [container({ dependsOn: [{ containerName: 'none', condition: 'START' }] }), 'not in the task definition'],
      [
        {
          containerDefinitions: [
            { ...web, dependsOn: [{ containerName: 'b', condition: 'START' }] },
            { name: 'b', image: 'i', dependsOn: [{ containerName: 'web', condition: 'START' }] },
          ],
        },
        'cycle',
      ],
      [{ containerDefinitions: [web, web] }, 'more than once'],
    ];
    for (const [change, words] of cases)
      await assert.rejects(
        call('RegisterTaskDefinition', { ...definition, ...change }),
        refused('ClientException', words),
        words,
      );
    await assert.rejects(
      call('RegisterTaskDefinition', { family: 'ec2', containerDefinitions: [web] }),
      refused('ClientException', "At least one of 'memory' or 'memoryReservation' must be specified."),
    );
    await assert.rejects(
      call('RegisterTaskDefinition', { ...definition, taskRoleArn: `arn:aws:iam::${account}:role/forbidden` }),
      refused('AccessDeniedException', 'iam:PassRole'),
    );
  });

  test('revisions count, are listed, deregistered and deleted', async () => {
    const second = await call('RegisterTaskDefinition', {
      ...definition,
      cpu: '.5 vCPU',
      memory: '1GB',
      tags: [{ key: 'a', value: 'b' }],
    });
    assert.equal(second.taskDefinition.revision, 2);
    assert.deepEqual([second.taskDefinition.cpu, second.taskDefinition.memory], ['512', '1024']);
    assert.equal(second.taskDefinition.containerDefinitions[0].portMappings[0].hostPort, 8080);
    assert.deepEqual((await call('DescribeTaskDefinition', { taskDefinition: 'web', include: ['TAGS'] })).tags, [
      { key: 'a', value: 'b' },
    ]);
    await call('DeregisterTaskDefinition', { taskDefinition: 'web:2' });
    assert.equal((await call('DescribeTaskDefinition', { taskDefinition: 'web' })).taskDefinition.revision, 1);
    assert.equal((await call('ListTaskDefinitions', { familyPrefix: 'web' })).taskDefinitionArns.length, 1);
    await assert.rejects(runTask({ taskDefinition: 'web:2' }), refused('ClientException', 'inactive'));
    const deleted = await call('DeleteTaskDefinitions', { taskDefinitions: ['web:1', 'web:2'] });
    assert.equal(deleted.failures.length, 1);
    assert.equal(deleted.taskDefinitions[0].status, 'DELETE_IN_PROGRESS');
    await assert.rejects(call('DescribeTaskDefinition', { taskDefinition: 'web:2' }), refused('ClientException'));
    assert.equal((await call('RegisterTaskDefinition', definition)).taskDefinition.revision, 3);
    assert.deepEqual((await call('ListTaskDefinitionFamilies')).families, ['web']);
  });

  test('a task runs, is described in full, and is stopped', async () => {
    const [made] = await runTask({ startedBy: 'me', tags: [{ key: 'team', value: 'x' }] });
    assert.equal(made.lastStatus, 'PROVISIONING');
    const task = await inState(made.taskArn, 'RUNNING');
    assert.match(made.taskArn, /^arn:aws:ecs:us-east-1:000000000000:task\/prod\/[0-9a-f]{32}$/);
    const details = Object.fromEntries(task.attachments[0].details.map(({ name, value }: Answer) => [name, value]));
    assert.equal(task.attachments[0].type, 'ElasticNetworkInterface');
    const eni = (await networkRecords(store).networkInterfaces.list()).find(
      ({ value }) => value.id === details.networkInterfaceId,
    )!.value;
    assert.equal(eni.privateIp, details.privateIPv4Address);
    assert.ok(eni.publicIp && eni.attachment);
    assert.equal(task.containers[0].networkInterfaces[0].privateIpv4Address, eni.privateIp);
    assert.ok(task.startedAt && task.pullStoppedAt && task.connectivity === 'CONNECTED');
    const [spec] = await nodeRecords(store).specs.list();
    assert.equal(spec!.value.identity, made.taskArn);
    assert.equal(spec!.value.hostname, details.privateDnsName);
    assert.deepEqual((await call('ListTasks', { cluster: 'prod', startedBy: 'me', family: 'web' })).taskArns, [
      made.taskArn,
    ]);
    await assert.rejects(
      call('StopTask', { cluster: 'prod', task: '0'.repeat(32) }),
      refused('InvalidParameterException', 'not found'),
    );
    await call('StopTask', { cluster: 'prod', task: made.taskArn.split('/').at(-1), reason: 'enough' });
    const stopped = await inState(made.taskArn, 'STOPPED');
    assert.deepEqual([stopped.stopCode, stopped.stoppedReason], ['UserInitiated', 'enough']);
    assert.equal(stopped.containers[0].exitCode, 137);
    assert.equal((await networkRecords(store).networkInterfaces.list()).length, 0);
    assert.equal((await networkRecords(store).publicAddresses.list()).length, 0);
    assert.equal((await nodeRecords(store).specs.list()).length, 0);
  });

  test('what cannot start, or ends, says why', async () => {
    node.behave = () => ({
      kind: 'failed-to-start',
      reason: 'CannotPullContainerError',
      message: 'pull image manifest: not found',
    });
    const [bad] = await runTask();
    const failed = await inState(bad.taskArn, 'STOPPED');
    assert.deepEqual(
      [failed.stopCode, failed.stoppedReason],
      ['TaskFailedToStart', 'CannotPullContainerError: pull image manifest: not found'],
    );
    node.behave = () => 'runs';
    const [good] = await runTask();
    await inState(good.taskArn, 'RUNNING');
    await node.end(good.taskArn.split('/').at(-1), { kind: 'essential-container-exited', message: '' }, 9);
    const ended = await inState(good.taskArn, 'STOPPED');
    assert.deepEqual([ended.stopCode, ended.containers[0].exitCode], ['EssentialContainerExited', 9]);
    await assert.rejects(
      runTask({ taskDefinition: 'nope:1' }),
      refused('InvalidParameterException', 'TaskDefinition not found.'),
    );
    await assert.rejects(
      runTask({ networkConfiguration: undefined }),
      refused('InvalidParameterException', 'Network Configuration must be provided'),
    );
    await assert.rejects(
      runTask({ networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-0123'] } } }),
      refused('InvalidParameterException', 'InvalidSubnetID.NotFound'),
    );
    await assert.rejects(
      runTask({ launchType: 'EC2' }),
      refused('InvalidParameterException', 'No Container Instances'),
    );
    const missing = await call('DescribeTasks', { cluster: 'prod', tasks: ['0'.repeat(32)] });
    assert.equal(missing.failures[0].reason, 'MISSING');
  });

  test('copies are spread over zones within the room there is', async () => {
    const made = await runTask({ count: 6 });
    const zones: string[] = [];
    for (const { taskArn } of made) zones.push((await inState(taskArn, 'RUNNING')).availabilityZone);
    assert.deepEqual(
      zones.sort(),
      ['a', 'a', 'b', 'b', 'c', 'c'].map((letter) => `us-east-1${letter}`),
    );
    await call('RegisterTaskDefinition', { ...definition, family: 'huge', cpu: '4096', memory: '16384' });
    const [huge] = await runTask({ taskDefinition: 'huge' });
    const stopped = await inState(huge.taskArn, 'STOPPED');
    assert.match(stopped.stoppedReason, /^Capacity is unavailable/);
  });

  test('a service comes up, heals, scales, and drains', async () => {
    const made = await createService();
    assert.equal(made.service.deployments[0].rolloutState, 'IN_PROGRESS');
    await assert.rejects(createService(), refused('InvalidParameterException', 'not idempotent'));
    const up = await stable();
    assert.ok(up.events.some(({ message }: Answer) => message === '(service web) has reached a steady state.'));
    assert.ok(
      up.events.some(({ message }: Answer) =>
        /^\(service web\) has started 2 tasks: \(task [0-9a-f]+\) \(task /.test(message),
      ),
    );
    const [victim] = (await call('ListTasks', { cluster: 'prod', serviceName: 'web' })).taskArns;
    await call('StopTask', { cluster: 'prod', task: victim, reason: 'test' });
    await until(store, async () => {
      const { taskArns } = await call('ListTasks', { cluster: 'prod', serviceName: 'web' });
      return taskArns.length === 2 && !taskArns.includes(victim) && (await describeService()).runningCount === 2;
    });
    await call('UpdateService', { cluster: 'prod', service: 'web', desiredCount: 4 });
    await until(store, async () => (await describeService()).runningCount === 4);
    await call('UpdateService', { cluster: 'prod', service: 'web', desiredCount: 1 });
    await until(store, async () => (await describeService()).runningCount === 1);
    await assert.rejects(
      call('DeleteService', { cluster: 'prod', service: 'web' }),
      refused('InvalidParameterException', 'scaled above 0'),
    );
    assert.equal(
      (await call('DeleteService', { cluster: 'prod', service: 'web', force: true })).service.status,
      'DRAINING',
    );
    await until(store, async () => (await describeService()).status === 'INACTIVE');
    assert.equal((await call('ListTasks', { cluster: 'prod' })).taskArns.length, 0);
    assert.equal((await networkRecords(store).networkInterfaces.list()).length, 0);
    await assert.rejects(
      call('UpdateService', { cluster: 'prod', service: 'web', desiredCount: 1 }),
      refused('ServiceNotActiveException'),
    );
    await createService({ desiredCount: 0 });
  });

  test('a new revision replaces the copies within the percentages', async () => {
    await createService({ desiredCount: 3 });
    await stable();
    let fewest = Infinity;
    let most = 0;
    const watching = new AbortController();
    const watch = (async () => {
      for await (const _batch of store.watch('ecs/tasks/', { signal: watching.signal })) {
        const { runningCount, pendingCount } = await describeService();
        fewest = Math.min(fewest, runningCount);
        most = Math.max(most, runningCount + pendingCount);
      }
    })();
    await call('RegisterTaskDefinition', definition);
    await call('UpdateService', { cluster: 'prod', service: 'web', taskDefinition: 'web:2' });
    const rolled = await stable(2);
    watching.abort();
    await watch;
    assert.equal(rolled.deployments[0].status, 'PRIMARY');
    assert.ok(fewest >= 3, `never below 100 %, but ${fewest}`);
    assert.ok(most <= 6, `never above 200 %, but ${most}`);
    const { taskArns } = await call('ListTasks', { cluster: 'prod' });
    const { tasks } = await call('DescribeTasks', { cluster: 'prod', tasks: taskArns });
    assert.ok(tasks.every(({ taskDefinitionArn }: Answer) => taskDefinitionArn.endsWith(':2')));
  });

  test('copies that cannot start are tried again ever more slowly, and the service says so', async () => {
    node.behave = () => ({ kind: 'failed-to-start', reason: 'CannotPullContainerError', message: 'no' });
    await createService({ desiredCount: 3 });
    const complaint = await until(store, async () =>
      (await describeService()).events.find(({ message }: Answer) =>
        message.includes('unable to consistently start tasks successfully'),
      ),
    );
    assert.match(complaint.message, /^\(service web\) is unable/);
    const { deployments } = await describeService();
    assert.ok(deployments[0].failedTasks >= 3);
    assert.equal(deployments[0].rolloutState, 'IN_PROGRESS');
  });

  test('a broken revision trips the circuit breaker and is rolled back', async () => {
    await createService({
      desiredCount: 3,
      deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
    });
    const before = await stable(1);
    await call('RegisterTaskDefinition', { ...definition, containerDefinitions: [{ name: 'web', image: 'broken' }] });
    node.behave = ({ containers }) =>
      containers[0]!.image === 'broken'
        ? { kind: 'failed-to-start', reason: 'CannotPullContainerError', message: 'no' }
        : 'runs';
    await call('UpdateService', { cluster: 'prod', service: 'web', taskDefinition: 'web:2' });
    const said = await until(store, async () =>
      (await describeService()).events.find(({ message }: Answer) => message.includes('rolling back to deployment')),
    );
    assert.ok(said.message.endsWith(`${before.deployments[0].id}.`));
    const after = await stable(1);
    assert.equal(after.deployments[0].id, before.deployments[0].id);
  });

  test('a copy that its health check condemns is replaced; one not yet judged is not counted', async () => {
    const healthCheck = { command: ['CMD-SHELL', 'true'] };
    await call('RegisterTaskDefinition', {
      ...definition,
      containerDefinitions: [{ ...definition.containerDefinitions[0], healthCheck }],
    });
    await createService({ desiredCount: 1 });
    const running = await until(store, async () => {
      const service = await describeService();
      return service.runningCount === 1 && service;
    });
    assert.equal(running.deployments[0].rolloutState, 'IN_PROGRESS');
    const [first] = (await call('ListTasks', { cluster: 'prod' })).taskArns;
    await node.judge('healthy');
    await stable();
    assert.equal((await describeTask(first)).healthStatus, 'HEALTHY');
    await node.judge('unhealthy');
    const stopped = await inState(first, 'STOPPED');
    assert.deepEqual(
      [stopped.stopCode, stopped.stoppedReason],
      ['ServiceSchedulerInitiated', 'Task failed container health checks'],
    );
    await until(store, async () => (await call('ListTasks', { cluster: 'prod' })).taskArns.length === 1);
  });

  test('everything goes on after the process was killed', async () => {
    await createService();
    await stable();
    const before = (await call('ListTasks', { cluster: 'prod' })).taskArns;
    stop.abort();
    await running;
    const { statuses, specs } = nodeRecords(store);
    const [gone] = await specs.list();
    await statuses.update(gone!.id, (status) => ({
      ...status,
      phase: 'stopped',
      failure: { kind: 'essential-container-exited', message: '' },
    }));
    start();
    await until(store, async () => {
      const { taskArns } = await call('ListTasks', { cluster: 'prod' });
      return (
        taskArns.length === 2 &&
        !taskArns.includes(gone!.value.identity) &&
        (await describeService()).runningCount === 2
      );
    });
    assert.ok(before.includes(gone!.value.identity));
  });

  test('credentials are those of the task’s roles', async () => {
    await call('RegisterTaskDefinition', { ...definition, executionRoleArn: roleArn });
    const [{ taskArn }] = await runTask();
    assert.equal((await ecs.taskCredentials(taskArn, 'execution')).accessKeyId, 'ASIA');
    assert.equal(sessions[0]!.roleArn, roleArn);
    assert.equal(sessions[0]!.service, 'ecs-tasks.amazonaws.com');
    assert.ok(passed.includes(roleArn));
    await assert.rejects(ecs.taskCredentials(taskArn, 'task'), /no task role/);
    await inState(taskArn, 'RUNNING');
  });

  test('tags by ARN', async () => {
    const { clusterArn } = (await call('DescribeClusters', { clusters: ['prod'] })).clusters[0];
    await call('TagResource', { resourceArn: clusterArn, tags: [{ key: 'a', value: '1' }] });
    assert.deepEqual((await call('ListTagsForResource', { resourceArn: clusterArn })).tags, [{ key: 'a', value: '1' }]);
    await call('UntagResource', { resourceArn: clusterArn, tagKeys: ['a'] });
    assert.deepEqual((await call('ListTagsForResource', { resourceArn: clusterArn })).tags, []);
  });
});
