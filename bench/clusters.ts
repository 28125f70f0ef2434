/**
 * How long a cluster of EKS takes, from the call to its nodes, and what its pods take and weigh, each at several sizes.
 *   node bench/clusters.ts [clusters] [single pods]          (as root; nothing else busy on the machine)
 * Times are a client's over kept connections: from the call to the watch's event that says ready.
 */
import { readFileSync } from 'node:fs';
import {
  CreateClusterCommand,
  CreateNodegroupCommand,
  DeleteNodegroupCommand,
  EKSClient,
  waitUntilClusterActive,
} from '@aws-sdk/client-eks';
import { Dabba } from '../test/harness/dabba.ts';
import { ClusterClient, isGone, isReady } from './cluster-client.ts';
import { median } from './paired.ts';

const [clusterCount = 7, singlePods = 100] = process.argv.slice(2).map(Number);
const image = 'public.ecr.aws/docker/library/busybox:latest';
const podsPath = '/api/v1/namespaces/default/pods';
const podSpec = { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image, command: ['sleep', '3600'] }] };

const report = (what: string, value: string) => process.stdout.write(`${what.padEnd(56)} ${value}\n`);
const ms = (value: number) => `${value.toFixed(0)} ms`;
const perPiece = (total: number, count: number) => (total / count).toFixed(1);

await using dabba = await Dabba.start();
if ((await dabba.command('images', ['seed', 'busybox'])).status !== 0) throw new Error('no image');
const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = dabba.environment;
const eks = new EKSClient({
  endpoint: dabba.endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId, secretAccessKey },
});
const document = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { Service: ['eks.amazonaws.com', 'ec2.amazonaws.com'] }, Action: 'sts:AssumeRole' },
  ],
});
await dabba.aws('iam', 'create-role', '--role-name', 'bench', '--assume-role-policy-document', document);
const role = 'arn:aws:iam::000000000000:role/bench';
const subnets = (await dabba.aws('ec2', 'describe-subnets', '--query', 'Subnets[].SubnetId')).split(/\s+/);

const without = residentMiB(await dabba.status());
report('both processes without a cluster', `${without} MiB`);

const creations: number[] = [];
for (let index = 1; index <= clusterCount; index++) {
  const startedAt = performance.now();
  const client = await createCluster(`c${index}`);
  const nodes = await client.watch('/api/v1/nodes');
  await createNodes(`c${index}`, 't3.nano');
  creations.push((await nodes.until(isReady, 2)) - startedAt);
  nodes.close();
  client.close();
}
report('create-cluster to two nodes ready', spread(creations));
report(`the first, the last of ${clusterCount}`, `${ms(creations[0]!)}, ${ms(creations.at(-1)!)}`);
const withNodes = residentMiB(await dabba.status());
report(`each of ${clusterCount} clusters with two nodes`, `${perPiece(withNodes - without, clusterCount)} MiB`);

for (let index = 1; index <= clusterCount; index++)
  await createCluster(`idle${index}`).then((client) => client.close());
report(
  `each of ${clusterCount} idle clusters more`,
  `${perPiece(residentMiB(await dabba.status()) - withNodes, clusterCount)} MiB`,
);

const client = await ClusterClient.to(eks, 'c1', await token('c1'));
const nodes = await client.watch('/api/v1/nodes');
for (let index = 1; index <= clusterCount; index++)
  await eks.send(new DeleteNodegroupCommand({ clusterName: `c${index}`, nodegroupName: 'ng' }));
await nodes.until(isGone, 2);
await createNodes('c1', 'c5.xlarge', 'large'); // 58 pods each
await nodes.until(isReady, 2);
const pods = await client.watch(podsPath);

await measureSinglePods('alone');
for (const size of [10, 25, 50, 100]) {
  const startedAt = performance.now();
  await client.call('POST', '/apis/apps/v1/namespaces/default/deployments', deployment(`d${size}`, size));
  report(`a deployment of ${size} pods to all ready`, ms((await pods.until(isReady, size, `d${size}-`)) - startedAt));
  if (size === 50) await measureSinglePods('beside 50 that run');
  await client.call('DELETE', `/apis/apps/v1/namespaces/default/deployments/d${size}`);
  await pods.until(isGone, size, `d${size}-`);
}
report('both processes afterwards', `${residentMiB(await dabba.status())} MiB`);
for (const watch of [nodes, pods]) watch.close();
client.close();

/** An idle cluster, active. */
async function createCluster(name: string): Promise<ClusterClient> {
  await eks.send(
    new CreateClusterCommand({ name, roleArn: role, resourcesVpcConfig: { subnetIds: subnets.slice(0, 2) } }),
  );
  await waitUntilClusterActive({ client: eks, maxWaitTime: 60, minDelay: 0.02, maxDelay: 0.02 }, { name });
  return await ClusterClient.to(eks, name, await token(name));
}

async function createNodes(clusterName: string, instanceType: string, nodegroupName = 'ng'): Promise<void> {
  await eks.send(
    new CreateNodegroupCommand({
      clusterName,
      nodegroupName,
      nodeRole: role,
      subnets,
      instanceTypes: [instanceType],
      scalingConfig: { minSize: 1, maxSize: 2, desiredSize: 2 },
    }),
  );
}

async function token(name: string): Promise<string> {
  return await dabba.aws('eks', 'get-token', '--cluster-name', name, '--query', 'status.token');
}

/** One pod after another: created, ready, deleted. */
async function measureSinglePods(when: string): Promise<void> {
  const times: number[] = [];
  for (let index = 0; index < singlePods; index++) {
    const name = `${when.replaceAll(' ', '-')}-${String(index).padStart(4, '0')}`;
    const startedAt = performance.now();
    await client.call('POST', podsPath, { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: podSpec });
    times.push((await pods.until(isReady, 1, name)) - startedAt);
    await client.call('DELETE', `${podsPath}/${name}`);
    await pods.until(isGone, 1, name);
  }
  report(`a pod ${when}, created to ready`, spread(times));
}

function deployment(name: string, replicas: number): object {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
}

function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1]!;
  return `p50 ${ms(median(times))}   p99 ${ms(p99)}   min ${ms(sorted[0]!)}   max ${ms(sorted.at(-1)!)}   n ${times.length}`;
}

/** What both processes hold, shared pages included. */
function residentMiB(status: { readonly pid: number; readonly hostPid: number }): number {
  const pages = [status.pid, status.hostPid].map((pid) =>
    Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]),
  );
  return Math.round(pages.reduce((sum, each) => sum + each * 4096, 0) / 2 ** 20);
}
