/**
 * How long a cluster of EKS takes, from the call to its nodes, and what its pods take and weigh.
 *   node bench/clusters.ts [pods of the large deployment]          (as root)
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { Cluster } from '../test/harness/cluster.ts';
import { Dabba } from '../test/harness/dabba.ts';

const [podCount = 20] = process.argv.slice(2).map(Number);
const SINGLE_PODS = 11;
const image = 'public.ecr.aws/docker/library/busybox:latest';

const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(2);
const report = (what: string, value: string) => process.stdout.write(`${what.padEnd(56)} ${value}\n`);

await using dabba = await Dabba.start();
assert.equal((await dabba.command('images', ['seed', 'busybox'])).status, 0);

/** What both processes hold. */
async function residentMiB(): Promise<number> {
  const { pid, hostPid } = await dabba.status();
  const pages = [pid, hostPid].map((each) => Number(readFileSync(`/proc/${each}/statm`, 'latin1').split(' ')[1]));
  return Math.round(pages.reduce((sum, each) => sum + each * 4096, 0) / 2 ** 20);
}

report('both processes without a cluster', `${await residentMiB()} MiB`);
const begun = performance.now();
const cluster = await Cluster.create(dabba, 'c1');
report('create-cluster and create-nodegroup to two nodes ready', `${seconds(begun)} s`);
const withOne = await residentMiB();
report('both processes with a cluster of two nodes', `${withOne} MiB`);

const times: number[] = [];
for (let index = 0; index < SINGLE_PODS; index++) {
  const name = `p${index}`;
  const container = { name: 'c', image, command: ['sleep', '3600'] };
  const started = performance.now();
  await cluster.apply('default', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 0, containers: [container] },
  });
  await cluster.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s');
  times.push(performance.now() - started);
  await cluster.kubectl('delete', 'pod', name, '--wait=true');
}
times.sort((a, b) => a - b);
report(
  'kubectl apply of a pod and kubectl wait until ready, median',
  `${(times[SINGLE_PODS >> 1]! / 1000).toFixed(2)} s`,
);
report('the same, slowest', `${(times.at(-1)! / 1000).toFixed(2)} s`);

const started = performance.now();
await cluster.kubectl(
  'create',
  'deployment',
  'many',
  `--image=${image}`,
  `--replicas=${podCount}`,
  '--',
  'sleep',
  '3600',
);
await cluster.kubectl('rollout', 'status', 'deployment/many', '--timeout=180s');
report(`a deployment of ${podCount} pods to all ready`, `${seconds(started)} s`);

const network = await dabba.aws(
  'eks',
  'describe-cluster',
  '--name',
  'c1',
  '--query',
  'cluster.[roleArn,resourcesVpcConfig.subnetIds[]]',
);
const [role = '', ...subnets] = network.split(/\s+/);
const before = await residentMiB();
await dabba.aws(
  'eks',
  'create-cluster',
  '--name',
  'c2',
  '--role-arn',
  role,
  '--resources-vpc-config',
  `subnetIds=${subnets.join(',')}`,
);
await dabba.aws('eks', 'wait', 'cluster-active', '--name', 'c2');
report('one more idle cluster', `${(await residentMiB()) - before} MiB`);
