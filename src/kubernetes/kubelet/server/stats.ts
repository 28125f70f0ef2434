import { isoSeconds } from '#base';
import type { ContainerStats } from '#engine';
import { identityOf } from '../identity.ts';
import type { Kubelet } from '../kubelet.ts';
import type { PodRun } from '../pod/run.ts';
import { readRuns } from '../pod/runs.ts';
import { pauseName } from '../pod/steps/pause.ts';
import { isRunning } from '../status/container-status.ts';
import type { Route } from './route.ts';

/** What is used, by the counters of the kernel: `/metrics/resource` as metrics servers read it, `/stats/summary` as older ones do. */
export function statsRoutes(kubelet: Kubelet): readonly Route[] {
  return [
    {
      kind: 'answer',
      path: /^\/metrics\/resource$/,
      handle: async ({ response }) => {
        const text = metricsText(await usageOf(kubelet));
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
      },
    },
    {
      kind: 'answer',
      path: /^\/stats\/summary$/,
      handle: async ({ response }) => {
        const body = JSON.stringify(summary(await usageOf(kubelet)));
        response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      },
    },
  ];
}

/** What something has used so far, and holds now. */
interface Usage {
  readonly at: number;
  readonly cpuNs: number;
  readonly memoryBytes: number;
  /** Without what could be dropped at once. */
  readonly workingSetBytes: number;
}

interface ContainerUsage extends Usage {
  readonly name: string;
  readonly startedAt: number;
  readonly restarts: number;
}

interface PodUsage {
  readonly run: PodRun;
  readonly containers: readonly ContainerUsage[];
  readonly total: Usage;
}

interface NodeUsage {
  readonly name: string;
  readonly node: Usage;
  readonly pods: readonly PodUsage[];
}

async function usageOf(kubelet: Kubelet): Promise<NodeUsage> {
  const pods = await Promise.all(kubelet.list().map(podUsage));
  return { name: kubelet.nodeName, node: kubelet.usage(), pods };
}

async function podUsage(run: PodRun): Promise<PodUsage> {
  const { engine, node, clock } = run.context;
  const runs = await readRuns(engine.containers, { nodeId: node.id, uid: run.ref.uid });
  const running = [...runs].flatMap(([name, [newest]]) =>
    name !== pauseName && newest && isRunning(newest) ? [newest] : [],
  );
  const containers = await Promise.all(
    running.map(async ({ id, create, state }): Promise<ContainerUsage | undefined> => {
      const stats = await engine.containers.stats(id);
      const { name, attempt } = identityOf(create.labels)!;
      return stats && { ...usage(stats), name, startedAt: state.startedAt ?? 0, restarts: attempt };
    }),
  );
  const known = containers.filter((each) => each !== undefined);
  const sum = (of: (each: Usage) => number) => known.reduce((total, each) => total + of(each), 0);
  return {
    run,
    containers: known,
    total: {
      at: clock.now(),
      cpuNs: sum(({ cpuNs }) => cpuNs),
      memoryBytes: sum(({ memoryBytes }) => memoryBytes),
      workingSetBytes: sum(({ workingSetBytes }) => workingSetBytes),
    },
  };
}

function usage({ at, cpu, memory }: ContainerStats): Usage {
  const idle = memory.details['total_inactive_file'] ?? memory.details['inactive_file'] ?? 0;
  const { usageBytes } = memory;
  return { at, cpuNs: cpu.usageNs, memoryBytes: usageBytes, workingSetBytes: Math.max(0, usageBytes - idle) };
}

/** The exposition format of Prometheus, with the kubelet's own names ("Resource metrics", Kubernetes documentation). */
function metricsText({ node, pods }: NodeUsage): string {
  const lines: string[] = [];
  const family = (name: string, type: 'counter' | 'gauge', help: string, samples: readonly string[]) =>
    lines.push(`# HELP ${name} [STABLE] ${help}`, `# TYPE ${name} ${type}`, ...samples.map((each) => `${name}${each}`));
  const seconds = ({ cpuNs, at }: Usage) => `${cpuNs / 1e9} ${at}`;
  const bytes = ({ workingSetBytes, at }: Usage) => `${workingSetBytes} ${at}`;
  const label = ({ ref }: PodRun, container?: string) =>
    `{${container === undefined ? '' : `container="${container}",`}namespace="${ref.namespace}",pod="${ref.name}"}`;
  const each = (sample: (usage: ContainerUsage) => string) =>
    pods.flatMap(({ run, containers }) => containers.map((one) => `${label(run, one.name)} ${sample(one)}`));
  const started = pods.filter(({ containers }) => containers.length > 0);
  family(
    'container_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the container in core-seconds',
    each(seconds),
  );
  family('container_memory_working_set_bytes', 'gauge', 'Current working set of the container in bytes', each(bytes));
  family(
    'container_start_time_seconds',
    'gauge',
    'Start time of the container since unix epoch in seconds',
    each(({ startedAt }) => String(startedAt / 1000)),
  );
  family('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds', [
    ` ${seconds(node)}`,
  ]);
  family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [` ${bytes(node)}`]);
  family(
    'pod_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed by the pod in core-seconds',
    started.map(({ run, total }) => `${label(run)} ${seconds(total)}`),
  );
  family(
    'pod_memory_working_set_bytes',
    'gauge',
    'Current working set of the pod in bytes',
    started.map(({ run, total }) => `${label(run)} ${bytes(total)}`),
  );
  family('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise', [
    ' 0',
  ]);
  return `${lines.join('\n')}\n`;
}

/** `k8s.io/kubelet/pkg/apis/stats/v1alpha1`, "Summary", as far as the kernel tells. */
function summary({ name, node, pods }: NodeUsage) {
  const counts = ({ at, cpuNs, memoryBytes, workingSetBytes }: Usage) => ({
    cpu: { time: isoSeconds(at), usageCoreNanoSeconds: cpuNs },
    memory: { time: isoSeconds(at), usageBytes: memoryBytes, workingSetBytes },
  });
  return {
    node: { nodeName: name, ...counts(node) },
    pods: pods.map(({ run, containers, total }) => ({
      podRef: { name: run.ref.name, namespace: run.ref.namespace, uid: run.ref.uid },
      startTime: run.pod.status?.startTime ?? isoSeconds(run.firstSeenAt),
      containers: containers.map((each) => ({
        name: each.name,
        startTime: isoSeconds(each.startedAt),
        ...counts(each),
      })),
      ...counts(total),
    })),
  };
}
