/**
 * Requests a second of a signed DescribeClusters, against moto_server in the same minute.
 *   node bench/aws.ts          (needs wrk, and moto_server on PATH)
 * The peer checks no signature, decides nothing and keeps no trail; dabba does all three, over its embedded store on disk. Rounds alternate between
 * the servers; what counts is the median of the rounds' ratios.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateClusterCommand, DescribeClustersCommand, ECSClient, type ECSClientConfig } from '@aws-sdk/client-ecs';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { createCloudTrail, createCloudWatch, createEc2, createEcs, createEdge, createStsService, openIam } from '#aws';
import { silentLogger, systemClock, systemRandom } from '#base';
import { nodeRecords } from '#node';
import { openSqliteStore } from '#store';
import { freePort } from '../test/harness/dabba.ts';

const ROUNDS = 7;
const SECONDS = 3;
const CONNECTIONS = 16;
const role = process.argv[2];

if (role === 'serve') await serve(process.argv[3]!);
else await compare();

/** dabba's edge over real parts, in a process of its own. */
async function serve(directory: string): Promise<void> {
  const common = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const store = openSqliteStore({ ...common, directory: join(directory, 'store') });
  const iam = await openIam({ ...common, store, signal: new AbortController().signal, wellKnownKeys: true });
  const { identities, authorizer } = iam;
  const trail = createCloudTrail({ ...common, directory: join(directory, 'cloudtrail') });
  const watch = createCloudWatch();
  const ec2 = createEc2({ ...common, store, publicCidr: '198.18.0.0/16' });
  const ecs = createEcs({
    ...common,
    store,
    network: ec2.network,
    identities,
    nodes: nodeRecords(store),
    signal: new AbortController().signal,
  });
  const services = [iam.service, createStsService({ iam, clock: systemClock }), ecs.definition, ec2.definition];
  const edge = createEdge({ ...common, services, identities, authorizer, audit: trail, metrics: watch, endpoint: '' });
  const server = createServer((request, response) => void edge.handle(request, response));
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
}

async function compare(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'dabba-bench-aws-'));
  const children: ChildProcess[] = [];
  try {
    const dabba = await startDabba(work, children);
    const moto = await startMoto(children);
    const root = { accessKeyId: 'test', secretAccessKey: 'test' };
    const user = await makeUser(dabba, root);
    for (const endpoint of [dabba, moto])
      await client(endpoint, root).send(new CreateClusterCommand({ clusterName: 'prod' }));
    const subjects = [
      { name: 'moto_server', endpoint: moto, keys: root },
      { name: 'dabba, account root', endpoint: dabba, keys: root },
      { name: 'dabba, user with a policy', endpoint: dabba, keys: user },
    ];
    const runs = await Promise.all(
      subjects.map(async ({ name, endpoint, keys }, index) => ({
        name,
        rates: [] as number[],
        measure: await prepare(endpoint, keys, join(work, `request-${index}.lua`)),
      })),
    );
    for (const run of runs) run.measure(1);
    for (let round = 0; round < ROUNDS; round++) for (const run of runs) run.rates.push(run.measure(SECONDS));
    report(runs);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(work, { recursive: true });
  }
}

async function startDabba(work: string, children: ChildProcess[]): Promise<string> {
  const child = spawn(process.execPath, ['--max-semi-space-size=2', import.meta.filename, 'serve', work], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return `http://127.0.0.1:${Number(line.toString())}`;
}

async function startMoto(children: ChildProcess[]): Promise<string> {
  const port = await freePort();
  // It logs every request, which nobody would read from a pipe while wrk runs.
  children.push(spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' }));
  const endpoint = `http://127.0.0.1:${port}`;
  // It says nowhere but in that log when it is ready.
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await systemClock.sleep(100))
    if (
      await fetch(endpoint).then(
        () => true,
        () => false,
      )
    )
      return endpoint;
  throw new Error('moto_server did not start within 30 s');
}

type Keys = { readonly accessKeyId: string; readonly secretAccessKey: string };

function client(endpoint: string, credentials: Keys, more: ECSClientConfig = {}): ECSClient {
  return new ECSClient({ endpoint, region: 'us-east-1', credentials, ...more });
}

async function makeUser(endpoint: string, credentials: Keys): Promise<Keys> {
  const iam = new IAMClient({ endpoint, region: 'us-east-1', credentials });
  await iam.send(new CreateUserCommand({ UserName: 'bench' }));
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['ecs:Describe*', 'ecs:List*'], Resource: 'arn:aws:ecs:*:000000000000:*' },
      {
        Effect: 'Deny',
        Action: 'ecs:*',
        Resource: '*',
        Condition: { NotIpAddress: { 'aws:SourceIp': '127.0.0.0/8' } },
      },
    ],
  });
  await iam.send(new PutUserPolicyCommand({ UserName: 'bench', PolicyName: 'read', PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'bench' }));
  return { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
}

/** A request as the SDK signs it, for wrk to repeat; good for the 15 minutes that a signature lives. */
async function prepare(endpoint: string, keys: Keys, path: string): Promise<(seconds: number) => number> {
  const { headers, body } = await signedRequest(endpoint, keys);
  const response = await fetch(endpoint, { method: 'POST', headers, body });
  if (!response.ok) throw new Error(`the repeated request was answered ${response.status}: ${await response.text()}`);
  const lines = Object.entries(headers)
    .filter(([name]) => name !== 'content-length')
    .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  writeFileSync(path, ['wrk.method = "POST"', `wrk.body = ${JSON.stringify(body)}`, ...lines].join('\n'));
  return (seconds) => {
    const { stdout, stderr } = spawnSync('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', path, endpoint], {
      encoding: 'utf8',
    });
    const rate = Number(/Requests\/sec:\s*([\d.]+)/.exec(stdout)?.[1]);
    if (/Non-2xx/.test(stdout) || !rate) throw new Error(`wrk did not measure: ${stdout}${stderr}`);
    return rate;
  };
}

interface SignedRequest {
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

async function signedRequest(endpoint: string, keys: Keys): Promise<SignedRequest> {
  let captured: SignedRequest | undefined;
  const caught = client(endpoint, keys);
  caught.middlewareStack.add(
    (next) => (args) => {
      // The last middleware before the socket sees the request as it will be sent.
      const { headers, body } = args.request as { headers: SignedRequest['headers']; body: string | Uint8Array };
      captured = { headers, body: Buffer.from(body as string).toString('utf8') };
      return next(args);
    },
    { step: 'deserialize', priority: 'low' },
  );
  const { clusters } = await caught.send(new DescribeClustersCommand({ clusters: ['prod'] }));
  if (clusters?.[0]?.clusterName !== 'prod' || !captured) throw new Error(`${endpoint} does not describe its cluster`);
  return captured;
}

function report(runs: readonly { readonly name: string; readonly rates: readonly number[] }[]): void {
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
  const [peer, ...ours] = runs;
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
  console.log(
    `DescribeClusters, wrk -t1 -c${CONNECTIONS}, ${ROUNDS} rounds of ${SECONDS} s each, load average ${load}`,
  );
  console.log(`${peer!.name.padEnd(28)} p50 ${median(peer!.rates).toFixed(0)} requests/s`);
  for (const { name, rates } of ours) {
    const ratios = rates.map((rate, round) => rate / peer!.rates[round]!);
    console.log(
      `${name.padEnd(28)} p50 ${median(rates).toFixed(0)} requests/s   ratio p50 ${median(ratios).toFixed(1)}   min ${Math.min(...ratios).toFixed(1)}   max ${Math.max(...ratios).toFixed(1)}`,
    );
  }
}
