/**
 * The Kubernetes scheduler alone, over objects in memory: pods bound a second, by the size of the cluster.
 *   node bench/kubernetes-scheduler.ts [nodes] [pods]      (nothing else busy on the machine)
 * Every pod has requests and belongs to one of a hundred replica sets, so filters, scores and the default spreading all have work to do. The client that takes the bindings
 * does what storage must and nothing else.
 */
import { silentLogger, systemClock, systemRandom } from '#base';
import { MemoryClient } from '../src/kubernetes/client/memory-client.ts';
import { MemoryInformers } from '../src/kubernetes/client/memory-informers.ts';
import { controllerReference } from '../src/kubernetes/controllers/ownership.ts';
import { nodes, pods, replicaSets } from '../src/kubernetes/resources.ts';
import { runScheduler } from '../src/kubernetes/scheduler/index.ts';
import type { PodSpec, ReplicaSet } from '../src/kubernetes/types.ts';

const SETS = 100;
const ZONES = 3;
const silentEvents = { record() {}, as: () => silentEvents };

const workloads: { readonly [name: string]: (labels: Record<string, string>) => Partial<PodSpec> } = {
  plain: () => ({}),
  'spread over zones': (labels) => ({
    topologySpreadConstraints: [
      {
        maxSkew: 5,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: labels },
      },
    ],
  }),
  'apart on hosts': (labels) => ({
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
        ],
      },
    },
  }),
};

const [nodeCount, podCount] = process.argv.slice(2).map(Number);
const sizes: readonly (readonly [nodes: number, pods: number])[] =
  nodeCount && podCount
    ? [[nodeCount, podCount]]
    : [
        [100, 3000],
        [300, 5000],
        [1000, 10_000],
        [1000, 30_000],
        [3000, 10_000],
      ];
process.stdout.write('| nodes | pods | workload | pods a second | resident |\n|---|---|---|---|---|\n');
for (const [nodeCount, podCount] of sizes)
  for (const [name, specOf] of Object.entries(workloads)) {
    // Apart on hosts, a set has no more pods than there are nodes.
    const count = name === 'apart on hosts' ? Math.min(podCount, nodeCount * 20) : podCount;
    const rate = await measure(nodeCount, count, specOf);
    const residentMiB = Math.round(process.memoryUsage().rss / 2 ** 20);
    process.stdout.write(`| ${nodeCount} | ${count} | ${name} | ${Math.round(rate)} | ${residentMiB} MiB |\n`);
  }

async function measure(
  nodeCount: number,
  podCount: number,
  specOf: (labels: Record<string, string>) => Partial<PodSpec>,
): Promise<number> {
  const client = new MemoryClient();
  const informers = new MemoryInformers(client);
  for (let index = 0; index < nodeCount; index++) await addNode(client, `n${index}`, index % ZONES);
  const sets: ReplicaSet[] = [];
  for (let index = 0; index < SETS; index++) sets.push(await addSet(client, `s${index}`));
  for (let index = 0; index < podCount; index++) {
    const set = sets[index % SETS]!;
    const labels = set.spec!.selector.matchLabels!;
    await client.create(pods, {
      metadata: {
        namespace: 'default',
        name: `p${index}`,
        labels,
        ownerReferences: [controllerReference(replicaSets, set)],
      },
      spec: {
        containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
        ...specOf(labels),
      },
    });
  }
  const stop = new AbortController();
  const { promise: bound, resolve } = Promise.withResolvers<void>();
  let left = podCount;
  client.listen(pods, ({ now }) => {
    if ((now as { spec?: PodSpec } | undefined)?.spec?.nodeName && --left === 0) resolve();
  });
  const parts = {
    client,
    informers,
    events: silentEvents,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  };
  const began = performance.now();
  const ended = runScheduler(parts, stop.signal);
  await bound;
  const seconds = (performance.now() - began) / 1000;
  stop.abort();
  await ended;
  return podCount / seconds;
}

async function addNode(client: MemoryClient, name: string, zone: number): Promise<void> {
  const labels = { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': `z${zone}` };
  const node = await client.create(nodes, { metadata: { name, labels } });
  const allocatable = { cpu: '32', memory: '64Gi', pods: '110' };
  await client.update(
    nodes,
    { ...node, status: { allocatable, conditions: [{ type: 'Ready', status: 'True' }] } },
    { subresource: 'status' },
  );
}

function addSet(client: MemoryClient, name: string): Promise<ReplicaSet> {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [] } };
  return client.create(replicaSets, {
    metadata: { namespace: 'default', name },
    spec: { selector: { matchLabels: labels }, template },
  });
}
