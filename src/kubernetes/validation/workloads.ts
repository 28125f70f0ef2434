/** Deployments, replica sets, replication controllers, stateful and daemon sets: `pkg/apis/apps/validation`. */
import { labelSelectorOf, labelSelectorOfMap, matches } from '../selector.ts';
import { isStatusError } from '../status.ts';
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../types.ts';
import { claimSpecErrors } from './claim.ts';
import {
  atLeastZero,
  each,
  forbiddenField,
  immutable,
  invalidValue,
  messagesOf,
  notSupported,
  required,
  same,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { metadataErrors, selectorErrors } from './metadata.ts';
import { dnsSubdomain, percent } from './names.ts';
import { alwaysRestartsErrors, templateErrors } from './pod-spec.ts';

const metadata = { isNamespaced: true, name: dnsSubdomain };

/** A selector that must choose something, and the template's labels among it. */
export function selectorAndTemplateErrors(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec | undefined,
  { emptyMessage }: { readonly emptyMessage: string },
): Errors {
  if (!selector) return [required('spec.selector')];
  const isEmpty = !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length;
  const form = selectorErrors(selector, 'spec.selector');
  if (form.length > 0) return form;
  if (isEmpty) return [invalidValue('spec.selector', selector, emptyMessage)];
  return when(!selects(selector, template), () =>
    invalidValue(
      'spec.template.metadata.labels',
      template?.metadata?.labels ?? {},
      '`selector` does not match template `labels`',
    ),
  );
}

function selects(selector: LabelSelector, template: PodTemplateSpec | undefined): boolean {
  try {
    return matches(labelSelectorOf(selector), template?.metadata?.labels);
  } catch (error) {
    // The selector's own errors are told above.
    if (isStatusError(error, 'BadRequest')) return true;
    throw error;
  }
}

type CountOrPercent = number | string | undefined;

/** A number of pods, or a share of them. */
export function countOrPercentErrors(value: CountOrPercent, field: string): Errors {
  if (typeof value === 'string') return messagesOf(percent(value), field, value);
  return atLeastZero(value, field);
}

function isZero(value: CountOrPercent): boolean {
  return value === 0 || value === '0%';
}

function atMostHundred(value: CountOrPercent, field: string): Errors {
  const share = typeof value === 'string' && /^\d+%$/.test(value) ? Number.parseInt(value, 10) : 0;
  return when(share > 100, () => invalidValue(field, value, 'must not be greater than 100%'));
}

export const validateDeployment = validatorOf<Deployment>((deployment, old) => {
  const spec = deployment.spec;
  if (!spec)
    return [...metadataErrors(deployment, old, metadata), required('spec.selector'), required('spec.template')];
  return [
    ...metadataErrors(deployment, old, metadata),
    ...atLeastZero(spec.replicas, 'spec.replicas'),
    ...selectorAndTemplateErrors(spec.selector, spec.template, {
      emptyMessage: 'empty selector is invalid for deployment',
    }),
    ...templateErrors(spec.template, 'spec.template'),
    ...alwaysRestartsErrors(spec.template?.spec, 'spec.template.spec', 'ReplicaSet'),
    ...deploymentStrategyErrors(spec.strategy, 'spec.strategy'),
    ...atLeastZero(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...atLeastZero(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...atLeastZero(spec.progressDeadlineSeconds, 'spec.progressDeadlineSeconds'),
    ...when(
      spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0),
      () =>
        invalidValue(
          'spec.progressDeadlineSeconds',
          spec.progressDeadlineSeconds,
          'must be greater than minReadySeconds',
        ),
    ),
    ...(old ? immutable(spec.selector, old.spec?.selector, 'spec.selector') : []),
  ];
});

function deploymentStrategyErrors(strategy: NonNullable<Deployment['spec']>['strategy'], field: string): Errors {
  const { type, rollingUpdate } = strategy ?? {};
  if (type === 'Recreate')
    return when(rollingUpdate, () =>
      forbiddenField(`${field}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"),
    );
  if (type !== undefined && type !== '' && type !== 'RollingUpdate')
    return [notSupported(field, strategy, ['Recreate', 'RollingUpdate'])];
  const { maxSurge, maxUnavailable } = rollingUpdate ?? {};
  return [
    ...countOrPercentErrors(maxUnavailable, `${field}.rollingUpdate.maxUnavailable`),
    ...countOrPercentErrors(maxSurge, `${field}.rollingUpdate.maxSurge`),
    ...when(isZero(maxUnavailable) && isZero(maxSurge), () =>
      invalidValue(`${field}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'),
    ),
    ...atMostHundred(maxUnavailable, `${field}.rollingUpdate.maxUnavailable`),
  ];
}

export const validateReplicaSet = validatorOf<ReplicaSet>((set, old) => {
  const spec = set.spec;
  return [
    ...metadataErrors(set, old, metadata),
    ...atLeastZero(spec?.replicas, 'spec.replicas'),
    ...atLeastZero(spec?.minReadySeconds, 'spec.minReadySeconds'),
    ...selectorAndTemplateErrors(spec?.selector, spec?.template, {
      emptyMessage: 'empty selector is invalid for deployment',
    }),
    ...templateErrors(spec?.template, 'spec.template'),
    ...alwaysRestartsErrors(spec?.template?.spec, 'spec.template.spec', 'ReplicaSet'),
    ...(old ? immutable(spec?.selector, old.spec?.selector, 'spec.selector') : []),
  ];
});

export const validateReplicationController = validatorOf<ReplicationController>((controller, old) => {
  const { replicas, minReadySeconds, selector, template } = controller.spec ?? {};
  const isSelected = matches(labelSelectorOfMap(selector), template?.metadata?.labels);
  return [
    ...metadataErrors(controller, old, metadata),
    ...atLeastZero(minReadySeconds, 'spec.minReadySeconds'),
    ...when(!selector || Object.keys(selector).length === 0, () => required('spec.selector')),
    ...atLeastZero(replicas, 'spec.replicas'),
    ...when(template && selector && !isSelected, () =>
      invalidValue(
        'spec.template.metadata.labels',
        template?.metadata?.labels ?? {},
        '`selector` does not match template `labels`',
      ),
    ),
    ...templateErrors(template, 'spec.template'),
    ...alwaysRestartsErrors(template?.spec, 'spec.template.spec', 'ReplicationController'),
  ];
});

export const validateStatefulSet = validatorOf<StatefulSet>((set, old) => {
  const spec = set.spec;
  if (!spec) return [...metadataErrors(set, old, metadata), required('spec.selector'), required('spec.template')];
  const { updateStrategy, podManagementPolicy, ordinals, persistentVolumeClaimRetentionPolicy: retention } = spec;
  return [
    ...metadataErrors(set, old, metadata),
    ...policyErrors(podManagementPolicy, 'spec.podManagementPolicy', ['OrderedReady', 'Parallel']),
    ...statefulStrategyErrors(updateStrategy),
    ...(['whenDeleted', 'whenScaled'] as const).flatMap((name) =>
      policyErrors(retention?.[name], `spec.persistentVolumeClaimRetentionPolicy.${name}`, ['Delete', 'Retain']),
    ),
    ...atLeastZero(spec.replicas, 'spec.replicas'),
    ...atLeastZero(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...atLeastZero(ordinals?.start, 'spec.ordinals.start'),
    ...selectorAndTemplateErrors(spec.selector, spec.template, {
      emptyMessage: 'empty selector is invalid for statefulset',
    }),
    ...templateErrors(withClaimVolumes(spec), 'spec.template'),
    ...alwaysRestartsErrors(spec.template?.spec, 'spec.template.spec', 'StatefulSet'),
    ...each(spec.volumeClaimTemplates, 'spec.volumeClaimTemplates', (claim, path) =>
      claimSpecErrors(claim.spec, `${path}.spec`),
    ),
    ...(old?.spec ? statefulUpdateErrors(spec, old.spec) : []),
  ];
});

type StatefulSpec = NonNullable<StatefulSet['spec']>;

/** The pods will have a volume for each claim template, which mounts may name. */
function withClaimVolumes({ template, volumeClaimTemplates }: StatefulSpec): PodTemplateSpec | undefined {
  if (!template?.spec || !volumeClaimTemplates?.length) return template;
  const names = volumeClaimTemplates.map(({ metadata: meta }) => meta?.name ?? '');
  const own = (template.spec.volumes ?? []).filter(({ name }) => !names.includes(name));
  const claims = names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return { ...template, spec: { ...template.spec, volumes: [...own, ...claims] } };
}

function statefulStrategyErrors(strategy: StatefulSpec['updateStrategy']): Errors {
  const { type, rollingUpdate } = strategy ?? {};
  const field = 'spec.updateStrategy';
  if (type === 'OnDelete')
    return when(rollingUpdate, () =>
      invalidValue(`${field}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"),
    );
  if (type !== undefined && type !== '' && type !== 'RollingUpdate')
    return [invalidValue(field, strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  const { partition, maxUnavailable } = rollingUpdate ?? {};
  return [
    ...atLeastZero(partition, `${field}.rollingUpdate.partition`),
    ...countOrPercentErrors(maxUnavailable, `${field}.rollingUpdate.maxUnavailable`),
    ...when(isZero(maxUnavailable), () =>
      invalidValue(`${field}.rollingUpdate.maxUnavailable`, maxUnavailable, 'cannot be 0'),
    ),
  ];
}

function policyErrors(value: string | undefined, field: string, supported: readonly string[]): Errors {
  if (value === undefined || value === '' || supported.includes(value)) return [];
  return [
    field.startsWith('spec.podManagement')
      ? invalidValue(field, value, "must be 'OrderedReady' or 'Parallel'")
      : notSupported(field, value, supported),
  ];
}

const statefulUpdatable =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

function statefulUpdateErrors(spec: StatefulSpec, old: StatefulSpec): Errors {
  const fixed = ({ selector, serviceName, podManagementPolicy, volumeClaimTemplates }: StatefulSpec) => ({
    selector,
    serviceName,
    podManagementPolicy,
    // What the server fills in of a claim is not the user's change.
    volumeClaimTemplates: volumeClaimTemplates?.map(({ metadata: meta, spec: claim }) => ({
      name: meta?.name,
      labels: meta?.labels,
      claim,
    })),
  });
  return when(!same(fixed(spec), fixed(old)), () => forbiddenField('spec', statefulUpdatable));
}

export const validateDaemonSet = validatorOf<DaemonSet>((set, old) => {
  const spec = set.spec;
  if (!spec) return [...metadataErrors(set, old, metadata), required('spec.selector'), required('spec.template')];
  return [
    ...metadataErrors(set, old, metadata),
    ...selectorAndTemplateErrors(spec.selector, spec.template, {
      emptyMessage: 'empty selector is invalid for daemonset',
    }),
    ...templateErrors(spec.template, 'spec.template'),
    ...alwaysRestartsErrors(spec.template?.spec, 'spec.template.spec', 'DaemonSet'),
    ...atLeastZero(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...daemonStrategyErrors(spec.updateStrategy),
    ...atLeastZero(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...(old ? immutable(spec.selector, old.spec?.selector, 'spec.selector') : []),
  ];
});

function daemonStrategyErrors(strategy: NonNullable<DaemonSet['spec']>['updateStrategy']): Errors {
  const { type, rollingUpdate } = strategy ?? {};
  const field = 'spec.updateStrategy';
  if (type !== undefined && type !== '' && type !== 'RollingUpdate' && type !== 'OnDelete')
    return [notSupported(`${field}.type`, type, ['OnDelete', 'RollingUpdate'])];
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {};
  const hasSurge = maxSurge !== undefined && !isZero(maxSurge);
  const hasUnavailable = maxUnavailable !== undefined && !isZero(maxUnavailable);
  return [
    ...countOrPercentErrors(maxUnavailable, `${field}.rollingUpdate.maxUnavailable`),
    ...countOrPercentErrors(maxSurge, `${field}.rollingUpdate.maxSurge`),
    ...atMostHundred(maxUnavailable, `${field}.rollingUpdate.maxUnavailable`),
    ...atMostHundred(maxSurge, `${field}.rollingUpdate.maxSurge`),
    ...when(hasSurge && hasUnavailable, () =>
      invalidValue(`${field}.rollingUpdate.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'),
    ),
    ...when(isZero(maxUnavailable) && !hasSurge, () =>
      required(`${field}.rollingUpdate.maxUnavailable`, 'cannot be 0 when maxSurge is 0'),
    ),
  ];
}

export const validateControllerRevision = validatorOf<ControllerRevision>((revision, old) => [
  ...metadataErrors(revision, old, metadata),
  ...when(revision.data === undefined, () => required('data', 'data is mandatory')),
  ...when(revision.revision < 0, () =>
    invalidValue('revision', revision.revision, 'must be greater than or equal to 0'),
  ),
  ...(old ? immutable(revision.data, old.data, 'data') : []),
]);
