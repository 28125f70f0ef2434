/** What controllers ask of pods: whether they count, and for how long. Behaviour: kubernetes `pkg/api/v1/pod` and `pkg/controller/controller_utils.go`. */
import type { KubernetesObject, ResourceType } from '../object.ts';
import type { Pod, PodTemplateSpec } from '../types.ts';
import { conditionOf } from './conditions.ts';
import { instantOf, isDeleting, metaOf } from './meta.ts';
import { controllerReference } from './ownership.ts';

export function isReady({ status }: Pod): boolean {
  return conditionOf(status?.conditions, 'Ready')?.status === 'True';
}

/** When the pod became ready; infinity if it is not. */
export function readyAt({ status }: Pod): number {
  const ready = conditionOf(status?.conditions, 'Ready');
  return ready?.status === 'True' ? instantOf(ready.lastTransitionTime) : Number.POSITIVE_INFINITY;
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  if (!isReady(pod)) return false;
  return minReadySeconds === 0 || readyAt(pod) + minReadySeconds * 1000 <= nowMs;
}

/** How long until the first of the ready pods becomes available; undefined if there is none to wait for. */
export function untilAvailableMs(pods: readonly Pod[], minReadySeconds: number, nowMs: number): number | undefined {
  const waits = pods
    .filter((pod) => isReady(pod) && !isAvailable(pod, minReadySeconds, nowMs))
    .map((pod) => readyAt(pod) + minReadySeconds * 1000 - nowMs);
  return waits.length ? Math.max(1, Math.min(...waits)) : undefined;
}

export function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Neither ended nor ending. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isDeleting(pod);
}

/** A pod of a template, owned by `owner`; the caller names it. */
export function podOf(template: PodTemplateSpec, ownerType: ResourceType, owner: KubernetesObject): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const { namespace } = metaOf(owner);
  return {
    metadata: {
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerReference(ownerType, owner)],
    },
    spec: template.spec ?? { containers: [] },
  };
}
