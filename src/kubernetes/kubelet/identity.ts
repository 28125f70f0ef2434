import type { Container } from '#engine';
import type * as types from '../types.ts';

/** Labels by which a kubelet knows its containers again, whatever it has forgotten. The first four are those dockershim gave. */
const label = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  node: 'dabba.kubernetes.node',
  attempt: 'dabba.kubernetes.attempt',
  backoff: 'dabba.kubernetes.next-backoff-ms',
  terminationLog: 'dabba.kubernetes.termination-log',
} as const;

/** Which run of which container of which pod an engine's container is. */
export interface ContainerIdentity {
  readonly nodeId: string;
  readonly podUid: string;
  readonly namespace: string;
  readonly podName: string;
  readonly name: string;
  /** 0 for the first run; what `restartCount` says. */
  readonly attempt: number;
  /** How long a restart waits after this run fails. */
  readonly nextBackoffMs: number;
  /** The file on this machine that is mounted at the termination message path. */
  readonly terminationLog: string;
}

export function identityLabels(identity: ContainerIdentity): { readonly [name: string]: string } {
  return {
    [label.podName]: identity.podName,
    [label.podNamespace]: identity.namespace,
    [label.podUid]: identity.podUid,
    [label.containerName]: identity.name,
    [label.node]: identity.nodeId,
    [label.attempt]: String(identity.attempt),
    [label.backoff]: String(identity.nextBackoffMs),
    [label.terminationLog]: identity.terminationLog,
  };
}

type Labels = { readonly [name: string]: string } | undefined;

/** What labels say; undefined for a container of somebody else. */
export function identityOf(labels: Labels): ContainerIdentity | undefined {
  const nodeId = labels?.[label.node];
  if (labels === undefined || nodeId === undefined) return undefined;
  const text = (name: string) => labels[name] ?? '';
  return {
    nodeId,
    podUid: text(label.podUid),
    namespace: text(label.podNamespace),
    podName: text(label.podName),
    name: text(label.containerName),
    attempt: Number(text(label.attempt)),
    nextBackoffMs: Number(text(label.backoff)),
    terminationLog: text(label.terminationLog),
  };
}

/** The uid of the pod that an event's attributes or a container's labels name, if it is one of this node's. */
export function podUidOf(labels: Labels, nodeId: string): string | undefined {
  return labels?.[label.node] === nodeId ? labels[label.podUid] : undefined;
}

/** The name of a run in the engine: the same for every try to make it, so that there is never a second one. */
export function engineName(identity: Pick<ContainerIdentity, 'podUid' | 'name' | 'attempt'>): string {
  return `${identity.podUid}-${identity.name}-${identity.attempt}`;
}

/** `dabba://<id>`, as statuses name a run. */
export function containerIdOf({ id }: Pick<Container, 'id'>): string {
  return `dabba://${id}`;
}

/** Who a pod is: what events, notes and errors name. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export function podRefOf({ metadata }: types.Pod): PodRef {
  const { namespace, name, uid } = metadata ?? {};
  if (namespace === undefined || name === undefined || uid === undefined)
    throw new Error('a pod came without namespace, name or uid');
  return { namespace, name, uid };
}
