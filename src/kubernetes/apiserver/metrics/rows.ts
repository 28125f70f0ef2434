/** `metrics.k8s.io/v1beta1`: what `kubectl top` and autoscalers read. Never stored: each answer is made of what kubelets say. Source: metrics-server, `pkg/api`. */
import { isoSeconds } from '#base';
import type { Informers } from '../../client/informer.ts';
import { type KubernetesObject, keyOf, type ResourceType } from '../../object.ts';
import { nodes, pods } from '../../resources.ts';
import type { Resource } from '../resource.ts';
import { column, row } from '../registry/row.ts';
import { age, nameColumn } from '../registry/columns.ts';
import type { NodeUsage, PodUsage, Usage, UsageCollector } from './collector.ts';

const group = 'metrics.k8s.io';
const version = 'v1beta1';
const verbs = ['get', 'list'] as const;

interface Metrics extends KubernetesObject {
  readonly usage?: { readonly cpu: string; readonly memory: string };
  readonly window?: string;
}

/** What is measured carries the labels of what it is of, so that `kubectl top -l` selects by them. */
export function metricsRows(collector: UsageCollector, informers: Informers): readonly Resource[] {
  const labelled = async <T extends KubernetesObject>(type: ResourceType<T>, metrics: readonly KubernetesObject[]) => {
    const copy = informers.of(type);
    await copy.synced();
    return metrics.map((each) => {
      const labels = copy.get(keyOf(each))?.metadata?.labels;
      return { ...each, metadata: { ...each.metadata, ...(labels && { labels }) } };
    });
  };
  return [
    row<Metrics>(group, 'NodeMetrics', 'nodes', {
      version,
      verbs,
      isClusterWide: true,
      columns: [
        nameColumn,
        column('cpu', ({ usage }) => usage?.cpu ?? ''),
        column('memory', ({ usage }) => usage?.memory ?? ''),
        column('window', ({ window }) => window ?? ''),
      ],
      virtual: async () => labelled(nodes, (await collector.collect()).map(nodeMetrics)),
    }),
    row<Metrics>(group, 'PodMetrics', 'pods', {
      version,
      verbs,
      columns: [nameColumn, column('window', ({ window }) => window ?? ''), age],
      virtual: async () => {
        const found = (await collector.collect()).flatMap((node) => node.pods.map(podMetrics));
        return labelled(pods, found);
      },
    }),
  ];
}

function nodeMetrics({ name, usage }: NodeUsage): KubernetesObject {
  const metrics = { ...measured('NodeMetrics', { name }, usage), usage: amounts(usage) };
  return metrics;
}

function podMetrics({ namespace, name, containers }: PodUsage): KubernetesObject {
  const [first] = containers;
  const metrics = {
    ...measured('PodMetrics', { namespace, name }, first!.usage),
    containers: containers.map(({ name, usage }) => ({ name, usage: amounts(usage) })),
  };
  return metrics;
}

function measured(kind: string, name: { readonly namespace?: string; readonly name: string }, { at, windowMs }: Usage) {
  const now = isoSeconds(at);
  const window = `${(windowMs / 1000).toFixed(3).replace(/\.?0+$/, '')}s`;
  return {
    kind,
    apiVersion: `${group}/${version}`,
    metadata: { ...name, creationTimestamp: now },
    timestamp: now,
    window,
  };
}

function amounts({ nanoCores, memoryBytes }: Usage) {
  return { cpu: `${nanoCores}n`, memory: `${Math.ceil(memoryBytes / 1024)}Ki` };
}
