/** Drivers, attachments and capacities of volumes: `pkg/apis/storage/validation`. */
import type { CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment, VolumeAttributesClass } from '../types.ts';
import {
  each,
  forbiddenField,
  immutable,
  messagesOf,
  oneOf,
  required,
  same,
  unique,
  validatorOf,
  when,
} from './field.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';
import { amountErrors } from './quantities.ts';

const clusterWide = { isNamespaced: false, name: dnsSubdomain };

export const validateCSIDriver = validatorOf<CSIDriver>((driver, old) => {
  const { spec } = driver;
  return [
    ...metadataErrors(driver, old, clusterWide),
    ...each(spec?.volumeLifecycleModes, 'spec.volumeLifecycleModes', (mode) =>
      oneOf(mode, 'spec.volumeLifecycleModes', ['Ephemeral', 'Persistent']),
    ),
    ...oneOf(spec?.fsGroupPolicy, 'spec.fsGroupPolicy', ['File', 'None', 'ReadWriteOnceWithFSType']),
    ...unique(spec?.tokenRequests, 'spec.tokenRequests', ({ audience }) => audience, { suffix: '.audience' }),
    ...(old ? immutable(spec?.attachRequired ?? true, old.spec?.attachRequired ?? true, 'spec.attachedRequired') : []),
    ...(old ? immutable(spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes, 'spec.volumeLifecycleModes') : []),
  ];
});

export const validateCSINode = validatorOf<CSINode>((node, old) => [
  ...metadataErrors(node, old, clusterWide),
  ...each(node.spec?.drivers, 'spec.drivers', ({ name, nodeID }, path) => [
    ...(name ? messagesOf(dnsSubdomain(name), `${path}.name`, name) : [required(`${path}.name`)]),
    ...when(!nodeID, () => required(`${path}.nodeID`)),
  ]),
  ...unique(node.spec?.drivers, 'spec.drivers', ({ name }) => name, { suffix: '.name' }),
]);

export const validateCSIStorageCapacity = validatorOf<CSIStorageCapacity>((capacity, old) => [
  ...metadataErrors(capacity, old, { isNamespaced: true, name: dnsSubdomain }),
  ...(capacity.storageClassName
    ? messagesOf(dnsSubdomain(capacity.storageClassName), 'storageClassName', capacity.storageClassName)
    : [required('storageClassName')]),
  ...selectorErrors(capacity.nodeTopology, 'nodeTopology'),
  ...(capacity.capacity === undefined ? [] : amountErrors(capacity.capacity, 'capacity')),
  ...(capacity.maximumVolumeSize === undefined ? [] : amountErrors(capacity.maximumVolumeSize, 'maximumVolumeSize')),
  ...(old ? immutable(capacity.nodeTopology, old.nodeTopology, 'nodeTopology') : []),
  ...(old ? immutable(capacity.storageClassName, old.storageClassName, 'storageClassName') : []),
]);

export const validateVolumeAttachment = validatorOf<VolumeAttachment>((attachment, old) => {
  const { attacher, nodeName, source } = attachment.spec ?? {};
  const isNamed = source?.persistentVolumeName !== undefined;
  const isInline = source?.inlineVolumeSpec !== undefined;
  return [
    ...metadataErrors(attachment, old, clusterWide),
    ...(attacher ? messagesOf(dnsSubdomain(attacher), 'spec.attacher', attacher) : [required('spec.attacher')]),
    ...(nodeName ? messagesOf(dnsSubdomain(nodeName), 'spec.nodeName', nodeName) : [required('spec.nodeName')]),
    ...when(!isNamed && !isInline, () =>
      required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'),
    ),
    ...when(isNamed && isInline, () =>
      forbiddenField('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'),
    ),
    ...(old ? immutable(attachment.spec, old.spec, 'spec') : []),
  ];
});

export const validateVolumeAttributesClass = validatorOf<VolumeAttributesClass>((attributes, old) => [
  ...metadataErrors(attributes, old, clusterWide),
  ...(attributes.driverName
    ? messagesOf(dnsSubdomain(attributes.driverName), 'driverName', attributes.driverName)
    : [required('driverName')]),
  ...when(Object.keys(attributes.parameters ?? {}).length === 0, () =>
    required('parameters', 'must contain at least one key/value pair'),
  ),
  ...when(old && attributes.driverName !== old.driverName, () =>
    forbiddenField('driverName', 'updates to driverName are forbidden.'),
  ),
  ...when(old && !same(attributes.parameters, old.parameters), () =>
    forbiddenField('parameters', 'updates to parameters are forbidden.'),
  ),
]);
