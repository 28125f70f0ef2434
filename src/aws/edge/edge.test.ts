import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetDashboardCommand,
  PutMetricDataCommand,
} from '@aws-sdk/client-cloudwatch';
import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteClusterCommand,
  DescribeClustersCommand,
  ECSClient,
  ListServicesCommand,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { GetUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { DabbaError } from '#base';
import { AwsError } from '../errors.ts';
import { defineService } from '../service.ts';
import { startTestWorld, type TestWorld } from '../test-world.ts';

let runs = 0;
let world: TestWorld;

const ecs = defineService<typeof import('@aws-sdk/client-ecs')>({
  name: 'ecs',
  signingNames: ['ecs'],
  eventSource: 'ecs.amazonaws.com',
  loadSdk: () => import('@aws-sdk/client-ecs'),
  idempotency: { RunTask: 'ConflictException', CreateService: 'InvalidParameterException' },
  handlers: {
    DescribeClusters: ({ clusters }, { account }) => ({
      clusters: clusters?.map((clusterName) => ({ clusterName, clusterArn: account })),
    }),
    CreateCluster() {
      throw new Error('the secret plan is at /var/lib/plan');
    },
    DeleteCluster({ cluster }) {
      throw new AwsError('ClusterNotFoundException', `Cluster ${cluster} not found.`);
    },
    ListServices() {
      throw new DabbaError('InvalidArgument', 'the cluster "x y" is no name');
    },
    StopTask() {
      throw new DabbaError('Unavailable', 'the store is out of reach');
    },
    async CreateService({ serviceName }, context) {
      if (serviceName === 'taken') {
        context.remember({ service: { serviceName } });
        throw new DabbaError('Conflict', 'somebody else was faster');
      }
      await world.store.txn({ success: context.remember({ service: { serviceName, desiredCount: ++runs } }) });
      throw new Error('the process ended');
    },
    RunTask({ count }) {
      runs++;
      return {
        tasks: Array.from({ length: count ?? 1 }, () => ({
          taskArn: `task-${runs}`,
          createdAt: new Date(1_700_000_000_500),
        })),
      };
    },
  },
});

const ec2 = defineService<typeof import('@aws-sdk/client-ec2')>({
  name: 'ec2',
  signingNames: ['ec2'],
  eventSource: 'ec2.amazonaws.com',
  loadSdk: () => import('@aws-sdk/client-ec2'),
  handlers: {
    DescribeVpcs({ VpcIds }) {
      if (VpcIds?.length) throw new AwsError('InvalidVpcID.NotFound', `The vpc ID '${VpcIds[0]}' does not exist`);
      return { Vpcs: [{ VpcId: 'vpc-1', Tags: [{ Key: 'Name', Value: '<a> & "b"' }] }] };
    },
  },
});

const cloudwatch = defineService<typeof import('@aws-sdk/client-cloudwatch')>({
  name: 'cloudwatch',
  signingNames: ['monitoring'],
  eventSource: 'monitoring.amazonaws.com',
  loadSdk: () => import('@aws-sdk/client-cloudwatch'),
  handlers: {
    GetDashboard() {
      throw new AwsError('DashboardNotFoundError', 'no such dashboard');
    },
    PutMetricData: () => ({}),
  },
});

interface Refusal {
  readonly name: string;
  readonly message: string;
  readonly $metadata: { readonly httpStatusCode?: number; readonly requestId?: string; readonly attempts?: number };
}

async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    return error as Refusal;
  }
  throw new assert.AssertionError({ message: 'should have been refused' });
}

