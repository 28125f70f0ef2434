/** Sends pods away from nodes whose taints they do not tolerate, or not for so long. Behaviour: kubernetes `pkg/controller/tainteviction`. */
import { keyOf } from '../../object.ts';
import { nodes, pods } from '../../resources.ts';
import { isTolerated, type Taint, tolerates } from '../../scheduler/selection.ts';
import { isStatusError } from '../../status.ts';
import type { Node, Pod } from '../../types.ts';
import { withCondition } from '../conditions.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { instantOf, isDeleting, metaOf, nameOf, timestampOf } from '../meta.ts';

const NAME = 'taint-eviction-controller';

export function taintEvictionController(parts: ControllerParts): Controller {
  const nodeCopy = parts.informers.of(nodes);
  const podCopy = podsIn(parts.informers);
  /** Since when pods put up with taints that do not say when they came, by key: kubectl sets no time. The next controller begins anew, as upstream's does. */
  const patient = new Map<string, { readonly uid: string; readonly since: number }>();
  return {
    name: NAME,
    wokenBy: [
      wakes(nodeCopy, ({ now, before }) => {
        const isTainted = [now, before].some((node) => node && evicting(node).length);
        return isTainted ? podCopy.by('node', metaOf((now ?? before)!).name).map(keyOf) : [];
      }),
      wakes(podCopy, ({ now, before }) => {
        if (!now) return patient.has(keyOf(before!)) ? [keyOf(before!)] : [];
        if (!now.spec?.nodeName || (before?.spec?.nodeName && before.spec.tolerations === now.spec.tolerations))
          return [];
        return [keyOf(now)];
      }),
    ],
    reads: [copyOf(pods, podCopy)],
    concurrency: 8,
    async reconcile(key, step) {
      const pod = podCopy.get(key);
      const node = pod && nodeCopy.get(pod.spec?.nodeName ?? '');
      if (!pod || !node || isDeleting(pod)) return void patient.delete(key);
      const { uid } = metaOf(pod);
      const now = parts.clock.now();
      const known = patient.get(key);
      const since = known?.uid === uid ? known.since : now;
      const at = evictionAt(pod, evicting(node), since);
      if (at === undefined) return void patient.delete(key);
      patient.set(key, { uid, since });
      return at > now ? { afterMs: at - now } : evict(pod, step, parts);
    },
  };
}

function evicting({ spec }: Node): readonly Taint[] {
  return (spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
}

/** When the pod has to go; undefined if it may stay. Taints without a time came at `sinceMs`. */
function evictionAt({ spec }: Pod, taints: readonly Taint[], sinceMs: number): number | undefined {
  if (!taints.length) return undefined;
  const tolerations = spec?.tolerations ?? [];
  if (!taints.every((taint) => isTolerated(tolerations, taint))) return sinceMs;
  // The shortest patience of those that are put to the test, each from when its taint came.
  const ends = taints.flatMap((taint) => {
    const limits = tolerations
      .filter((toleration) => tolerates(toleration, taint))
      .map(({ tolerationSeconds }) => tolerationSeconds)
      .filter((seconds) => seconds !== undefined);
    if (!limits.length) return [];
    const since = taint.timeAdded === undefined ? sinceMs : instantOf(taint.timeAdded);
    return [since + Math.max(0, Math.min(...limits)) * 1000];
  });
  return ends.length ? Math.min(...ends) : undefined;
}

async function evict(pod: Pod, { api }: Step, { events, clock }: ControllerParts): Promise<void> {
  const { namespace, name, uid } = metaOf(pod);
  const message = `Marking for deletion Pod ${namespace}/${name}`;
  events.as(NAME).record(pods, pod, { type: 'Normal', reason: 'TaintManagerEviction', message });
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: timestampOf(clock),
  };
  try {
    const status = { ...pod.status, conditions: withCondition(pod.status?.conditions ?? [], condition) };
    await api.update(pods, { ...pod, status }, { subresource: 'status' });
    await api.delete(pods, nameOf(pod), { preconditions: { uid } });
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
}
