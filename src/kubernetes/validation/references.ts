/** References from a pod to its own fields, to its containers' resources, and to keys of other objects. */
import { invalidValue, messagesOf, notSupported, required, when, type Errors } from './field.ts';
import { configMapKey } from './names.ts';

export const environmentFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
export const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

type FieldReference = { readonly apiVersion?: string; readonly fieldPath: string } | undefined;

export function fieldReferenceErrors(reference: FieldReference, field: string, supported: readonly string[]): Errors {
  if (!reference) return [];
  const { fieldPath } = reference;
  if (!fieldPath) return [required(`${field}.fieldPath`)];
  const keyed = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(fieldPath);
  if (keyed)
    return when(!keyed[2], () =>
      invalidValue(`${field}.fieldPath`, fieldPath, 'error converting fieldPath: field label not supported: '),
    );
  return when(!supported.includes(fieldPath), () => notSupported(`${field}.fieldPath`, fieldPath, supported));
}

const containerResources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

type ResourceReference = { readonly containerName?: string; readonly resource: string } | undefined;

export function resourceReferenceErrors(
  reference: ResourceReference,
  field: string,
  { needsContainer = false }: { readonly needsContainer?: boolean } = {},
): Errors {
  if (!reference) return [];
  const { resource, containerName } = reference;
  return [
    ...when(needsContainer && !containerName, () => required(`${field}.containerName`)),
    ...when(!resource, () => required(`${field}.resource`)),
    ...when(
      resource && !containerResources.includes(resource) && !/^(?:limits|requests)\.hugepages-/.test(resource),
      () => notSupported(`${field}.resource`, resource, containerResources),
    ),
  ];
}

export function keyReferenceErrors(
  reference: { readonly name?: string; readonly key: string } | undefined,
  field: string,
): Errors {
  if (!reference) return [];
  return [
    ...when(!reference.name, () => required(`${field}.name`)),
    ...(reference.key
      ? messagesOf(configMapKey(reference.key), `${field}.key`, reference.key)
      : [required(`${field}.key`)]),
  ];
}
