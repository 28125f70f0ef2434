import { DabbaError } from '#base';
import type { ApiClient } from '../../client/client.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../resources.ts';
import type * as types from '../../types.ts';
import type { NodePlaces } from '../context.ts';
import { hostPlace, type HostPlace } from './host-path.ts';

/** What a PersistentVolume must say to be one of those that our own provisioner made: they outlive their node. */
export const provisionedBy = 'pv.kubernetes.io/provisioned-by';

/** Where the volume of a claim lies. Throws `FailedPrecondition` when the claim is not bound, or bound to a kind of volume that there is not here. */
export async function claimPlace(
  client: ApiClient,
  places: NodePlaces,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<HostPlace> {
  const claim = await client.get(persistentVolumeClaims, { namespace, name }, { signal });
  const volumeName = claim.spec?.volumeName;
  if (claim.status?.phase !== 'Bound' || !volumeName)
    throw new DabbaError('FailedPrecondition', `PVC ${namespace}/${name} is not bound`);
  return await volumePlace(await client.get(persistentVolumes, { name: volumeName }, { signal }), places);
}

async function volumePlace({ metadata, spec }: types.PersistentVolume, places: NodePlaces): Promise<HostPlace> {
  const { hostPath, local, csi } = spec ?? {};
  if (csi) return await hostPlace(places.storage, `/${encodeURIComponent(csi.volumeHandle)}`, 'DirectoryOrCreate');
  if (local) return await hostPlace(places.root, local.path, 'Directory');
  if (hostPath && metadata?.annotations?.[provisionedBy] !== undefined)
    return await hostPlace(places.storage, hostPath.path, 'DirectoryOrCreate');
  if (hostPath) return await hostPlace(places.root, hostPath.path, hostPath.type);
  throw new DabbaError('FailedPrecondition', `the kind of PersistentVolume ${metadata?.name} cannot be mounted here`);
}
