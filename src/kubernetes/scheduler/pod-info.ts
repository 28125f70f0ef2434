import { keyOf } from '../object.ts';
import type { Pod } from '../types.ts';
import { asAllocated } from '../allocated.ts';
import { type Amounts, PRESUMED_CPU_MILLIS, PRESUMED_MEMORY_BYTES, requestsOf } from './resources.ts';
import { type NamespaceLabels, podSelection, type PodSelection } from './selection.ts';

/** A port of the machine that a pod takes. */
export interface HostPort {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}

export interface PodAffinity {
  readonly required: readonly PodSelection[];
  readonly requiredAnti: readonly PodSelection[];
  readonly preferred: readonly PodSelection[];
  readonly preferredAnti: readonly PodSelection[];
}

/** A pod, read once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly priority: number;
  readonly requests: Amounts;
  /** For comparing nodes: what asks for nothing counts for something. */
  readonly presumedCpuMillis: number;
  readonly presumedMemoryBytes: number;
  readonly hostPorts: readonly HostPort[];
  /** Undefined for the many that have none. */
  readonly affinity: PodAffinity | undefined;
  /** Pods with the same namespace, labels and liveness are counted together. */
  readonly group: string;
  /** Pods of the same group with the same affinity look the same to those who must heed it; undefined without affinity. */
  readonly affinityGroup: string | undefined;
  readonly isTerminating: boolean;
}

export function podInfoOf(pod: Pod, labelsOf: NamespaceLabels): PodInfo {
  const { namespace = '', uid = '', labels = {}, deletionTimestamp } = pod.metadata ?? {};
  const requests = requestsOf(asAllocated(pod));
  const affinity = affinityOf(pod, labelsOf);
  const group = groupOf(namespace, labels, deletionTimestamp !== undefined);
  return {
    pod,
    key: keyOf(pod),
    uid,
    namespace,
    priority: pod.spec?.priority ?? 0,
    requests,
    presumedCpuMillis: requests.get('cpu') || PRESUMED_CPU_MILLIS,
    presumedMemoryBytes: requests.get('memory') || PRESUMED_MEMORY_BYTES,
    hostPorts: hostPortsOf(pod),
    affinity,
    group,
    affinityGroup: affinity && `${group}\n${JSON.stringify(pod.spec!.affinity)}`,
    isTerminating: deletionTimestamp !== undefined,
  };
}

const noPorts: readonly HostPort[] = [];

function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  let ports: HostPort[] | undefined;
  for (const container of spec?.containers ?? [])
    for (const { hostPort, hostIP, protocol } of container.ports ?? [])
      if (hostPort) (ports ??= []).push({ address: hostIP || '0.0.0.0', protocol: protocol ?? 'TCP', port: hostPort });
  return ports ?? noPorts;
}

function affinityOf(pod: Pod, labelsOf: NamespaceLabels): PodAffinity | undefined {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return undefined;
  const required = (of: typeof podAffinity) =>
    (of?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => podSelection(pod, term, 1, labelsOf));
  const preferred = (of: typeof podAffinity) =>
    (of?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, podAffinityTerm }) =>
      podSelection(pod, podAffinityTerm, weight, labelsOf),
    );
  return {
    required: required(podAffinity),
    requiredAnti: required(podAntiAffinity),
    preferred: preferred(podAffinity),
    preferredAnti: preferred(podAntiAffinity),
  };
}

function groupOf(namespace: string, labels: Readonly<Record<string, string>>, isTerminating: boolean): string {
  let text = isTerminating ? `${namespace}\n-` : namespace;
  for (const name of Object.keys(labels).sort()) text += `\n${name}=${labels[name]}`;
  return text;
}
