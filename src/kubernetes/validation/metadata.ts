/** What all objects have in common: apimachinery `api/validation/objectmeta.go`. */
import type { KubernetesObject } from '../object.ts';
import type { LabelSelector, ObjectMeta } from '../types.ts';
import {
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  required,
  tooLong,
  when,
  type Errors,
} from './field.ts';
import { asPrefix, labelValue, qualifiedName, type NameCheck } from './names.ts';

const maxAnnotationBytes = 256 * 1024;

export interface MetadataRules {
  readonly isNamespaced: boolean;
  readonly name: NameCheck;
}

export function metadataErrors(
  { metadata = {} }: KubernetesObject,
  old: KubernetesObject | undefined,
  { isNamespaced, name: check }: MetadataRules,
  field = 'metadata',
): Errors {
  const { name, generateName, namespace, labels, annotations, ownerReferences, finalizers } = metadata;
  return [
    ...(generateName ? messagesOf(asPrefix(check)(generateName), `${field}.generateName`, generateName) : []),
    ...(name
      ? messagesOf(check(name), `${field}.name`, name)
      : [required(`${field}.name`, 'name or generateName is required')]),
    ...when(isNamespaced && !namespace, () => required(`${field}.namespace`)),
    ...when(!isNamespaced && namespace, () => forbiddenField(`${field}.namespace`, 'not allowed on this type')),
    ...labelErrors(labels, `${field}.labels`),
    ...annotationErrors(annotations, `${field}.annotations`),
    ...ownerErrors(ownerReferences, `${field}.ownerReferences`),
    ...each(finalizers, `${field}.finalizers`, (finalizer) => finalizerErrors(finalizer, `${field}.finalizers`)),
    ...(old ? updateErrors(metadata, old.metadata ?? {}, field) : []),
  ];
}

function updateErrors(metadata: ObjectMeta, old: ObjectMeta, field: string): Errors {
  const added = old.deletionTimestamp
    ? (metadata.finalizers ?? []).filter((name) => !old.finalizers?.includes(name))
    : [];
  return [
    ...immutable(metadata.name, old.name, `${field}.name`),
    ...immutable(metadata.namespace, old.namespace, `${field}.namespace`),
    ...when(added.length > 0, () =>
      forbiddenField(
        `${field}.finalizers`,
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
      ),
    ),
  ];
}

export function labelErrors(labels: { readonly [key: string]: string } | undefined, field: string): Errors {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...messagesOf(qualifiedName(key), field, key),
    ...messagesOf(labelValue(value), field, value),
  ]);
}

export function annotationErrors(annotations: { readonly [key: string]: string } | undefined, field: string): Errors {
  const entries = Object.entries(annotations ?? {});
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  return [
    // Keys may be written in any case, unlike domains elsewhere.
    ...entries.flatMap(([key]) => messagesOf(qualifiedName(key.toLowerCase()), field, key)),
    ...when(size > maxAnnotationBytes, () => tooLong(field, maxAnnotationBytes)),
  ];
}

function ownerErrors(owners: ObjectMeta['ownerReferences'], field: string): Errors {
  const controllers = (owners ?? []).filter(({ controller }) => controller);
  return [
    ...each(owners, field, (owner, path) => [
      ...when(!/^(?:[^/]+\/)?[^/]+$/.test(owner.apiVersion ?? ''), () =>
        invalidValue(`${path}.apiVersion`, owner.apiVersion ?? '', 'version must not be empty'),
      ),
      ...(['kind', 'name', 'uid'] as const).flatMap((name) =>
        when(!owner[name], () => invalidValue(`${path}.${name}`, owner[name] ?? '', 'must not be empty')),
      ),
      ...when(owner.apiVersion === 'v1' && owner.kind === 'Event', () =>
        invalidValue(field, owner, '/v1, Kind=Event is disallowed from being an owner'),
      ),
    ]),
    ...when(controllers.length > 1, () =>
      invalidValue(
        field,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${controllers[0]!.name} and ${controllers[1]!.name}`,
      ),
    ),
  ];
}

/** Those without a prefix that the system itself sets; the last is of `apiextensions`, which checks no prefix. */
const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion', 'customresourcecleanup.apiextensions.k8s.io'];

function finalizerErrors(finalizer: string, field: string): Errors {
  const isStandard = standardFinalizers.includes(finalizer);
  return [
    ...messagesOf(qualifiedName(finalizer), field, finalizer),
    ...when(!isStandard && !finalizer.includes('/') && qualifiedName(finalizer).length === 0, () =>
      invalidValue(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'),
    ),
  ];
}

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** A `LabelSelector` object: apimachinery `meta/v1/validation`. */
export function selectorErrors(selector: LabelSelector | undefined, field: string): Errors {
  if (!selector) return [];
  return [
    ...labelErrors(selector.matchLabels, `${field}.matchLabels`),
    ...each(selector.matchExpressions, `${field}.matchExpressions`, ({ key, operator, values }, path) => [
      ...(operator === 'In' || operator === 'NotIn'
        ? when(!values?.length, () =>
            required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"),
          )
        : []),
      ...(operator === 'Exists' || operator === 'DoesNotExist'
        ? when(values?.length, () =>
            forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
          )
        : []),
      ...when(!operators.includes(operator), () =>
        invalidValue(`${path}.operator`, operator, 'not a valid selector operator'),
      ),
      ...messagesOf(qualifiedName(key ?? ''), `${path}.key`, key),
      ...each(values, `${path}.values`, (value, valuePath) => messagesOf(labelValue(value), valuePath, value)),
    ]),
  ];
}
