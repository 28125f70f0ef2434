/** Autoscalers, disruption budgets, priority, storage and runtime classes, leases: `pkg/apis/{autoscaling,policy,scheduling,storage,node,coordination}/validation`. */
import type {
  HorizontalPodAutoscaler,
  Lease,
  PodDisruptionBudget,
  PriorityClass,
  RuntimeClass,
  StorageClass,
} from '../types.ts';
import {
  each,
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
  type Errors,
} from './field.ts';
import { labelErrors, metadataErrors, selectorErrors } from './metadata.ts';
import { dnsLabel, dnsSubdomain, pathSegmentName, qualifiedName } from './names.ts';
import { tolerationErrors } from './node-selector.ts';
import { positiveAmountErrors, resourceListErrors } from './quantities.ts';
import { countOrPercentErrors } from './workloads.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };
const clusterWide = { isNamespaced: false, name: dnsSubdomain };

type ScalerSpec = NonNullable<HorizontalPodAutoscaler['spec']>;
type Metric = NonNullable<ScalerSpec['metrics']>[number];

export const validateHorizontalPodAutoscaler = validatorOf<HorizontalPodAutoscaler>((scaler, old) => {
  const spec = scaler.spec;
  if (!spec) return [...metadataErrors(scaler, old, namespaced), required('spec.scaleTargetRef')];
  const { minReplicas = 1, maxReplicas } = spec;
  return [
    ...metadataErrors(scaler, old, namespaced),
    ...when(minReplicas < 1, () => invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1')),
    ...when(!(maxReplicas > 0), () => invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than 0')),
    ...when(maxReplicas < minReplicas, () =>
      invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'),
    ),
    ...targetErrors(spec.scaleTargetRef, 'spec.scaleTargetRef'),
    ...each(spec.metrics, 'spec.metrics', metricErrors),
    ...behaviorErrors(spec.behavior, 'spec.behavior'),
  ];
});

function targetErrors(target: ScalerSpec['scaleTargetRef'] | undefined, field: string): Errors {
  const { kind, name } = target ?? {};
  return [
    ...(kind ? messagesOf(pathSegmentName(kind), `${field}.kind`, kind) : [required(`${field}.kind`)]),
    ...(name ? messagesOf(pathSegmentName(name), `${field}.name`, name) : [required(`${field}.name`)]),
  ];
}

const metricKinds: { readonly [type: string]: 'containerResource' | 'external' | 'object' | 'pods' | 'resource' } = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

function metricErrors(metric: Metric, path: string): Errors {
  const { type } = metric;
  if (!type) return [required(`${path}.type`, 'must specify a metric source type')];
  const kind = Object.hasOwn(metricKinds, type) ? metricKinds[type] : undefined;
  if (!kind) return oneOf(type, `${path}.type`, Object.keys(metricKinds));
  const source = metric[kind];
  if (!source) return [required(`${path}.${kind}`, `must populate information for the given metric source`)];
  const others = Object.values(metricKinds).filter((other) => other !== kind && metric[other] !== undefined);
  const { target } = source;
  const field = `${path}.${kind}.target`;
  return [
    ...others.map((other) => forbiddenField(`${path}.${other}`, 'must populate the given metric source only')),
    ...('name' in source && !source.name ? [required(`${path}.${kind}.name`, 'must specify a resource name')] : []),
    ...oneOf(target?.type, `${field}.type`, ['Utilization', 'Value', 'AverageValue'], { isRequired: true }),
    ...when(target?.averageUtilization !== undefined && target.averageUtilization < 1, () =>
      invalidValue(`${field}.averageUtilization`, target?.averageUtilization, 'must be greater than 0'),
    ),
    ...(target?.value === undefined ? [] : positiveAmountErrors(target.value, `${field}.value`)),
    ...(target?.averageValue === undefined ? [] : positiveAmountErrors(target.averageValue, `${field}.averageValue`)),
  ];
}

function behaviorErrors(behavior: ScalerSpec['behavior'], field: string): Errors {
  return (['scaleUp', 'scaleDown'] as const).flatMap((direction) => {
    const rules = behavior?.[direction];
    if (!rules) return [];
    const path = `${field}.${direction}`;
    const window = rules.stabilizationWindowSeconds;
    return [
      ...when(window !== undefined && window < 0, () =>
        invalidValue(`${path}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'),
      ),
      ...when(window !== undefined && window > 3600, () =>
        invalidValue(`${path}.stabilizationWindowSeconds`, window, 'must be less than or equal to 3600'),
      ),
      ...oneOf(rules.selectPolicy, `${path}.selectPolicy`, ['Disabled', 'Max', 'Min']),
      ...when(rules.policies && rules.policies.length === 0, () =>
        required(`${path}.policies`, 'must specify at least one Policy'),
      ),
      ...each(rules.policies, `${path}.policies`, (policy, policyPath) => [
        ...oneOf(policy.type, `${policyPath}.type`, ['Percent', 'Pods'], { isRequired: true }),
        ...when(!(policy.value > 0), () =>
          invalidValue(`${policyPath}.value`, policy.value, 'must be greater than zero'),
        ),
        ...when(!(policy.periodSeconds > 0), () =>
          invalidValue(`${policyPath}.periodSeconds`, policy.periodSeconds, 'must be greater than zero'),
        ),
        ...when(policy.periodSeconds > 1800, () =>
          invalidValue(`${policyPath}.periodSeconds`, policy.periodSeconds, 'must be less than or equal to 1800'),
        ),
      ]),
    ];
  });
}

export const validatePodDisruptionBudget = validatorOf<PodDisruptionBudget>((budget, old) => {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = budget.spec ?? {};
  return [
    ...metadataErrors(budget, old, namespaced),
    ...when(minAvailable !== undefined && maxUnavailable !== undefined, () =>
      invalidValue('spec', budget.spec, 'minAvailable and maxUnavailable cannot be both set'),
    ),
    ...countOrPercentErrors(minAvailable, 'spec.minAvailable'),
    ...countOrPercentErrors(maxUnavailable, 'spec.maxUnavailable'),
    ...selectorErrors(selector, 'spec.selector'),
    ...oneOf(unhealthyPodEvictionPolicy, 'spec.unhealthyPodEvictionPolicy', ['AlwaysAllow', 'IfHealthyBudget']),
  ];
});

const highestUserPriority = 1_000_000_000;
const systemPriorities: { readonly [name: string]: number } = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

export const validatePriorityClass = validatorOf<PriorityClass>((priority, old) => {
  const name = priority.metadata?.name ?? '';
  const isSystem = name.startsWith('system-');
  const isKnown = systemPriorities[name] === priority.value && !priority.globalDefault;
  return [
    ...metadataErrors(priority, old, clusterWide),
    ...when(isSystem && !isKnown, () =>
      forbiddenField(
        'metadata.name',
        "priority class names with 'system-' prefix are reserved for system use only. error: " +
          (Object.hasOwn(systemPriorities, name)
            ? `value of ${name} PriorityClass must be ${systemPriorities[name]}`
            : `${name} is not a known system priority class`),
      ),
    ),
    ...when(!isSystem && priority.value > highestUserPriority, () =>
      forbiddenField('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`),
    ),
    ...oneOf(priority.preemptionPolicy, 'preemptionPolicy', ['Never', 'PreemptLowerPriority']),
    ...when(old && priority.value !== old.value, () => forbiddenField('value', 'may not be changed in an update.')),
    ...(old
      ? immutable(
          priority.preemptionPolicy ?? 'PreemptLowerPriority',
          old.preemptionPolicy ?? 'PreemptLowerPriority',
          'preemptionPolicy',
        )
      : []),
  ];
});

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

export const validateRuntimeClass = validatorOf<RuntimeClass>((runtime, old) => [
  ...metadataErrors(runtime, old, clusterWide),
  ...messagesOf(dnsLabel(runtime.handler ?? ''), 'handler', runtime.handler),
  ...resourceListErrors(runtime.overhead?.podFixed, 'overhead.podFixed'),
  ...labelErrors(runtime.scheduling?.nodeSelector, 'scheduling.nodeSelector'),
  ...tolerationErrors(runtime.scheduling?.tolerations, 'scheduling.tolerations'),
  ...(old ? immutable(runtime.handler, old.handler, 'handler') : []),
]);

export const validateLease = validatorOf<Lease>((lease, old) => {
  const { leaseDurationSeconds, leaseTransitions } = lease.spec ?? {};
  return [
    ...metadataErrors(lease, old, namespaced),
    ...when(leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0, () =>
      invalidValue('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0'),
    ),
    ...when(leaseTransitions !== undefined && leaseTransitions < 0, () =>
      invalidValue('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0'),
    ),
  ];
});
