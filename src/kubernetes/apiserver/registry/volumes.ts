import type { PersistentVolume, PersistentVolumeClaim } from '../../types.ts';
import type { Column, Strategy } from '../resource.ts';
import { age, nameColumn } from './columns.ts';
import { column } from './row.ts';

const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class';

export const volumeStrategy: Partial<Strategy<PersistentVolume>> = {
  hasStatus: true,
  returnsDeleted: true,
  default({ spec }) {
    if (!spec) return;
    spec.persistentVolumeReclaimPolicy ??= 'Retain';
    spec.volumeMode ??= 'Filesystem';
    if (spec.hostPath) spec.hostPath.type ??= '';
  },
  prepareForCreate(volume) {
    volume.status = { phase: 'Pending' };
  },
};

export const volumeClaimStrategy: Partial<Strategy<PersistentVolumeClaim>> = {
  hasStatus: true,
  returnsDeleted: true,
  default({ spec }) {
    if (spec) spec.volumeMode ??= 'Filesystem';
  },
  prepareForCreate(claim) {
    claim.status = { phase: 'Pending' };
  },
};

const accessModes: readonly (readonly [string, string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];

function modes(names: readonly string[] | undefined): string {
  return accessModes.flatMap(([name, short]) => (names?.includes(name) ? short : [])).join(',');
}

function phase(metadata: { readonly deletionTimestamp?: string } | undefined, word: string | undefined): string {
  return metadata?.deletionTimestamp ? 'Terminating' : (word ?? '');
}

/** `kubectl get persistentvolumes`. Source: `printers.go`, "printPersistentVolume". */
export const volumeColumns: readonly Column<PersistentVolume>[] = [
  nameColumn,
  column('Capacity', ({ spec }) => spec?.capacity?.['storage'] ?? ''),
  column('Access Modes', ({ spec }) => modes(spec?.accessModes)),
  column('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ''),
  column('Status', ({ metadata, status }) => phase(metadata, status?.phase)),
  column('Claim', ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '')),
  column(
    'StorageClass',
    ({ metadata, spec }) => metadata?.annotations?.[storageClassAnnotation] ?? spec?.storageClassName ?? '',
  ),
  column('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  column('Reason', ({ status }) => status?.reason ?? ''),
  age,
  column('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>', { priority: 1 }),
];

/** `kubectl get persistentvolumeclaims`. */
export const claimColumns: readonly Column<PersistentVolumeClaim>[] = [
  nameColumn,
  column('Status', ({ metadata, status }) => phase(metadata, status?.phase)),
  column('Volume', ({ spec }) => spec?.volumeName ?? ''),
  column('Capacity', ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.['storage'] ?? '') : '')),
  column('Access Modes', ({ spec, status }) => (spec?.volumeName ? modes(status?.accessModes) : '')),
  column(
    'StorageClass',
    ({ metadata, spec }) => metadata?.annotations?.[storageClassAnnotation] ?? spec?.storageClassName ?? '',
  ),
  column('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  age,
  column('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>', { priority: 1 }),
];
