/** Horizontal pod autoscalers: `pkg/apis/autoscaling/validation`. */
import type { HorizontalPodAutoscaler } from '../types.ts';
import {
  each,
  forbiddenField,
  invalidValue,
  messagesOf,
  oneOf,
  required,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsSubdomain, pathSegmentName } from './names.ts';
import { positiveAmountErrors } from './quantities.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };

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
