/** Pods, and what of one may change: `pkg/apis/core/validation`, "ValidatePodCreate", "ValidatePodUpdate", "ValidatePodEphemeralContainersUpdate". */
import type { Pod, PodSpec } from '../types.ts';
import type { AnyContainer } from './container.ts';
import { each, forbiddenField, invalidValue, present, same, validatorOf, when, type Errors } from './field.ts';
import { metadataErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';
import { podSpecErrors } from './pod-spec.ts';

export const validatePod = validatorOf<Pod>((pod, old) => [
  ...metadataErrors(pod, old, { isNamespaced: true, name: dnsSubdomain }),
  ...podSpecErrors(pod.spec, 'spec', old?.spec),
  ...(old?.spec?.containers && pod.spec ? updateErrors(pod, old.spec) : []),
]);

const updatable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

function updateErrors(pod: Pod, old: PodSpec): Errors {
  // A spec without containers has been refused for that.
  const spec = { ...pod.spec!, containers: present(pod.spec!.containers) ?? [] };
  const added = [
    ...when(spec.containers.length !== old.containers.length, () =>
      forbiddenField('spec.containers', 'pod updates may not add or remove containers'),
    ),
    ...when((spec.initContainers?.length ?? 0) !== (old.initContainers?.length ?? 0), () =>
      forbiddenField('spec.initContainers', 'pod updates may not add or remove containers'),
    ),
  ];
  if (added.length > 0) return added;
  return [
    ...deadlineErrors(spec.activeDeadlineSeconds, old.activeDeadlineSeconds),
    ...tolerationUpdateErrors(spec, old),
    ...gateUpdateErrors(spec, old),
    ...ephemeralErrors(spec, old),
    ...otherFieldErrors(spec, old),
  ];
}

function deadlineErrors(next: number | undefined, old: number | undefined): Errors {
  const field = 'spec.activeDeadlineSeconds';
  if (old === undefined) return [];
  if (next === undefined) return [invalidValue(field, next, 'must not update from a positive integer to nil value')];
  return when(next > old, () => invalidValue(field, next, 'must be less than or equal to previous value'));
}

function tolerationUpdateErrors({ tolerations = [] }: PodSpec, old: PodSpec): Errors {
  const withoutSeconds = (toleration: object) => ({ ...toleration, tolerationSeconds: undefined });
  const isMissing = (old.tolerations ?? []).some(
    (before) => !tolerations.some((toleration) => same(withoutSeconds(toleration), withoutSeconds(before))),
  );
  return when(isMissing, () =>
    forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
  );
}

function gateUpdateErrors({ schedulingGates }: PodSpec, old: PodSpec): Errors {
  const known = new Set(old.schedulingGates?.map(({ name }) => name));
  return each(schedulingGates, 'spec.schedulingGates', ({ name }, path) =>
    when(!known.has(name), () =>
      forbiddenField(path, `only deletion is allowed, but found new scheduling gate '${name}'`),
    ),
  );
}

/** Ephemeral containers are added and never changed. */
function ephemeralErrors(spec: PodSpec, old: PodSpec): Errors {
  const byName = new Map(spec.ephemeralContainers?.map((container) => [container.name, container]));
  return each(old.ephemeralContainers, 'spec.ephemeralContainers', (before) => {
    const now = byName.get(before.name);
    if (!now)
      return [
        forbiddenField(
          'spec.ephemeralContainers',
          `existing ephemeral containers "${before.name}" may not be removed\n`,
        ),
      ];
    return when(!same(now, before), () =>
      forbiddenField('spec.ephemeralContainers', `existing ephemeral containers "${before.name}" may not be changed\n`),
    );
  });
}

function otherFieldErrors(spec: PodSpec, old: PodSpec): Errors {
  const fixed = fixedPart(spec, old);
  const before = fixedPart(old, old);
  const changed = [...new Set([...Object.keys(fixed), ...Object.keys(before)])].filter(
    (name) => !same(fixed[name as keyof PodSpec], before[name as keyof PodSpec]),
  );
  return when(changed.length > 0, () =>
    forbiddenField(
      'spec',
      `pod updates may not change fields other than ${updatable}\n  changed: ${changed.map((name) => `spec.${name}`).join(', ')}`,
    ),
  );
}

/** A spec without what may change, so that the rest can be compared. */
function fixedPart(spec: PodSpec, old: PodSpec): Partial<PodSpec> {
  const isGated = !!old.schedulingGates?.length;
  const withoutImage = (container: AnyContainer) => ({ ...container, image: '' });
  const {
    activeDeadlineSeconds: _deadline,
    tolerations: _tolerations,
    schedulingGates: _gates,
    ephemeralContainers: _ephemeral,
    terminationGracePeriodSeconds: grace,
    ...rest
  } = spec;
  const isGraceMended = (old.terminationGracePeriodSeconds ?? 0) < 0 && grace === 1;
  return {
    ...rest,
    containers: spec.containers.map(withoutImage),
    initContainers: (spec.initContainers ?? []).map(withoutImage),
    ...(!isGraceMended && grace !== undefined && { terminationGracePeriodSeconds: grace }),
    // While it is held back, a pod may still be told where to go.
    ...(isGated && { nodeSelector: {}, affinity: {} }),
  };
}
