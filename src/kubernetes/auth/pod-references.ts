/** Which objects of its own namespace a pod refers to. Upstream: `pkg/api/v1/pod/util.go`, "VisitPodSecretNames", "VisitPodConfigmapNames". */
import type { Container, Pod } from '../types.ts';

export function* secretsOf({ spec }: Pod): Generator<string> {
  yield* names(spec?.imagePullSecrets);
  for (const container of containersOf(spec)) {
    for (const { secretRef } of container.envFrom ?? []) yield* name(secretRef);
    for (const { valueFrom } of container.env ?? []) yield* name(valueFrom?.secretKeyRef);
  }
  for (const volume of spec?.volumes ?? []) {
    if (volume.secret?.secretName) yield volume.secret.secretName;
    for (const source of volume.projected?.sources ?? []) yield* name(source.secret);
    yield* name(volume.csi?.nodePublishSecretRef);
    if (volume.azureFile) yield volume.azureFile.secretName;
    yield* name(volume.cephfs?.secretRef);
    yield* name(volume.cinder?.secretRef);
    yield* name(volume.flexVolume?.secretRef);
    yield* name(volume.iscsi?.secretRef);
    yield* name(volume.rbd?.secretRef);
    yield* name(volume.scaleIO?.secretRef);
    yield* name(volume.storageos?.secretRef);
  }
}

export function* configMapsOf({ spec }: Pod): Generator<string> {
  for (const container of containersOf(spec)) {
    for (const { configMapRef } of container.envFrom ?? []) yield* name(configMapRef);
    for (const { valueFrom } of container.env ?? []) yield* name(valueFrom?.configMapKeyRef);
  }
  for (const volume of spec?.volumes ?? []) {
    yield* name(volume.configMap);
    for (const source of volume.projected?.sources ?? []) yield* name(source.configMap);
  }
}

/** Claims of the pod, the ones made for its ephemeral volumes included. */
export function claimsOf({ metadata, spec }: Pod): readonly string[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral ? [`${metadata?.name}-${volume.name}`] : [];
  });
}

type Environment = Pick<Container, 'env' | 'envFrom'>;

function containersOf(spec: Pod['spec']): readonly Environment[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
}

function name(reference: { readonly name?: string } | undefined): readonly string[] {
  return reference?.name ? [reference.name] : [];
}

function names(references: readonly { readonly name?: string }[] | undefined): readonly string[] {
  return (references ?? []).flatMap(name);
}
