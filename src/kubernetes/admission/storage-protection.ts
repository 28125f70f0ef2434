/** Claims and volumes in use do not vanish: a finalizer that their controllers take away once nobody needs them. Upstream: `admission/storage/storageobjectinuseprotection`. */
import type { AdmissionPlugin } from '../auth/user.ts';
import { persistentVolumeClaims, persistentVolumes } from '../resources.ts';
import { creates } from './plugin.ts';

export const claimProtection = 'kubernetes.io/pvc-protection';
export const volumeProtection = 'kubernetes.io/pv-protection';

export function storageObjectInUseProtection(): AdmissionPlugin {
  return {
    name: 'StorageObjectInUseProtection',
    async mutate(request) {
      const object = request.object!;
      const finalizer = creates(request, persistentVolumeClaims)
        ? claimProtection
        : creates(request, persistentVolumes)
          ? volumeProtection
          : undefined;
      const finalizers = object.metadata?.finalizers ?? [];
      if (!finalizer || finalizers.includes(finalizer)) return object;
      return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, finalizer] } };
    },
  };
}
