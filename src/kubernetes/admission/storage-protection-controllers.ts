/** Let claims and volumes that are to be deleted go, once no pod and no claim uses them. Upstream: `pkg/controller/volume/{pvcprotection,pvprotection}`. */
import { claimsOf } from '../auth/pod-references.ts';
import { type Controller, type ControllerParts, type Step, wakes } from '../controllers/controller.ts';
import { keyOf, type KubernetesObject, type ResourceType } from '../object.ts';
import { persistentVolumeClaims, persistentVolumes, pods } from '../resources.ts';
import { isStatusError } from '../status.ts';
import type { Pod } from '../types.ts';
import { isOver } from './quota/usage.ts';
import { claimProtection, volumeProtection } from './storage-protection.ts';

export function claimProtectionController({ informers }: Pick<ControllerParts, 'informers'>): Controller {
  const claims = informers.of(persistentVolumeClaims);
  const users = informers.of<Pod>(pods, { indexes: { claim: claimKeys } });
  return {
    name: 'pvc-protection-controller',
    wokenBy: [
      wakes(claims, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(users, ({ before }) => (before ? claimKeys(before) : [])),
    ],
    reads: [[persistentVolumeClaims, claims]],
    async reconcile(key, step) {
      const claim = claims.get(key);
      if (!claim) return;
      const isUsed = users.by('claim', key).some((pod) => !isOver(pod));
      await letGo(persistentVolumeClaims, claim, claimProtection, isUsed, step);
    },
  };
}

export function volumeProtectionController({ informers }: Pick<ControllerParts, 'informers'>): Controller {
  const volumes = informers.of(persistentVolumes);
  return {
    name: 'pv-protection-controller',
    wokenBy: [wakes(volumes, ({ now }) => (now ? [keyOf(now)] : []))],
    reads: [[persistentVolumes, volumes]],
    async reconcile(key, step) {
      const volume = volumes.get(key);
      if (!volume) return;
      await letGo(persistentVolumes, volume, volumeProtection, volume.status?.phase === 'Bound', step);
    },
  };
}

/** `namespace/name` of every claim the pod uses. */
function claimKeys(pod: Pod): readonly string[] {
  return claimsOf(pod).map((name) => `${pod.metadata?.namespace}/${name}`);
}

async function letGo<T extends KubernetesObject>(
  type: ResourceType<T>,
  object: T,
  finalizer: string,
  isUsed: boolean,
  { api, signal }: Step,
): Promise<void> {
  const { finalizers = [], deletionTimestamp } = object.metadata ?? {};
  if (!deletionTimestamp || isUsed || !finalizers.includes(finalizer)) return;
  const rest = finalizers.filter((name) => name !== finalizer);
  const next = { ...object, metadata: { ...object.metadata, finalizers: rest } };
  await api.update(type, next, { signal }).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
}
