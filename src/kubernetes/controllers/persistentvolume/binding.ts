/** Writing that a volume and a claim belong together, on both sides, each write repeatable. */
import { apiVersionOf } from '../../object.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../resources.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../types.ts';
import type { Step } from '../controller.ts';
import { changed, metaOf } from '../meta.ts';
import { BIND_COMPLETED, BOUND_BY_CONTROLLER, isBound, isPromisedTo } from './matching.ts';

type ClaimStatus = NonNullable<PersistentVolumeClaim['status']>;

/** The volume's side first: a claim that says it is bound can be relied on. */
export async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume, { api }: Step): Promise<void> {
  const promised = await promise(claim, volume, { api });
  if (promised.status?.phase !== 'Bound')
    await api.update(persistentVolumes, { ...promised, status: { phase: 'Bound' } }, { subresource: 'status' });
  const bound = isBound(claim) ? claim : await complete(claim, promised, { api });
  await tellBound(bound, promised, { api });
}

async function promise(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
  { api }: Pick<Step, 'api'>,
): Promise<PersistentVolume> {
  if (isPromisedTo(volume, claim) && volume.spec?.claimRef?.uid) return volume;
  const { namespace, name, uid, resourceVersion } = metaOf(claim);
  const claimRef = {
    apiVersion: apiVersionOf(persistentVolumeClaims),
    kind: 'PersistentVolumeClaim',
    namespace,
    name,
    uid,
    resourceVersion,
  };
  const annotations = volume.spec?.claimRef ? {} : { [BOUND_BY_CONTROLLER]: 'yes' };
  return api.update(persistentVolumes, changed(volume, { metadata: { annotations }, spec: { claimRef } }));
}

async function complete(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
  { api }: Pick<Step, 'api'>,
): Promise<PersistentVolumeClaim> {
  const isOurs = !claim.spec?.volumeName;
  const annotations = { [BIND_COMPLETED]: 'yes', ...(isOurs && { [BOUND_BY_CONTROLLER]: 'yes' }) };
  const spec = { volumeName: metaOf(volume).name };
  return api.update(persistentVolumeClaims, changed(claim, { metadata: { annotations }, spec }));
}

async function tellBound(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
  { api }: Pick<Step, 'api'>,
): Promise<void> {
  const { status = {} } = claim;
  const capacity = volume.spec?.capacity;
  const isTold = status.phase === 'Bound' && status.capacity?.['storage'] === capacity?.['storage'];
  if (isTold) return;
  const next: ClaimStatus = {
    ...status,
    phase: 'Bound',
    ...(volume.spec?.accessModes && { accessModes: volume.spec.accessModes }),
    ...(capacity && { capacity }),
  };
  await api.update(persistentVolumeClaims, { ...claim, status: next }, { subresource: 'status' });
}