suite('the edge', () => {
  before(async () => {
    world = await startTestWorld([ecs, ec2, cloudwatch]);
  });
  after(async () => await world[Symbol.asyncDispose]());

  const config = (accessKeyId = 'test', secretAccessKey = 'test') => ({
    endpoint: world.endpoint,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  });

  test('serves a typed call and says who called', async () => {
    const { clusters } = await new ECSClient(config('111122223333')).send(
      new DescribeClustersCommand({ clusters: ['a'] }),
    );
    assert.deepEqual(clusters, [{ clusterName: 'a', clusterArn: '111122223333' }]);
    const caller = await new STSClient(config()).send(new GetCallerIdentityCommand({}));
    assert.equal(caller.Arn, 'arn:aws:iam::000000000000:root');
    const { Vpcs } = await new EC2Client(config()).send(new DescribeVpcsCommand({}));
    assert.equal(Vpcs?.[0]?.Tags?.[0]?.Value, '<a> & "b"');
    await new CloudWatchClient(config()).send(new PutMetricDataCommand({ Namespace: 'x', MetricData: [] }));
  });

  test('modelled errors come as the service words them', async () => {
    const cluster = await refusalOf(new ECSClient(config()).send(new DeleteClusterCommand({ cluster: 'x' })));
    assert.deepEqual(
      [cluster.name, cluster.message, cluster.$metadata.httpStatusCode],
      ['ClusterNotFoundException', 'Cluster x not found.', 400],
    );
    assert.match(cluster.$metadata.requestId ?? '', /^[0-9a-f-]{36}$/);
    const user = await refusalOf(new IAMClient(config()).send(new GetUserCommand({ UserName: 'nobody' })));
    assert.deepEqual([user.name, user.$metadata.httpStatusCode], ['NoSuchEntityException', 404]);
    const vpc = await refusalOf(new EC2Client(config()).send(new DescribeVpcsCommand({ VpcIds: ['vpc-0'] })));
    assert.deepEqual([vpc.name, vpc.$metadata.httpStatusCode], ['InvalidVpcID.NotFound', 400]);
    const dashboard = await refusalOf(
      new CloudWatchClient(config()).send(new GetDashboardCommand({ DashboardName: 'x' })),
    );
    // Clients that know the service by its Query codes are told those.
    assert.deepEqual([dashboard.name, dashboard.$metadata.httpStatusCode], ['ResourceNotFound', 404]);
  });

  test('our own failure kinds become codes that the service declares', async () => {
    const invalid = await refusalOf(new ECSClient(config()).send(new ListServicesCommand({})));
    assert.deepEqual([invalid.name, invalid.message], ['InvalidParameterException', 'the cluster "x y" is no name']);
    const unavailable = await refusalOf(new ECSClient(config()).send(new StopTaskCommand({ task: 'x' })));
    assert.equal(unavailable.$metadata.httpStatusCode, 503);
  });

  test('what nobody foresaw is logged and tells nothing', async () => {
    const failure = await refusalOf(new ECSClient(config()).send(new CreateClusterCommand({})));
    assert.deepEqual([failure.name, failure.$metadata.httpStatusCode], ['InternalFailure', 500]);
    assert.doesNotMatch(failure.message, /plan/);
    const line = world.logged.find((text) => text.includes('secret plan'));
    assert.ok(line?.includes(failure.$metadata.requestId ?? '-'), 'the log names the request');
  });

  test('what is not built answers 501 and is not tried again', async () => {
    for (const attempt of [
      () => new ECSClient({ ...config(), maxAttempts: 3 }).send(new ListTasksCommand({})),
      () => new CloudWatchClient({ ...config(), maxAttempts: 3 }).send(new DescribeAlarmsCommand({})),
    ]) {
      const refusal = await refusalOf(attempt());
      assert.deepEqual(
        [refusal.name, refusal.$metadata.httpStatusCode, refusal.$metadata.attempts],
        ['UnsupportedOperation', 501, 1],
      );
    }
  });

  test('signatures that are not accepted, in the words of each protocol', async () => {
    const refusals = async (key: string, secret: string) =>
      (
        await Promise.all([
          refusalOf(new STSClient(config(key, secret)).send(new GetCallerIdentityCommand({}))),
          refusalOf(new ECSClient(config(key, secret)).send(new DescribeClustersCommand({}))),
          refusalOf(new EC2Client(config(key, secret)).send(new DescribeVpcsCommand({}))),
        ])
      ).map(({ name }) => name);
    assert.deepEqual(await refusals('test', 'wrong'), [
      'SignatureDoesNotMatch',
      'InvalidSignatureException',
      'AuthFailure',
    ]);
    assert.deepEqual(await refusals('AKIAUNKNOWN000000000', 'x'), [
      'InvalidClientTokenId',
      'UnrecognizedClientException',
      'AuthFailure',
    ]);
  });

  test('calls without a signature are refused in the form they came in', async () => {
    const post = (headers: Record<string, string>, body: string) =>
      fetch(world.endpoint, { method: 'POST', headers, body });
    const json = await post({ 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListClusters' }, '{}');
    assert.equal(((await json.json()) as { __type: string }).__type, 'MissingAuthenticationTokenException');
    const form = await post(
      { 'content-type': 'application/x-www-form-urlencoded' },
      'Action=GetCallerIdentity&Version=2011-06-15',
    );
    assert.match(await form.text(), /<Code>MissingAuthenticationToken<\/Code>/);
    const cbor = await post({ 'smithy-protocol': 'rpc-v2-cbor' }, '');
    assert.equal(cbor.headers.get('content-type'), 'application/cbor');
    assert.equal(cbor.headers.get('x-amzn-errortype'), 'MissingAuthenticationTokenException');
  });

  test('a body that is too large is refused unread', async () => {
    const response = await fetch(world.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListClusters' },
      body: Buffer.alloc(5 * 1024 * 1024),
    });
    assert.equal(response.status, 413);
  });

  test('a client token gets its first answer again', async () => {
    const client = new ECSClient(config());
    const run = (count: number) =>
      client.send(new RunTaskCommand({ taskDefinition: 'web', count, clientToken: 'once' }));
    const first = await run(2);
    const second = await run(2);
    assert.equal(runs, 1);
    assert.deepEqual(second.tasks, first.tasks);
    assert.deepEqual(second.tasks?.[0]?.createdAt, new Date(1_700_000_000_500));
    assert.equal((await refusalOf(run(3))).name, 'ConflictException');
  });

  test('an answer that was written with its effect is there, whatever happened then', async () => {
    const client = new ECSClient({ ...config(), maxAttempts: 1 });
    const create = (serviceName: string) =>
      client.send(new CreateServiceCommand({ serviceName, clientToken: 'at-most-once' }));
    await refusalOf(create('web'));
    const before = runs;
    assert.equal((await create('web')).service?.desiredCount, before);
    assert.equal(runs, before);
    assert.equal((await refusalOf(create('other'))).name, 'InvalidParameterException');
  });

  test('an answer whose effect was refused leaves nothing', async (t) => {
    const client = new ECSClient({ ...config(), maxAttempts: 1 });
    const granted = t.mock.method(world.store, 'grantLease');
    const revoked = t.mock.method(world.store, 'revokeLease');
    await refusalOf(client.send(new CreateServiceCommand({ serviceName: 'taken', clientToken: 'refused' })));
    assert.deepEqual([granted.mock.callCount(), revoked.mock.callCount()], [1, 1]);
  });

  test('each call whose caller is known is told of once', async () => {
    const before = world.finished.length;
    await new ECSClient(config()).send(new DescribeClustersCommand({ clusters: ['b'] }));
    await refusalOf(new ECSClient(config()).send(new DeleteClusterCommand({ cluster: 'x' })));
    await refusalOf(new ECSClient(config('test', 'wrong')).send(new DeleteClusterCommand({ cluster: 'x' })));
    const told = world.finished.slice(before).map(({ call, error }) => [call.wireCall?.operation.name, error?.code]);
    assert.deepEqual(told, [
      ['DescribeClusters', undefined],
      ['DeleteCluster', 'ClusterNotFoundException'],
    ]);
  });

  test('a clock that is off is told so', async () => {
    await using later = await startTestWorld([ecs]);
    later.clock.advance(3_600_000);
    const client = new ECSClient({ ...config(), endpoint: later.endpoint });
    const { name, message } = await refusalOf(client.send(new DescribeClustersCommand({})));
    assert.equal(name, 'InvalidSignatureException');
    assert.match(message, /^Signature expired: \d{8}T\d{6}Z is now earlier than/);
  });
});

test('gzip bodies are opened to their limit', async () => {
  const { decodeBody } = await import('./body.ts');
  const body = gzipSync(Buffer.alloc(1000));
  assert.equal(decodeBody(body, 'gzip', 1000).length, 1000);
  assert.throws(() => decodeBody(body, 'gzip', 999), /larger than 999/);
  assert.throws(() => decodeBody(Buffer.from('x'), 'gzip', 999), /not valid gzip/);
});
