import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DabbaError, isDabbaError, silentLogger, systemClock } from '#base';
import type { ContainerSpec, LogLine, SandboxServices, SandboxSpec } from '#node';
import { readClaim, SignatureVerifier } from '../auth/sigv4/index.ts';
import { eventBatches } from './event-batches.ts';
import { networkRecords, type NetworkInterface } from '#network';
import { nodeRecords, sandboxKey } from '#node';
import { memoryStore } from '#store';
import { createEcsAgent, sandboxLocator } from './index.ts';

const identity = 'arn:aws:ecs:us-east-1:000000000000:task/prod/0123456789abcdef';
const container: ContainerSpec = {
  name: 'web',
  image: 'x',
  isEssential: true,
  environment: {},
  mounts: [],
  dependsOn: [],
  stopTimeoutMs: 1000,
  labels: {},
  log: {
    driver: 'awslogs',
    options: { 'awslogs-group': '/ecs/app', 'awslogs-region': 'eu-west-1', 'awslogs-stream-prefix': 'web' },
  },
};
const sandbox: SandboxSpec = {
  id: 's',
  nodeId: 'n',
  tenant: '000000000000',
  region: 'us-east-1',
  desired: 'running',
  volumes: [],
  containers: [container],
  identity,
};

describe('ecs agent', () => {
  const { signal } = new AbortController();
  let calls: {
    readonly target: string;
    readonly input: { readonly [name: string]: unknown };
    readonly region: string;
  }[];
  let answers: { readonly [operation: string]: readonly [number, object] };
  let hasRole: boolean;
  let asked: number;
  let agent: SandboxServices;
  let close: () => Promise<void>;

  beforeEach(async () => {
    calls = [];
    answers = {};
    hasRole = true;
    asked = 0;
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks);
        const region = verified(request.headers, body);
        const target = String(request.headers['x-amz-target']);
        calls.push({ target, region, input: JSON.parse(body.toString()) as { [name: string]: unknown } });
        const [status, answer] = answers[target.split('.')[1]!] ?? [200, {}];
        response.writeHead(status).end(JSON.stringify(answer));
      });
    });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    close = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    agent = createEcsAgent({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async credentials(taskArn, role) {
        assert.deepEqual([taskArn, role], [identity, 'execution']);
        asked++;
        if (!hasRole) throw new DabbaError('FailedPrecondition', 'no execution role');
        return {
          accessKeyId: 'ASIA',
          secretAccessKey: 'secret',
          sessionToken: 'token',
          expiresAt: Date.now() + 3_600_000,
        };
      },
      clock: systemClock,
      logger: silentLogger,
    });
  });
  afterEach(() => close());

  /** Throws unless the edge would accept the signature. */
  function verified(headers: IncomingHttpHeaders, body: Buffer): string {
    const claim = readClaim(headers, '')!;
    const secret = { secretAccessKey: 'secret', sessionToken: 'token' };
    new SignatureVerifier().verify({ method: 'POST', path: '/', query: '', headers, body }, claim, secret, Date.now());
    return claim.region;
  }

  test('a private repository is pulled from as the execution role, others anonymously', async () => {
    const authorizationToken = Buffer.from('AWS:pass:word').toString('base64');
    answers = { GetAuthorizationToken: [200, { authorizationData: [{ authorizationToken }] }] };
    const image = '000000000000.dkr.ecr.eu-west-1.amazonaws.com/team/app:1';
    assert.deepEqual(await agent.pullCredentials(sandbox, image, signal), { username: 'AWS', password: 'pass:word' });
    assert.equal(calls[0]!.region, 'eu-west-1');
    assert.equal(await agent.pullCredentials(sandbox, 'public.ecr.aws/docker/library/busybox', signal), undefined);
    assert.equal(await agent.pullCredentials(sandbox, 'busybox', signal), undefined);
    answers = {
      GetAuthorizationToken: [
        400,
        { __type: 'AccessDeniedException', message: 'not authorized to perform: ecr:GetAuthorizationToken' },
      ],
    };
    await assert.rejects(agent.pullCredentials(sandbox, image, signal), (error) =>
      isDabbaError(error, 'PermissionDenied'),
    );
    assert.equal(asked, 1, 'a session serves many calls');
  });

  test('without an execution role a private image is refused in words', async () => {
    hasRole = false;
    await assert.rejects(
      agent.pullCredentials(sandbox, '000000000000.dkr.ecr.us-east-1.amazonaws.com/a:1', signal),
      (error) => isDabbaError(error, 'PermissionDenied') && /no execution role/.test(error.message),
    );
  });

  test('lines go to the stream of the container, in order', async () => {
    const sink = await agent.openLog(sandbox, container, signal);
    const lines: LogLine[] = [
      { at: 2, stream: 'stdout', message: 'two' },
      { at: 1, stream: 'stderr', message: 'one' },
      { at: 3, stream: 'stdout', message: '' },
    ];
    await sink.write(lines, signal);
    await sink.close();
    const names = { logGroupName: '/ecs/app', logStreamName: 'web/web/0123456789abcdef' };
    assert.deepEqual(
      calls.map(({ target, input }) => [target, input]),
      [
        ['Logs_20140328.CreateLogStream', names],
        [
          'Logs_20140328.PutLogEvents',
          {
            ...names,
            logEvents: [
              { timestamp: 1, message: 'one' },
              { timestamp: 2, message: 'two' },
            ],
          },
        ],
      ],
    );
    assert.equal(calls[0]!.region, 'eu-west-1');
  });

  test('a log that cannot be opened says what CloudWatch Logs said', async () => {
    answers = {
      CreateLogStream: [
        400,
        { __type: 'ResourceNotFoundException', message: 'The specified log group does not exist.' },
      ],
    };
    await assert.rejects(
      agent.openLog(sandbox, container, signal),
      /failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group/,
    );
    answers = { CreateLogStream: [400, { __type: 'ResourceAlreadyExistsException', message: 'there' }] };
    await agent.openLog(sandbox, container, signal);
  });

  test('an endpoint that does not answer is worth another try', async () => {
    await close();
    await assert.rejects(agent.openLog(sandbox, container, signal), (error) => isDabbaError(error, 'Unavailable'));
  });

  test("a task finds its metadata and its role's credentials, and nobody else's", async () => {
    const store = memoryStore();
    const served: SandboxSpec = {
      ...sandbox,
      networkInterfaceId: 'eni-1',
      facts: { taskRole: 'arn:aws:iam::000000000000:role/task', family: 'web', revision: '1', privateIp: '127.0.0.1' },
    };
    // Only the members that are looked at; the rest of the record is the network's.
    const eni = { vpcId: 'vpc-1', privateIp: '127.0.0.1' } as NetworkInterface;
    await networkRecords(store).networkInterfaces.create(`${served.tenant}/${served.region}/eni-1`, eni);
    await nodeRecords(store).specs.create(sandboxKey(served), served);
    const inside = createEcsAgent({
      endpoint: 'http://127.0.0.1:1',
      credentials: async (_taskArn, role) => ({
        accessKeyId: role,
        secretAccessKey: 's',
        sessionToken: 't',
        expiresAt: Date.now() + 3_600_000,
      }),
      sandboxes: sandboxLocator(store, ['n']),
      clock: systemClock,
      logger: silentLogger,
    });
    const environment = inside.environment(served, container);
    const get = async (vpcId: string, path: string) => {
      await using server = inside.linkLocal!({ vpcId });
      server.listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
        headers: { connection: 'close' },
      });
      return { status: answer.status, body: (await answer.json()) as { readonly [name: string]: unknown } };
    };
    const path = environment.ECS_CONTAINER_METADATA_URI_V4!.slice('http://169.254.170.2'.length);
    const task = await get('vpc-1', `${path}/task`);
    assert.deepEqual([task.body.TaskARN, task.body.Family], [identity, 'web']);
    assert.equal((await get('vpc-1', path)).body.Name, 'web');
    const mine = await get('vpc-1', environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI!);
    assert.deepEqual([mine.body.RoleArn, mine.body.AccessKeyId], ['arn:aws:iam::000000000000:role/task', 'task']);
    assert.equal((await get('vpc-2', environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI!)).status, 404);
    assert.equal((await get('vpc-1', '/v2/credentials/other')).status, 404);
    await store.close();
  });

  test('batches keep within the limits of PutLogEvents', () => {
    const line = (at: number, message: string): LogLine => ({ at, stream: 'stdout', message });
    assert.deepEqual([...eventBatches([])], []);
    const many = [...eventBatches(Array.from({ length: 10_001 }, (_, index) => line(index, 'x')))];
    assert.deepEqual(
      many.map(({ length }) => length),
      [10_000, 1],
    );
    assert.equal([...eventBatches([line(0, 'x'), line(86_400_001, 'y')])].length, 2);
    const long = 'é'.repeat(700_000);
    const cut = [...eventBatches([line(0, long)])];
    assert.equal(
      cut
        .flat()
        .map(({ message }) => message)
        .join(''),
      long,
    );
    for (const batch of cut)
      assert.ok(batch.reduce((sum, { message }) => sum + Buffer.byteLength(message) + 26, 0) <= 1_048_576);
  });
});
