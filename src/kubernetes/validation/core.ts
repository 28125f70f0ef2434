/** Namespaces, nodes, service accounts, quotas, limit ranges, endpoints and events: `pkg/apis/core/validation`. */
import { compareQuantities, isQuantity } from '../quantity.ts';
import type {
  Endpoints,
  EndpointSlice,
  Event,
  LimitRange,
  Namespace,
  Node,
  ResourceQuota,
  ServiceAccount,
} from '../types.ts';
import {
  duplicate,
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  notSupported,
  oneOf,
  required,
  tooMany,
  unique,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { cidr, dnsLabel, dnsSubdomain, ipAddress, portNumber, qualifiedName } from './names.ts';
import { taintErrors } from './node-selector.ts';
import { amountErrors, resourceListErrors } from './quantities.ts';
import { specialAddressErrors } from './service.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };

export const validateNamespace = validatorOf<Namespace>((namespace, old) => [
  ...metadataErrors(namespace, old, { isNamespaced: false, name: dnsLabel }),
  ...each(namespace.spec?.finalizers, 'spec.finalizers', (finalizer) =>
    messagesOf(qualifiedName(finalizer), 'spec.finalizers', finalizer),
  ),
  ...podSecurityLabelErrors(namespace.metadata?.labels),
]);

const podSecurityLevels = ['baseline', 'privileged', 'restricted'];

/** Checked where they are set, so that a mistyped level does not leave a namespace open. */
function podSecurityLabelErrors(labels: { readonly [name: string]: string } | undefined): Errors {
  return ['enforce', 'audit', 'warn'].flatMap((mode) => {
    const [levelKey, versionKey] = [`pod-security.kubernetes.io/${mode}`, `pod-security.kubernetes.io/${mode}-version`];
    const [level, version] = [labels?.[levelKey], labels?.[versionKey]];
    return [
      ...when(level !== undefined && !podSecurityLevels.includes(level), () =>
        invalidValue(`metadata.labels[${levelKey}]`, level, 'must be one of privileged, baseline, restricted'),
      ),
      ...when(version !== undefined && !/^(?:latest|v1\.\d+)$/.test(version), () =>
        invalidValue(`metadata.labels[${versionKey}]`, version, 'must be "latest" or "v1.x"'),
      ),
    ];
  });
}

export const validateNode = validatorOf<Node>((node, old) => {
  const { spec, status } = node;
  return [
    ...metadataErrors(node, old, { isNamespaced: false, name: dnsSubdomain }),
    ...taintErrors(spec?.taints, 'spec.taints'),
    ...each(spec?.podCIDRs, 'spec.podCIDRs', (range, path) => messagesOf(cidr(range), path, range)),
    ...resourceListErrors(status?.capacity, 'status.capacity'),
    ...resourceListErrors(status?.allocatable, 'status.allocatable'),
    ...unique(status?.addresses, 'status.addresses', ({ type, address }) => `${type}:${address}`),
    ...(old?.spec?.podCIDRs?.length
      ? when(JSON.stringify(spec?.podCIDRs) !== JSON.stringify(old.spec.podCIDRs), () =>
          forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'),
        )
      : []),
    ...when(old?.spec?.providerID && spec?.providerID !== old.spec.providerID, () =>
      forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'),
    ),
  ];
});

export const validateServiceAccount = validatorOf<ServiceAccount>((account, old) =>
  metadataErrors(account, old, namespaced),
);

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

const protocols = ['SCTP', 'TCP', 'UDP'];

export const validateEndpoints = validatorOf<Endpoints>((endpoints, old) => [
  ...metadataErrors(endpoints, old, namespaced),
  ...each(endpoints.subsets, 'subsets', (subset, path) => {
    const addressErrors = (address: EndpointAddress, field: string) => endpointAddressErrors(address, field, endpoints);
    const { addresses, notReadyAddresses, ports } = subset;
    return [
      ...when(!addresses?.length && !notReadyAddresses?.length, () =>
        required(path, 'must specify `addresses` or `notReadyAddresses`'),
      ),
      ...each(addresses, `${path}.addresses`, addressErrors),
      ...each(notReadyAddresses, `${path}.notReadyAddresses`, addressErrors),
      ...each(ports, `${path}.ports`, ({ name, port, protocol = 'TCP' }, portPath) => [
        ...(name
          ? messagesOf(dnsLabel(name), `${portPath}.name`, name)
          : when((ports?.length ?? 0) > 1, () => required(`${portPath}.name`))),
        ...messagesOf(portNumber(port), `${portPath}.port`, port),
        ...oneOf(protocol, `${portPath}.protocol`, protocols),
      ]),
    ];
  }),
]);

type EndpointAddress = { readonly ip: string; readonly hostname?: string };

function endpointAddressErrors({ ip, hostname }: EndpointAddress, path: string, endpoints: Endpoints): Errors {
  return [
    ...messagesOf(ipAddress(ip ?? ''), `${path}.ip`, ip),
    ...(isApiServer(endpoints) ? [] : specialAddressErrors(ip ?? '', `${path}.ip`)),
    ...(hostname ? messagesOf(dnsLabel(hostname), `${path}.hostname`, hostname) : []),
  ];
}

/** Our API servers listen on loopback; each node's proxy carries the way there. */
function isApiServer({ metadata }: Endpoints | EndpointSlice): boolean {
  return metadata?.namespace === 'default' && metadata.name === 'kubernetes';
}

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];
const maxEndpoints = 1000;
const maxAddresses = 100;

