/** Persistent volume claims and volumes: `pkg/apis/core/validation`, "ValidatePersistentVolumeClaimSpec", "ValidatePersistentVolume". */
import { compareQuantities, isQuantity } from '../quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../types.ts';
import {
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  notSupported,
  oneOf,
  required,
  same,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';
import { nodeSelectorErrors } from './node-selector.ts';
import { positiveAmountErrors } from './quantities.ts';

type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>;
type VolumeSpec = NonNullable<PersistentVolume['spec']>;

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

export const validatePersistentVolumeClaim = validatorOf<PersistentVolumeClaim>((claim, old) => [
  ...metadataErrors(claim, old, { isNamespaced: true, name: dnsSubdomain }),
  ...claimSpecErrors(claim.spec, 'spec'),
  ...(old?.spec ? claimUpdateErrors(claim.spec ?? {}, old) : []),
]);

export function claimSpecErrors(spec: ClaimSpec = {}, field: string): Errors {
  const storage = spec.resources?.requests?.['storage'];
  return [
    ...selectorErrors(spec.selector, `${field}.selector`),
    ...accessModeErrors(spec.accessModes, `${field}.accessModes`),
    ...(storage === undefined
      ? [required(`${field}.resources[storage]`)]
      : positiveAmountErrors(storage, `${field}.resources[storage]`)),
    ...(spec.storageClassName
      ? messagesOf(dnsSubdomain(spec.storageClassName), `${field}.storageClassName`, spec.storageClassName)
      : []),
    ...oneOf(spec.volumeMode, `${field}.volumeMode`, ['Block', 'Filesystem']),
    ...dataSourceErrors(spec, field),
  ];
}

function accessModeErrors(modes: readonly string[] | undefined, field: string): Errors {
  return [
    ...when(!modes?.length, () => required(field, 'at least 1 access mode is required')),
    ...(modes ?? []).flatMap((mode) => when(!accessModes.includes(mode), () => notSupported(field, mode, accessModes))),
    ...when(modes?.includes('ReadWriteOncePod') && modes.length > 1, () =>
      forbiddenField(field, 'may not use ReadWriteOncePod with other access modes'),
    ),
  ];
}

function dataSourceErrors({ dataSource, dataSourceRef }: ClaimSpec, field: string): Errors {
  if (!dataSource) return [];
  return [
    ...when(!dataSource.name, () => required(`${field}.dataSource.name`)),
    ...when(!dataSource.kind, () => required(`${field}.dataSource.kind`)),
    ...when(!dataSource.apiGroup && dataSource.kind !== 'PersistentVolumeClaim', () =>
      invalidValue(
        `${field}.dataSource`,
        dataSource.kind,
        "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
      ),
    ),
    ...when(dataSourceRef && !same({ ...dataSourceRef, namespace: undefined }, dataSource), () =>
      invalidValue(field, field, 'must match dataSourceRef'),
    ),
  ];
}

const immutableClaim =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

function claimUpdateErrors(spec: ClaimSpec, { spec: old = {}, status }: PersistentVolumeClaim): Errors {
  const request = spec.resources?.requests?.['storage'];
  const before = old.resources?.requests?.['storage'];
  const isBound = status?.phase === 'Bound';
  // The binder fills these in once; a class may be given to a claim that has none.
  const fixed = (claim: ClaimSpec) => ({
    ...claim,
    volumeName: old.volumeName ? claim.volumeName : undefined,
    storageClassName: old.storageClassName === undefined ? undefined : claim.storageClassName,
    volumeAttributesClassName: undefined,
    resources: isBound ? { ...claim.resources, requests: undefined } : claim.resources,
  });
  const shrinks =
    isBound && request && before && isQuantity(request) && isQuantity(before) && compareQuantities(request, before) < 0;
  const isRecovering =
    status?.capacity?.['storage'] &&
    request &&
    isQuantity(request) &&
    compareQuantities(request, status.capacity['storage']) > 0;
  return [
    ...when(!same(fixed(spec), fixed(old)), () => forbiddenField('spec', immutableClaim)),
    ...when(shrinks && !isRecovering, () =>
      forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'),
    ),
  ];
}

export const validatePersistentVolume = validatorOf<PersistentVolume>((volume, old) => [
  ...metadataErrors(volume, old, { isNamespaced: false, name: dnsSubdomain }),
  ...volumeSpecErrors(volume.spec ?? {}),
  ...(old?.spec ? volumeUpdateErrors(volume.spec ?? {}, old.spec) : []),
]);

const notSources = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);

function sourcesOf(spec: VolumeSpec) {
  return Object.entries(spec).filter(([name, value]) => !notSources.has(name) && value !== undefined);
}

function volumeSpecErrors(spec: VolumeSpec): Errors {
  const storage = spec.capacity?.['storage'];
  const sources = sourcesOf(spec);
  const affinity = spec.nodeAffinity?.required;
  return [
    ...accessModeErrors(spec.accessModes, 'spec.accessModes'),
    ...when(!spec.capacity || Object.keys(spec.capacity).length === 0, () => required('spec.capacity')),
    ...when(spec.capacity && storage === undefined, () =>
      notSupported('spec.capacity', Object.keys(spec.capacity!), ['storage']),
    ),
    ...(storage === undefined ? [] : positiveAmountErrors(storage, 'spec.capacity[storage]')),
    ...oneOf(spec.persistentVolumeReclaimPolicy, 'spec.persistentVolumeReclaimPolicy', ['Delete', 'Recycle', 'Retain']),
    ...oneOf(spec.volumeMode, 'spec.volumeMode', ['Block', 'Filesystem']),
    ...when(sources.length === 0, () => required('spec', 'must specify a volume type')),
    ...sources.slice(1).map(([name]) => forbiddenField(`spec.${name}`, 'may not specify more than 1 volume type')),
    ...when(spec.hostPath && !spec.hostPath.path, () => required('spec.hostPath.path')),
    ...when(spec.local && !affinity, () => required('spec.nodeAffinity', 'Local volume requires node affinity')),
    ...when(spec.local && !spec.local.path, () => required('spec.local.path')),
    ...when(spec.csi && !spec.csi.driver, () => required('spec.csi.driver')),
    ...when(spec.csi && !spec.csi.volumeHandle, () => required('spec.csi.volumeHandle')),
    ...when(spec.hostPath?.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle', () =>
      forbiddenField('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'"),
    ),
    ...when(spec.nodeAffinity && !affinity, () =>
      required('spec.nodeAffinity.required', 'must specify required node constraints'),
    ),
    ...(affinity ? nodeSelectorErrors(affinity, 'spec.nodeAffinity.required') : []),
    ...(spec.storageClassName
      ? messagesOf(dnsSubdomain(spec.storageClassName), 'spec.storageClassName', spec.storageClassName)
      : []),
    ...each(spec.mountOptions, 'spec.mountOptions', (option, path) =>
      when(option === '', () => invalidValue(path, option, 'may not be empty')),
    ),
  ];
}

function volumeUpdateErrors(spec: VolumeSpec, old: VolumeSpec): Errors {
  const isSame = same(Object.fromEntries(sourcesOf(spec)), Object.fromEntries(sourcesOf(old)));
  return [
    ...when(!isSame, () =>
      forbiddenField('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
    ),
    ...immutable(spec.volumeMode, old.volumeMode, 'spec.volumeMode'),
    ...(old.nodeAffinity ? immutable(spec.nodeAffinity, old.nodeAffinity, 'spec.nodeAffinity') : []),
  ];
}
