/** Moves the pods of a node away, as `kubectl drain` does: no new ones, and an eviction for each that can go. */
import { isStatusError, resources, type types } from '#kubernetes';
import type { RunningCluster } from '../running-clusters.ts';

/** How soon an eviction that a disruption budget forbade is tried again; the budget tells nobody that it has room. */
const BLOCKED_RETRY_MS = 1000;

/** Done when nothing is left to wait for; otherwise when to look again, unless a pod's end comes first. */
export type Drained = 'done' | { readonly afterMs: number };

export async function drain({ client, informers }: RunningCluster, nodeName: string): Promise<Drained> {
  if (!(await cordon(client, nodeName))) return 'done';
  const pods = informers.of(resources.pods, { indexes: { node: (pod) => [pod.spec?.nodeName ?? ''] } });
  await pods.synced();
  const evicted = pods.by('node', nodeName).filter(goes);
  const answers = await Promise.all(evicted.map((pod) => evict(client, pod)));
  if (!evicted.length) return 'done';
  // The end of each is told by the informer; only a refusal has to be asked about again.
  return { afterMs: answers.includes('blocked') ? BLOCKED_RETRY_MS : 30_000 };
}

/** False if there is no such node: then there is nothing to move. */
async function cordon(client: RunningCluster['client'], name: string): Promise<boolean> {
  try {
    await client.patch(resources.nodes, { name }, { kind: 'merge', body: { spec: { unschedulable: true } } });
    return true;
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return false;
    throw error;
  }
}

/** Pods of daemon sets would come back to the node, mirrors and finished ones hold nothing. */
function goes({ metadata, status }: types.Pod): boolean {
  const isDaemon = metadata?.ownerReferences?.some(({ kind, controller }) => kind === 'DaemonSet' && controller);
  const isMirror = metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined;
  return !isDaemon && !isMirror && status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

async function evict(client: RunningCluster['client'], { metadata }: types.Pod): Promise<'leaving' | 'blocked'> {
  if (metadata?.deletionTimestamp) return 'leaving';
  const { name = '', namespace = '' } = metadata ?? {};
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  try {
    await client.post(resources.pods, { name, namespace }, 'eviction', eviction);
    return 'leaving';
  } catch (error) {
    if (isStatusError(error, 'NotFound', 'Conflict')) return 'leaving';
    if (isStatusError(error, 'TooManyRequests')) return 'blocked';
    throw error;
  }
}
