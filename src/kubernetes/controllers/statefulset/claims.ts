/** The claims of a stateful set's pods: made before the pod, kept or deleted with it as the retention policy says. */
import { messageOf } from '#base';
import type { Informer } from '../../client/informer.ts';
import { persistentVolumeClaims, pods, statefulSets } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from '../../types.ts';
import type { Step } from '../controller.ts';
import { changed, isDeleting, metaOf } from '../meta.ts';
import { controllerReference } from '../ownership.ts';
import { claimName } from './identity.ts';

export interface ClaimsOptions {
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly step: Step;
  /** Told of each claim that was made, or why it could not be. */
  readonly tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

/** Makes the claims of an ordinal that are not there; throws if one of them is on its way out. */
export async function ensureClaims(
  set: StatefulSet,
  ordinal: number,
  { claims, step, tell }: ClaimsOptions,
): Promise<void> {
  const { namespace, name: setName } = metaOf(set);
  for (const template of set.spec?.volumeClaimTemplates ?? []) {
    const name = claimName(template, set, ordinal);
    const there = claims.get(`${namespace}/${name}`);
    if (there && isDeleting(there)) throw new Error(`pvc ${name} is being deleted`);
    if (there) continue;
    const labels = { ...template.metadata?.labels, ...set.spec?.selector.matchLabels };
    const claim: PersistentVolumeClaim = {
      metadata: { ...template.metadata, ...(namespace && { namespace }), name, labels },
      ...(template.spec && { spec: template.spec }),
    };
    const subject = `Claim ${name} Pod ${setName}-${ordinal} in StatefulSet ${setName}`;
    try {
      await step.api.create(persistentVolumeClaims, claim);
      tell('Normal', 'SuccessfulCreate', `create ${subject} success`);
    } catch (error) {
      if (isStatusError(error, 'AlreadyExists')) continue;
      tell('Warning', 'FailedCreate', `create ${subject} failed error: ${messageOf(error)}`);
      throw error;
    }
  }
}

/**
 * Owners decide when a claim goes: the set's claims go with it if `whenDeleted` is `Delete`, those of a pod that is scaled away go with that pod if `whenScaled` is.
 * Returns once the references say so.
 */
export async function retainClaims(
  set: StatefulSet,
  { ordinal, condemned }: { readonly ordinal: number; readonly condemned: Pod | undefined },
  { claims, step }: ClaimsOptions,
): Promise<void> {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  if (!set.spec?.persistentVolumeClaimRetentionPolicy) return;
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const claim = claims.get(`${metaOf(set).namespace}/${claimName(template, set, ordinal)}`);
    if (!claim) continue;
    const wanted: OwnerReference[] = [];
    if (condemned && whenScaled === 'Delete')
      wanted.push({ ...controllerReference(pods, condemned), controller: false, blockOwnerDeletion: false });
    else if (whenDeleted === 'Delete')
      wanted.push({ ...controllerReference(statefulSets, set), controller: false, blockOwnerDeletion: false });
    await setOwners(claim, { wanted, set, step });
  }
}

async function setOwners(
  claim: PersistentVolumeClaim,
  { wanted, set, step }: { readonly wanted: readonly OwnerReference[]; readonly set: StatefulSet; readonly step: Step },
): Promise<void> {
  const { ownerReferences = [] } = metaOf(claim);
  // Only references to this set and its pods are ours to take away.
  const isOurs = ({ kind, uid, name }: OwnerReference) =>
    uid === metaOf(set).uid || (kind === 'Pod' && name.startsWith(`${metaOf(set).name}-`));
  const others = ownerReferences.filter((reference) => !isOurs(reference));
  const next = [...others, ...wanted];
  const uids = (list: readonly OwnerReference[]) => list.map(({ uid }) => uid).join();
  if (uids(next) === uids(ownerReferences)) return;
  const patch = { metadata: { ownerReferences: next.length ? next : null } };
  await step.api.update(persistentVolumeClaims, changed(claim, patch));
}
