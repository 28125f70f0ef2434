/** A bound claim grows only if its class says so. Upstream: `plugin/pkg/admission/storage/persistentvolume/resize`. */
import type { AdmissionPlugin } from '../auth/user.ts';
import { compareQuantities } from '../quantity.ts';
import { persistentVolumeClaims, storageClasses } from '../resources.ts';
import type { PersistentVolumeClaim } from '../types.ts';
import { isOf, reader, refusal, type AdmissionParts } from './plugin.ts';

export function persistentVolumeClaimResize({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const classes = reader(informers.of(storageClasses));
  return {
    name: 'PersistentVolumeClaimResize',
    async validate(request) {
      const { type, operation, subresource } = request;
      if (!isOf(type, persistentVolumeClaims) || operation !== 'UPDATE' || subresource) return [];
      const [claim, old] = [request.object as PersistentVolumeClaim, request.oldObject as PersistentVolumeClaim];
      const [next, before] = [claim, old].map(({ spec }) => spec?.resources?.requests?.['storage']);
      if (next === undefined || before === undefined || compareQuantities(next, before) <= 0) return [];
      if (old.status?.phase !== 'Bound') throw refusal(request, 'Only bound persistent volume claims can be expanded');
      const name = claim.spec?.storageClassName;
      if (!name || !(await classes()).get(name)?.allowVolumeExpansion)
        throw refusal(
          request,
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        );
      return [];
    },
  };
}
