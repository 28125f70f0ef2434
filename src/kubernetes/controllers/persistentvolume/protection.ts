/** Claims that pods use, and volumes that claims are bound to, go only when nobody uses them any more. Behaviour: kubernetes `pkg/controller/volume/pvcprotection` and `pvprotection`. */
import { type KubernetesObject, keyOf, type ResourceType } from '../../object.ts';
import { persistentVolumeClaims, persistentVolumes, pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { changed, isDeleting, metaOf } from '../meta.ts';
import { isFinished } from '../pods.ts';
import { claimNamesOf } from './matching.ts';

const CLAIM = 'kubernetes.io/pvc-protection';
const VOLUME = 'kubernetes.io/pv-protection';

export function claimProtection(parts: ControllerParts): Controller {
  const claims = parts.informers.of(persistentVolumeClaims);
  const podCopy = podsIn(parts.informers);
  return {
    name: 'persistentvolumeclaim-protection-controller',
    wokenBy: [
      wakes(claims, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(podCopy, ({ now, before }) => {
        // Only what ends frees a claim.
        if (now && !isFinished(now)) return [];
        const pod = (now ?? before)!;
        return claimNamesOf(pod).map(({ name }) => `${metaOf(pod).namespace}/${name}`);
      }),
    ],
    reads: [copyOf(persistentVolumeClaims, claims), copyOf(pods, podCopy)],
    async reconcile(key, step) {
      const claim = claims.get(key);
      if (!claim) return;
      const isUsed = podCopy
        .by('claim', key)
        .some((pod) => !isFinished(pod) && (pod.spec?.nodeName || !isDeleting(pod)));
      await protect(persistentVolumeClaims, claim, { finalizer: CLAIM, isUsed, step });
    },
  };
}

export function volumeProtection(parts: ControllerParts): Controller {
  const volumes = parts.informers.of(persistentVolumes);
  return {
    name: 'persistentvolume-protection-controller',
    wokenBy: [wakes(volumes, ({ now }) => (now ? [keyOf(now)] : []))],
    reads: [copyOf(persistentVolumes, volumes)],
    async reconcile(key, step) {
      const volume = volumes.get(key);
      if (!volume) return;
      await protect(persistentVolumes, volume, { finalizer: VOLUME, isUsed: volume.status?.phase === 'Bound', step });
    },
  };
}

async function protect<T extends KubernetesObject>(
  type: ResourceType<T>,
  object: T,
  { finalizer, isUsed, step: { api } }: { readonly finalizer: string; readonly isUsed: boolean; readonly step: Step },
): Promise<void> {
  const { finalizers = [] } = metaOf(object);
  const isHeld = finalizers.includes(finalizer);
  const next = isDeleting(object)
    ? isHeld && !isUsed && finalizers.filter((name) => name !== finalizer)
    : !isHeld && [...finalizers, finalizer];
  if (!next) return;
  const patch = { metadata: { finalizers: next.length ? next : null } };
  await api.update(type, changed(object, patch)).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
}
