/** The names by which a pod of a stateful set and its claims are always found again. Behaviour: kubernetes `pkg/controller/statefulset/stateful_set_utils.go`. */
import type { PersistentVolumeClaim, Pod, StatefulSet } from '../../types.ts';
import { metaOf } from '../meta.ts';

export const POD_NAME = 'statefulset.kubernetes.io/pod-name';
export const POD_INDEX = 'apps.kubernetes.io/pod-index';

export function podName(set: StatefulSet, ordinal: number): string {
  return `${metaOf(set).name}-${ordinal}`;
}

/** The ordinal of a pod of the set; undefined for a name of another form. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const { name } = metaOf(pod);
  const prefix = `${metaOf(set).name}-`;
  const ordinal = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(?:0|[1-9]\d{0,9})$/.test(ordinal) ? Number(ordinal) : undefined;
}

export function claimName(template: PersistentVolumeClaim, set: StatefulSet, ordinal: number): string {
  return `${template.metadata!.name}-${podName(set, ordinal)}`;
}

/** The pod with the names, labels and volumes of an ordinal. */
export function withIdentity(set: StatefulSet, pod: Pod, ordinal: number): Pod {
  const name = podName(set, ordinal);
  const { volumeClaimTemplates = [], serviceName } = set.spec!;
  const own = new Set(volumeClaimTemplates.map((template) => template.metadata!.name!));
  const claims = volumeClaimTemplates.map((template) => ({
    name: template.metadata!.name!,
    persistentVolumeClaim: { claimName: claimName(template, set, ordinal) },
  }));
  const volumes = [...claims, ...(pod.spec!.volumes ?? []).filter((volume) => !own.has(volume.name))];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name,
      labels: { ...pod.metadata?.labels, [POD_NAME]: name, [POD_INDEX]: String(ordinal) },
    },
    spec: {
      ...pod.spec!,
      hostname: name,
      ...(serviceName && { subdomain: serviceName }),
      ...(volumes.length && { volumes }),
    },
  };
}

/** Whether a live pod still has its names and claims; a label may have been taken away. */
export function hasIdentity(set: StatefulSet, pod: Pod, ordinal: number): boolean {
  const { labels = {} } = pod.metadata ?? {};
  return labels[POD_NAME] === podName(set, ordinal) && labels[POD_INDEX] === String(ordinal);
}
