/** The rows of `storage.k8s.io`. */
import type * as types from '../../types.ts';
import type { Resource } from '../resource.ts';
import { age, nameColumn } from './columns.ts';
import { column, row } from './row.ts';

const group = 'storage.k8s.io';
const isDefault = 'storageclass.kubernetes.io/is-default-class';

export const storageRows: readonly Resource[] = [
  row<types.StorageClass>(group, 'StorageClass', 'storageclasses', {
    isClusterWide: true,
    shortNames: ['sc'],
    strategy: {
      default(storageClass) {
        storageClass.reclaimPolicy ??= 'Delete';
        storageClass.volumeBindingMode ??= 'Immediate';
      },
    },
    columns: [
      column(
        'Name',
        ({ metadata }) => `${metadata?.name}${metadata?.annotations?.[isDefault] === 'true' ? ' (default)' : ''}`,
        { format: 'name' },
      ),
      column('Provisioner', ({ provisioner }) => provisioner),
      column('ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'),
      column('VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate'),
      column('AllowVolumeExpansion', ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false),
      age,
    ],
  }),
  row<types.VolumeAttachment>(group, 'VolumeAttachment', 'volumeattachments', {
    isClusterWide: true,
    strategy: { hasStatus: true },
    columns: [
      nameColumn,
      column('Attacher', ({ spec }) => spec.attacher),
      column('PV', ({ spec }) => spec.source.persistentVolumeName ?? ''),
      column('Node', ({ spec }) => spec.nodeName),
      column('Attached', ({ status }) => status?.attached ?? false),
      age,
    ],
  }),
  row<types.CSIDriver>(group, 'CSIDriver', 'csidrivers', {
    isClusterWide: true,
    strategy: {
      default({ spec }) {
        if (!spec) return;
        spec.attachRequired ??= true;
        spec.podInfoOnMount ??= false;
        spec.storageCapacity ??= false;
        spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
        spec.volumeLifecycleModes ??= ['Persistent'];
        spec.requiresRepublish ??= false;
        spec.seLinuxMount ??= false;
      },
    },
    columns: [
      nameColumn,
      column('AttachRequired', ({ spec }) => spec.attachRequired ?? true),
      column('PodInfoOnMount', ({ spec }) => spec.podInfoOnMount ?? false),
      column('StorageCapacity', ({ spec }) => spec.storageCapacity ?? false),
      column(
        'TokenRequests',
        ({ spec }) => (spec.tokenRequests ?? []).map(({ audience }) => audience).join(',') || '<unset>',
      ),
      column('RequiresRepublish', ({ spec }) => spec.requiresRepublish ?? false),
      column('Modes', ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',')),
      age,
    ],
  }),
  row<types.CSINode>(group, 'CSINode', 'csinodes', {
    isClusterWide: true,
    columns: [nameColumn, column('Drivers', ({ spec }) => spec.drivers.length, { type: 'integer' }), age],
  }),
  row<types.CSIStorageCapacity>(group, 'CSIStorageCapacity', 'csistoragecapacities', {
    columns: [
      nameColumn,
      column('StorageClassName', ({ storageClassName }) => storageClassName),
      column('Capacity', ({ capacity }) => capacity ?? '<unset>'),
      age,
    ],
  }),
  row<types.VolumeAttributesClass>(group, 'VolumeAttributesClass', 'volumeattributesclasses', {
    isClusterWide: true,
    shortNames: ['vac'],
    columns: [nameColumn, column('DriverName', ({ driverName }) => driverName), age],
  }),
];
