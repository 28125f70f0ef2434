/** Claims and ingresses that name no class get the cluster's default one. Upstream: `admission/storage/storageclass/setdefault`, `admission/network/defaultingressclass`. */
import type { AdmissionPlugin } from '../auth/user.ts';
import type { KubernetesObject } from '../object.ts';
import { ingressClasses, ingresses, persistentVolumeClaims, storageClasses } from '../resources.ts';
import type { Ingress, PersistentVolumeClaim } from '../types.ts';
import { creates, reader, type AdmissionParts } from './plugin.ts';

export function defaultStorageClass({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const classes = reader(informers.of(storageClasses));
  return {
    name: 'DefaultStorageClass',
    async mutate(request) {
      if (!creates(request, persistentVolumeClaims)) return request.object!;
      const claim = request.object as PersistentVolumeClaim;
      // An empty name is an answer too: a volume without class.
      if (claim.spec?.storageClassName !== undefined) return claim;
      if (claim.metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined) return claim;
      const found = newestMarked((await classes()).list(), [
        'storageclass.kubernetes.io/is-default-class',
        'storageclass.beta.kubernetes.io/is-default-class',
      ]);
      return found ? { ...claim, spec: { ...claim.spec!, storageClassName: found } } : claim;
    },
  };
}

export function defaultIngressClass({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const classes = reader(informers.of(ingressClasses));
  return {
    name: 'DefaultIngressClass',
    async mutate(request) {
      if (!creates(request, ingresses)) return request.object!;
      const ingress = request.object as Ingress;
      if (ingress.spec?.ingressClassName !== undefined) return ingress;
      if (ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined) return ingress;
      const found = newestMarked((await classes()).list(), ['ingressclass.kubernetes.io/is-default-class']);
      return found ? { ...ingress, spec: { ...ingress.spec!, ingressClassName: found } } : ingress;
    },
  };
}

/** Of several defaults the newest counts, then the first by name. */
function newestMarked(classes: readonly KubernetesObject[], annotations: readonly string[]): string | undefined {
  const marked = classes.filter(({ metadata }) => annotations.some((name) => metadata?.annotations?.[name] === 'true'));
  const madeAt = ({ metadata }: KubernetesObject) => metadata?.creationTimestamp ?? '';
  const nameOf = ({ metadata }: KubernetesObject) => metadata?.name ?? '';
  return marked.sort((a, b) => madeAt(b).localeCompare(madeAt(a)) || nameOf(a).localeCompare(nameOf(b)))[0]?.metadata
    ?.name;
}
