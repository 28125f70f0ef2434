/** Resource quotas and limit ranges: `pkg/apis/core/validation`, "ValidateResourceQuota", "ValidateLimitRange". */
import { compareQuantities, isQuantity } from '../quantity.ts';
import type { LimitRange, ResourceQuota } from '../types.ts';
import {
  each,
  forbiddenField,
  immutable,
  invalidValue,
  required,
  unique,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';
import { amountErrors, resourceListErrors } from './quantities.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };

const quotaScopes = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
];

export const validateResourceQuota = validatorOf<ResourceQuota>((quota, old) => {
  const { spec = {} } = quota;
  return [
    ...metadataErrors(quota, old, namespaced),
    ...quotaAmountErrors(spec.hard, 'spec.hard'),
    ...each(spec.scopes, 'spec.scopes', (scope) =>
      when(!quotaScopes.includes(scope), () => invalidValue('spec.scopes', spec.scopes, 'unsupported scope')),
    ),
    ...when(spec.scopes?.includes('BestEffort') && spec.scopes.includes('NotBestEffort'), () =>
      invalidValue('spec.scopes', spec.scopes, 'conflicting scopes'),
    ),
    ...when(spec.scopes?.includes('Terminating') && spec.scopes.includes('NotTerminating'), () =>
      invalidValue('spec.scopes', spec.scopes, 'conflicting scopes'),
    ),
    ...each(
      spec.scopeSelector?.matchExpressions,
      'spec.scopeSelector.matchExpressions',
      ({ scopeName, operator, values }, path) => [
        ...when(!quotaScopes.includes(scopeName), () =>
          invalidValue(`${path}.scopeName`, scopeName, 'unsupported scope'),
        ),
        ...when(!['DoesNotExist', 'Exists', 'In', 'NotIn'].includes(operator), () =>
          invalidValue(`${path}.operator`, operator, 'not a valid selector operator'),
        ),
        ...when((operator === 'In' || operator === 'NotIn') && !values?.length, () =>
          required(
            `${path}.values`,
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
          ),
        ),
      ],
    ),
    ...(old ? immutable(spec.scopes, old.spec?.scopes, 'spec.scopes') : []),
  ];
});

function quotaAmountErrors(amounts: { readonly [name: string]: string } | undefined, field: string): Errors {
  return [
    ...resourceListErrors(amounts, field),
    ...Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
      const isCount = name.startsWith('count/') || countedResources.has(name);
      return when(
        isCount && isQuantity(amount) && !Number.isInteger(Number(amount)) && !/^\d+[kMG]i?$/.test(amount),
        () => invalidValue(`${field}[${name}]`, amount, 'must be an integer'),
      );
    }),
  ];
}

const countedResources = new Set([
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);

type LimitItem = NonNullable<LimitRange['spec']>['limits'][number];

export const validateLimitRange = validatorOf<LimitRange>((range, old) => [
  ...metadataErrors(range, old, namespaced),
  ...each(range.spec?.limits, 'spec.limits', limitErrors),
  ...unique(range.spec?.limits, 'spec.limits', ({ type }) => type, { suffix: '.type' }),
]);

function limitErrors(item: LimitItem, path: string): Errors {
  const { type, min, max, default: limit, defaultRequest: request, maxLimitRequestRatio: ratio } = item;
  const isContainer = type === 'Container';
  const names = new Set([min, max, limit, request, ratio].flatMap((amounts) => Object.keys(amounts ?? {})));
  const forms = Object.entries({
    min,
    max,
    default: limit,
    defaultRequest: request,
    maxLimitRequestRatio: ratio,
  }).flatMap(([name, amounts]) =>
    Object.entries(amounts ?? {}).flatMap(([resource, amount]) => amountErrors(amount, `${path}.${name}[${resource}]`)),
  );
  if (forms.length > 0) return forms;
  return [
    ...when(!type, () => required(`${path}.type`)),
    ...when(type === 'Pod' && limit && Object.keys(limit).length > 0, () =>
      forbiddenField(`${path}.default`, "may not be specified when `type` is 'Pod'"),
    ),
    ...when(type === 'Pod' && request && Object.keys(request).length > 0, () =>
      forbiddenField(`${path}.defaultRequest`, "may not be specified when `type` is 'Pod'"),
    ),
    ...when(type === 'PersistentVolumeClaim' && min?.['storage'] === undefined && max?.['storage'] === undefined, () =>
      required(path, 'either minimum or maximum storage value is required, but neither was provided'),
    ),
    ...[...names].flatMap((name) => [
      ...orderErrors(path, name, 'min', min?.[name], 'max', max?.[name]),
      ...(isContainer ? orderErrors(path, name, 'defaultRequest', request?.[name], 'max', max?.[name]) : []),
      ...(isContainer ? orderErrors(path, name, 'min', min?.[name], 'defaultRequest', request?.[name]) : []),
      ...(isContainer ? orderErrors(path, name, 'defaultRequest', request?.[name], 'default', limit?.[name]) : []),
      ...(isContainer ? orderErrors(path, name, 'default', limit?.[name], 'max', max?.[name]) : []),
      ...(isContainer ? orderErrors(path, name, 'min', min?.[name], 'default', limit?.[name]) : []),
    ]),
  ];
}

const words: { readonly [name: string]: string } = {
  min: 'min',
  max: 'max',
  default: 'default',
  defaultRequest: 'default request',
};

/** The smaller of two bounds that both are given must be the smaller. */
function orderErrors(
  path: string,
  resource: string,
  low: string,
  lower: string | undefined,
  high: string,
  higher: string | undefined,
): Errors {
  if (lower === undefined || higher === undefined || compareQuantities(lower, higher) <= 0) return [];
  // The blame is the value's that the user would change: a default, or the minimum of a range.
  const field = low === 'min' && high !== 'max' ? high : low;
  return [
    invalidValue(
      `${path}.${field}[${resource}]`,
      field === low ? lower : higher,
      `${words[low]} value ${lower} is greater than ${words[high]} value ${higher}`,
    ),
  ];
}
