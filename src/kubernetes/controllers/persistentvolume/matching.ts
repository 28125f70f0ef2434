/** Which volume suits which claim. Behaviour: kubernetes `component-helpers/storage/volume`, "FindMatchingVolume". */
import { compareQuantities } from '../../quantity.ts';
import { nodeTermPredicate } from '../../scheduler/selection.ts';
import { labelSelectorOf, matches } from '../../selector.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../types.ts';
import { isDeleting, metaOf } from '../meta.ts';

/** Written by the scheduler: where the pod that waits for the claim will run. */
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
/** Written by whoever binds: the claim, the volume's side and the claim's side agree. */
export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
/** On what was bound by us, and not by hand. */
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';

export function classNameOf({ metadata, spec }: PersistentVolumeClaim | PersistentVolume): string {
  return metadata?.annotations?.[BETA_CLASS] ?? spec?.storageClassName ?? '';
}

/** True if binding waits until a pod that uses the claim has a node. */
export function waitsForConsumer(storageClass: StorageClass | undefined): boolean {
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
}

export function isBound({ metadata, spec }: PersistentVolumeClaim): boolean {
  return Boolean(spec?.volumeName) && metadata?.annotations?.[BIND_COMPLETED] !== undefined;
}

/** Whether the volume is promised to this very claim; a promise without uid holds for whoever has the name. */
export function isPromisedTo({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = spec?.claimRef;
  const { namespace, name, uid } = metaOf(claim);
  return reference?.namespace === namespace && reference?.name === name && (!reference.uid || reference.uid === uid);
}

/** Whether a node is within reach of the volume. */
export function isReachable({ spec }: PersistentVolume, node: Node): boolean {
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return !terms || terms.some((term) => nodeTermPredicate(term)(node));
}

/** The smallest volume that will do: one promised to the claim, or free and of its class, modes, size and labels. `node` narrows it to what that node reaches. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  node?: Node,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (isDeleting(volume) || (node && !isReachable(volume, node))) continue;
    if (isPromisedTo(volume, claim)) return volume;
    if (volume.spec?.claimRef || !isSuitable(volume, claim)) continue;
    if (!best || compareQuantities(sizeOf(volume), sizeOf(best)) < 0) best = volume;
  }
  return best;
}

function isSuitable(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { accessModes = [], resources, selector, volumeMode = 'Filesystem' } = claim.spec ?? {};
  if (classNameOf(volume) !== classNameOf(claim)) return false;
  if ((volume.spec?.volumeMode ?? 'Filesystem') !== volumeMode) return false;
  if (!accessModes.every((mode) => volume.spec?.accessModes?.includes(mode))) return false;
  if (selector && !matches(labelSelectorOf(selector), volume.metadata?.labels)) return false;
  return compareQuantities(sizeOf(volume), resources?.requests?.['storage'] ?? '0') >= 0;
}

function sizeOf({ spec }: PersistentVolume): string {
  return spec?.capacity?.['storage'] ?? '0';
}

export interface MountedClaim {
  readonly name: string;
  /** Made for this pod and deleted with it. */
  readonly isEphemeral: boolean;
}

/** The claims that a pod mounts. */
export function claimNamesOf(pod: Pod): readonly MountedClaim[] {
  return (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }): MountedClaim[] => {
    if (persistentVolumeClaim) return [{ name: persistentVolumeClaim.claimName, isEphemeral: false }];
    return ephemeral ? [{ name: `${pod.metadata!.name}-${name}`, isEphemeral: true }] : [];
  });
}
