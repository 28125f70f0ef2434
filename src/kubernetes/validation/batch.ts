/** Jobs and cron jobs: `pkg/apis/batch/validation`. */
import type { CronJob, Job } from '../types.ts';
import {
  atLeastZero,
  each,
  immutable,
  invalidValue,
  notSupported,
  oneOf,
  required,
  validatorOf,
  when,
  type Errors,
} from './field.ts';
import { annotationErrors, labelErrors, metadataErrors } from './metadata.ts';
import { dnsSubdomain } from './names.ts';
import { templateErrors } from './pod-spec.ts';
import { isTimeZone, scheduleProblem } from './schedule.ts';
import { selectorAndTemplateErrors } from './workloads.ts';

type JobSpec = NonNullable<Job['spec']>;

const metadata = { isNamespaced: true, name: dnsSubdomain };

export const validateJob = validatorOf<Job>((job, old) => {
  const spec = job.spec;
  if (!spec) return [...metadataErrors(job, old, metadata), required('spec.template')];
  return [
    ...metadataErrors(job, old, metadata),
    ...jobSpecErrors(spec, 'spec'),
    // The server makes selector and labels itself, before this is looked at, unless the user chose to.
    ...(spec.selector
      ? selectorAndTemplateErrors(spec.selector, spec.template, { emptyMessage: 'empty selector is invalid for job' })
      : []),
    ...(old?.spec ? jobUpdateErrors(spec, old) : []),
  ];
});

