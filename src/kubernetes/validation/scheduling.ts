/** What decides about pods from beside: disruption budgets, priority and runtime classes, leases: `pkg/apis/{policy,scheduling,node,coordination}/validation`. */
import type { Lease, PodDisruptionBudget, PriorityClass, RuntimeClass } from '../types.ts';
import { forbiddenField, immutable, invalidValue, messagesOf, oneOf, validatorOf, when } from './field.ts';
import { labelErrors, metadataErrors, selectorErrors } from './metadata.ts';
import { dnsLabel, dnsSubdomain } from './names.ts';
import { tolerationErrors } from './node-selector.ts';
import { resourceListErrors } from './quantities.ts';
import { countOrPercentErrors } from './workloads.ts';

const namespaced = { isNamespaced: true, name: dnsSubdomain };
const clusterWide = { isNamespaced: false, name: dnsSubdomain };

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
