/** Storage classes: `pkg/apis/storage/validation`, "ValidateStorageClass". */
import type { StorageClass } from '../types.ts';
import {
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  oneOf,
  required,
  same,
  tooLong,
  validatorOf,
  when,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsSubdomain, qualifiedName } from './names.ts';

const clusterWide = { isNamespaced: false, name: dnsSubdomain };

const maxParameters = 512;
const maxParameterBytes = 256 * 1024;

export const validateStorageClass = validatorOf<StorageClass>((storage, old) => {
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode } = storage;
  const size = Object.entries(parameters ?? {}).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return [
    ...metadataErrors(storage, old, clusterWide),
    ...(provisioner
      ? messagesOf(qualifiedName(provisioner.toLowerCase()), 'provisioner', provisioner)
      : [required('provisioner')]),
    ...when(Object.keys(parameters ?? {}).length > maxParameters, () => tooLong('parameters', maxParameters)),
    ...Object.keys(parameters ?? {}).flatMap((key) =>
      when(key === '', () => invalidValue('parameters', '', 'field can not be empty.')),
    ),
    ...when(size > maxParameterBytes, () => tooLong('parameters', maxParameterBytes)),
    ...oneOf(reclaimPolicy, 'reclaimPolicy', ['Delete', 'Retain']),
    ...oneOf(volumeBindingMode, 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer']),
    ...when(old && !same(parameters, old.parameters), () =>
      forbiddenField('parameters', 'updates to parameters are forbidden.'),
    ),
    ...when(old && provisioner !== old.provisioner, () =>
      forbiddenField('provisioner', 'updates to provisioner are forbidden.'),
    ),
    ...when(old && (reclaimPolicy ?? 'Delete') !== (old.reclaimPolicy ?? 'Delete'), () =>
      forbiddenField('reclaimPolicy', 'updates to reclaimPolicy are forbidden.'),
    ),
    ...(old
      ? immutable(volumeBindingMode ?? 'Immediate', old.volumeBindingMode ?? 'Immediate', 'volumeBindingMode')
      : []),
  ];
});