function jobSpecErrors(spec: JobSpec, field: string): Errors {
  const restart = spec.template?.spec?.restartPolicy;
  const isIndexed = spec.completionMode === 'Indexed';
  return [
    ...atLeastZero(spec.parallelism, `${field}.parallelism`),
    ...atLeastZero(spec.completions, `${field}.completions`),
    ...atLeastZero(spec.activeDeadlineSeconds, `${field}.activeDeadlineSeconds`),
    ...atLeastZero(spec.backoffLimit, `${field}.backoffLimit`),
    ...atLeastZero(spec.ttlSecondsAfterFinished, `${field}.ttlSecondsAfterFinished`),
    ...atLeastZero(spec.backoffLimitPerIndex, `${field}.backoffLimitPerIndex`),
    ...oneOf(spec.completionMode, `${field}.completionMode`, ['Indexed', 'NonIndexed']),
    ...when(isIndexed && spec.completions === undefined, () =>
      required(`${field}.completions`, 'when completion mode is Indexed'),
    ),
    ...when(spec.backoffLimitPerIndex !== undefined && !isIndexed, () =>
      invalidValue(`${field}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, 'requires indexed completion mode'),
    ),
    ...when(spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined, () =>
      required(`${field}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'),
    ),
    ...oneOf(spec.podReplacementPolicy, `${field}.podReplacementPolicy`, ['Failed', 'TerminatingOrFailed']),
    ...failurePolicyErrors(spec, `${field}.podFailurePolicy`),
    ...templateErrors(spec.template, `${field}.template`),
    ...when(restart !== 'OnFailure' && restart !== 'Never', () =>
      restart === undefined || restart === 'Always'
        ? requiredRestart(`${field}.template.spec.restartPolicy`, restart)
        : notSupported(`${field}.template.spec.restartPolicy`, restart, ['OnFailure', 'Never']),
    ),
    ...when(spec.podFailurePolicy && restart !== 'Never', () =>
      invalidValue(
        `${field}.template.spec.restartPolicy`,
        restart,
        'only "Never" is supported when podFailurePolicy is specified',
      ),
    ),
  ];
}

function requiredRestart(field: string, value: string | undefined) {
  return notSupported(field, value ?? 'Always', ['OnFailure', 'Never']);
}

type FailureRule = NonNullable<JobSpec['podFailurePolicy']>['rules'][number];

function failurePolicyErrors({ podFailurePolicy }: JobSpec, field: string): Errors {
  return each(podFailurePolicy?.rules, `${field}.rules`, (rule: FailureRule, path) => {
    const { action, onExitCodes, onPodConditions } = rule;
    return [
      ...oneOf(action, `${path}.action`, ['Count', 'FailIndex', 'FailJob', 'Ignore'], { isRequired: true }),
      ...when(onExitCodes && onPodConditions?.length, () =>
        invalidValue(path, rule, 'specifying both OnExitCodes and OnPodConditions is not supported'),
      ),
      ...when(!onExitCodes && !onPodConditions?.length, () =>
        invalidValue(path, rule, 'specifying one of OnExitCodes and OnPodConditions is required'),
      ),
      ...(onExitCodes
        ? oneOf(onExitCodes.operator, `${path}.onExitCodes.operator`, ['In', 'NotIn'], { isRequired: true })
        : []),
      ...when(onExitCodes && !onExitCodes.values?.length, () =>
        invalidValue(`${path}.onExitCodes.values`, onExitCodes?.values ?? [], 'at least one value is required'),
      ),
    ];
  });
}

function jobUpdateErrors(spec: JobSpec, { spec: old = {} as JobSpec, status }: Job): Errors {
  // A suspended job that never ran may still be told where to run, and how much to use.
  const isFresh = old.suspend === true && !status?.startTime;
  const isElastic =
    spec.completionMode === 'Indexed' && spec.completions === spec.parallelism && old.completions === old.parallelism;
  return [
    ...(isElastic ? [] : immutable(spec.completions, old.completions, 'spec.completions')),
    ...immutable(spec.selector, old.selector, 'spec.selector'),
    ...(isFresh
      ? immutable(fixedTemplate(spec), fixedTemplate(old), 'spec.template')
      : immutable(spec.template, old.template, 'spec.template')),
    ...immutable(spec.completionMode, old.completionMode, 'spec.completionMode'),
    ...immutable(spec.podFailurePolicy, old.podFailurePolicy, 'spec.podFailurePolicy'),
    ...immutable(spec.backoffLimitPerIndex, old.backoffLimitPerIndex, 'spec.backoffLimitPerIndex'),
    ...immutable(spec.managedBy, old.managedBy, 'spec.managedBy'),
    ...immutable(spec.successPolicy, old.successPolicy, 'spec.successPolicy'),
  ];
}

function fixedTemplate({ template }: JobSpec) {
  return {
    ...template,
    metadata: {},
    spec: { ...template?.spec, nodeSelector: {}, tolerations: [], affinity: {}, schedulingGates: [] },
  };
}

/** What a job's name adds to that of its cron job leaves 52 characters. */
const maxCronNameLength = 52;

export const validateCronJob = validatorOf<CronJob>((cron, old) => {
  const { spec, metadata: meta } = cron;
  const job = spec?.jobTemplate;
  return [
    ...metadataErrors(cron, old, metadata),
    ...when(!old && (meta?.name?.length ?? 0) > maxCronNameLength, () =>
      invalidValue('metadata.name', meta?.name, `must be no more than ${maxCronNameLength} characters`),
    ),
    ...(spec?.schedule ? scheduleErrors(spec.schedule, 'spec.schedule') : [required('spec.schedule')]),
    ...zoneErrors(spec?.timeZone, 'spec.timeZone'),
    ...atLeastZero(spec?.startingDeadlineSeconds, 'spec.startingDeadlineSeconds'),
    ...oneOf(spec?.concurrencyPolicy, 'spec.concurrencyPolicy', ['Allow', 'Forbid', 'Replace']),
    ...atLeastZero(spec?.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit'),
    ...atLeastZero(spec?.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit'),
    ...labelErrors(job?.metadata?.labels, 'spec.jobTemplate.labels'),
    ...annotationErrors(job?.metadata?.annotations, 'spec.jobTemplate.annotations'),
    ...when(job?.spec?.manualSelector, () =>
      notSupported('spec.jobTemplate.spec.manualSelector', 'true', ['nil', 'false']),
    ),
    ...(job?.spec ? jobSpecErrors(job.spec, 'spec.jobTemplate.spec') : [required('spec.jobTemplate.spec')]),
  ];
});

function scheduleErrors(schedule: string, field: string): Errors {
  if (schedule.includes('TZ'))
    return [invalidValue(field, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead')];
  const problem = scheduleProblem(schedule);
  return when(problem, () => invalidValue(field, schedule, problem!));
}

function zoneErrors(zone: string | undefined, field: string): Errors {
  if (zone === undefined) return [];
  if (zone === '') return [invalidValue(field, zone, 'timeZone must be nil or non-empty string')];
  if (zone.toLowerCase() === 'local')
    return [
      invalidValue(field, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'),
    ];
  return when(!isTimeZone(zone), () => invalidValue(field, zone, `unknown time zone ${zone}`));
}
