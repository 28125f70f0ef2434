/** Deletes pods that no kubelet will ever take leave of. Behaviour: kubernetes `pkg/controller/podgc`. */
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { nodes, pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Node, Pod } from '../../types.ts';
import { withCondition } from '../conditions.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { isDeleting, metaOf, nameOf, timestampOf } from '../meta.ts';
import { isFinished } from '../pods.ts';
import { OUT_OF_SERVICE, readiness } from './taints.ts';

/** Ended pods beyond this many make room, the oldest first: upstream's `terminated-pod-gc-threshold`. */
const ENDED_LIMIT = 12_500;
const ALL_ENDED = ' ended';

export function podGarbageCollector(parts: ControllerParts): Controller {
  const nodeCopy = parts.informers.of(nodes);
  const podCopy = podsIn(parts.informers);
  const ended = new Set<string>();
  return {
    name: 'pod-garbage-collector-controller',
    wokenBy: [
      wakes(nodeCopy, ({ now, before }) => {
        if (now && !isOutOfService(now)) return [];
        return podCopy.by('node', metaOf((now ?? before)!).name).map(keyOf);
      }),
      wakes(podCopy, ({ now, before }) => {
        const key = keyOf((now ?? before)!);
        if (now && isFinished(now)) ended.add(key);
        else ended.delete(key);
        if (!now) return [];
        const isLost = now.spec?.nodeName ? !nodeCopy.get(now.spec.nodeName) || isDeleting(now) : isDeleting(now);
        return [...(isLost ? [key] : []), ...(ended.size > ENDED_LIMIT ? [ALL_ENDED] : [])];
      }),
    ],
    reads: [copyOf(pods, podCopy)],
    async reconcile(key, step) {
      if (key === ALL_ENDED) return forgetEnded(ended, podCopy, step);
      const pod = podCopy.get(key);
      const why = pod && (await reasonToDelete(pod, nodeCopy, step));
      if (pod && why) await collect(pod, why, { step, parts });
      return undefined;
    },
  };
}

function isOutOfService(node: Node): boolean {
  return readiness(node) !== 'True' && (node.spec?.taints ?? []).some(({ key }) => key === OUT_OF_SERVICE);
}

/** Why nobody will end the pod; undefined if somebody will. */
async function reasonToDelete(pod: Pod, nodeCopy: Informer<Node>, { api }: Step): Promise<string | undefined> {
  const { nodeName } = pod.spec ?? {};
  if (!nodeName) return isDeleting(pod) ? 'PodGC: the pod was never scheduled' : undefined;
  const node = nodeCopy.get(nodeName);
  if (node) return isDeleting(pod) && isOutOfService(node) ? 'PodGC: node is out of service' : undefined;
  try {
    // The copy may not have seen a node that has just come.
    await api.get(nodes, { name: nodeName });
    return undefined;
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return 'PodGC: node no longer exists';
    throw error;
  }
}

async function collect(
  pod: Pod,
  message: string,
  { step: { api }, parts }: { readonly step: Step; readonly parts: ControllerParts },
): Promise<void> {
  const { uid } = metaOf(pod);
  try {
    if (pod.spec?.nodeName && !isFinished(pod)) {
      const lastTransitionTime = timestampOf(parts.clock);
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByPodGC',
        message,
        lastTransitionTime,
      };
      // What ran there runs no more: whoever counts its pods may go on.
      const status = {
        ...pod.status,
        phase: 'Failed',
        conditions: withCondition(pod.status?.conditions ?? [], condition),
      };
      const body = { metadata: { resourceVersion: metaOf(pod).resourceVersion }, status };
      await api.patch(pods, nameOf(pod), { kind: 'merge', body }, { subresource: 'status' });
    }
    await api.delete(pods, nameOf(pod), { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
}

async function forgetEnded(ended: ReadonlySet<string>, podCopy: Informer<Pod>, { api }: Step): Promise<void> {
  const list = [...ended].flatMap((key) => podCopy.get(key) ?? []).filter((pod) => !isDeleting(pod));
  const createdAt = (pod: Pod) => metaOf(pod).creationTimestamp;
  list.sort((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1));
  for (const pod of list.slice(0, Math.max(0, list.length - ENDED_LIMIT)))
    await api.delete(pods, nameOf(pod), { gracePeriodSeconds: 0 }).catch((error: unknown) => {
      if (!isStatusError(error, 'NotFound')) throw error;
    });
}