export const validateEndpointSlice = validatorOf<EndpointSlice>((slice, old) => [
  ...metadataErrors(slice, old, namespaced),
  ...(slice.addressType ? oneOf(slice.addressType, 'addressType', addressTypes) : [required('addressType')]),
  ...when((slice.endpoints?.length ?? 0) > maxEndpoints, () =>
    tooMany('endpoints', slice.endpoints.length, maxEndpoints),
  ),
  ...each(slice.endpoints, 'endpoints', ({ addresses, hostname }, path) => [
    ...when(!addresses?.length, () => required(`${path}.addresses`, 'must contain at least 1 address')),
    ...when((addresses?.length ?? 0) > maxAddresses, () =>
      tooMany(`${path}.addresses`, addresses.length, maxAddresses),
    ),
    ...each(addresses, `${path}.addresses`, (address, addressPath) =>
      slice.addressType === 'FQDN'
        ? messagesOf(dnsSubdomain(address), addressPath, address)
        : [
            ...messagesOf(ipAddress(address), addressPath, address),
            ...(isApiServer(slice) ? [] : specialAddressErrors(address, addressPath)),
          ],
    ),
    ...(hostname ? messagesOf(dnsLabel(hostname), `${path}.hostname`, hostname) : []),
  ]),
  ...each(slice.ports, 'ports', ({ name, port, protocol }, path) => [
    ...(name ? messagesOf(dnsLabel(name), `${path}.name`, name) : []),
    ...(port === undefined ? [] : messagesOf(portNumber(port), `${path}.port`, port)),
    ...oneOf(protocol ?? 'TCP', `${path}.protocol`, protocols),
  ]),
  ...duplicatePortNames(slice),
  ...(old ? immutable(slice.addressType, old.addressType, 'addressType') : []),
]);

/** One port may go without a name, two may not. */
function duplicatePortNames({ ports }: EndpointSlice): Errors {
  const seen = new Set<string>();
  return each(ports, 'ports', ({ name = '' }, path) => {
    const isKnown = seen.has(name);
    seen.add(name);
    return when(isKnown, () => duplicate(`${path}.name`, name));
  });
}

export const validateEvent = validatorOf<Event>((event, old) => {
  const namespace = event.involvedObject?.namespace;
  const own = event.metadata?.namespace;
  const isElsewhere = namespace ? namespace !== own : own !== 'default' && own !== 'kube-system' && !!own;
  return [
    ...metadataErrors(event, old, namespaced),
    ...when(isElsewhere && namespace, () =>
      invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace'),
    ),
    ...when(event.type && !['Normal', 'Warning'].includes(event.type) && !!event.reportingInstance, () =>
      notSupported('type', event.type, ['Normal', 'Warning']),
    ),
  ];
});
