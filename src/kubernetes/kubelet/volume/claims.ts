import { join } from 'node:path';
import { DabbaError } from '#base';
import { persistentVolumeClaims, persistentVolumes } from '../../resources.ts';
import type * as types from '../../types.ts';
import { quantityValue } from '../../quantity.ts';
import type { KubeletContext } from '../context.ts';
import { hostPlace, type HostPlace } from './host-path.ts';

/** What a PersistentVolume must say to be one of those that our own provisioner made: they outlive their node. */
const provisionedBy = 'pv.kubernetes.io/provisioned-by';

/** Where a volume lies, or which block device it is. */
export interface VolumePlace extends HostPlace {
  readonly isDevice: boolean;
}

type Ground = Pick<KubeletContext, 'client' | 'places' | 'blockDevices'>;

/** Where the volume of a claim lies. Throws `FailedPrecondition` when the claim is not bound, or bound to a kind of volume that there is not here. */
export async function claimPlace(
  ground: Ground,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<VolumePlace> {
  const { client } = ground;
  const claim = await client.get(persistentVolumeClaims, { namespace, name }, { signal });
  const volumeName = claim.spec?.volumeName;
  if (claim.status?.phase !== 'Bound' || !volumeName)
    throw new DabbaError('FailedPrecondition', `PVC ${namespace}/${name} is not bound`);
  const volume = await client.get(persistentVolumes, { name: volumeName }, { signal });
  return volume.spec?.volumeMode === 'Block'
    ? { path: blockDevice(volume, ground), isReadOnly: false, isDevice: true }
    : { ...(await volumePlace(volume, ground)), isDevice: false };
}

function blockDevice(volume: types.PersistentVolume, { places, blockDevices }: Ground): string {
  const name = directoryOf(volume);
  if (name === undefined)
    throw new DabbaError(
      'FailedPrecondition',
      `PersistentVolume ${volume.metadata?.name} cannot be a block device here`,
    );
  return blockDevices.ensure(join(places.blocks, name), quantityValue(volume.spec?.capacity?.['storage'] ?? '0'));
}

async function volumePlace(volume: types.PersistentVolume, { places }: Ground): Promise<HostPlace> {
  const { metadata, spec } = volume;
  const { hostPath, local, csi } = spec ?? {};
  if (csi) return await hostPlace(places.storage, `/${directoryOf(volume)}`, 'DirectoryOrCreate');
  if (local) return await hostPlace(places.root, local.path, 'Directory');
  if (hostPath && metadata?.annotations?.[provisionedBy] !== undefined)
    return await hostPlace(places.storage, hostPath.path, 'DirectoryOrCreate');
  if (hostPath) return await hostPlace(places.root, hostPath.path, hostPath.type);
  throw new DabbaError('FailedPrecondition', `the kind of PersistentVolume ${metadata?.name} cannot be mounted here`);
}

/** The name of a volume's directory or file; undefined for volumes that lie elsewhere. */
export function directoryOf({ metadata, spec }: types.PersistentVolume): string | undefined {
  if (spec?.csi) return nameOf(spec.csi.volumeHandle);
  if (metadata?.annotations?.[provisionedBy] === undefined) return undefined;
  return spec?.hostPath?.path.split('/').find((part) => part !== '' && part !== '.' && part !== '..');
}

/** A handle is any text; what it is called on disk is one name, and neither of those that lead elsewhere. */
function nameOf(handle: string): string {
  return encodeURIComponent(handle.toWellFormed()).replace(/^\.{1,2}$/, (dots) => dots.replaceAll('.', '%2E'));
}
