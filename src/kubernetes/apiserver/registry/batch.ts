/** The rows of `batch`. Defaults: `pkg/apis/batch/v1/defaults.go`; strategy: `pkg/registry/batch/job/strategy.go`. */
import { formatLabelSelector, labelSelectorOf } from '../../selector.ts';
import type * as types from '../../types.ts';
import type { Draft } from '../draft.ts';
import type { Resource } from '../resource.ts';
import { age, containerColumns, humanDuration, nameColumn, since } from './columns.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { column, row } from './row.ts';

type JobSpec = NonNullable<Draft<types.Job>['spec']>;

export const batchRows: readonly Resource[] = [
  row<types.Job>('batch', 'Job', 'jobs', {
    categories: ['all'],
    strategy: {
      hasGeneration: true,
      hasStatus: true,
      default(job) {
        if (!job.spec) return;
        defaultJobSpec(job.spec);
        if (job.metadata && !Object.keys(job.metadata.labels ?? {}).length) {
          const labels = job.spec.template?.metadata?.labels;
          if (labels) job.metadata.labels = { ...labels };
        }
      },
      prepareForCreate: selectOwnPods,
    },
    selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
    columns: [
      nameColumn,
      column('Status', statusOf),
      column('Completions', completions),
      column('Duration', duration),
      age,
      ...containerColumns<types.Job>(({ spec }) => spec?.template.spec?.containers ?? []),
      column('Selector', ({ spec }) => formatLabelSelector(labelSelectorOf(spec?.selector)), { priority: 1 }),
    ],
  }),
  row<types.CronJob>('batch', 'CronJob', 'cronjobs', {
    shortNames: ['cj'],
    categories: ['all'],
    strategy: {
      hasGeneration: true,
      hasStatus: true,
      default({ spec }) {
        if (!spec) return;
        spec.concurrencyPolicy ||= 'Allow';
        spec.suspend ??= false;
        spec.successfulJobsHistoryLimit ??= 3;
        spec.failedJobsHistoryLimit ??= 1;
        // Upstream leaves the job's own numbers to the job, and defaults what is inside its pods.
        if (spec.jobTemplate?.spec?.template) defaultPodTemplate(spec.jobTemplate.spec.template);
      },
    },
    columns: [
      nameColumn,
      column('Schedule', ({ spec }) => spec?.schedule ?? ''),
      column('Timezone', ({ spec }) => spec?.timeZone ?? '<none>'),
      column('Suspend', ({ spec }) => (spec?.suspend ? 'True' : 'False')),
      column('Active', ({ status }) => status?.active?.length ?? 0, { type: 'integer' }),
      column('Last Schedule', ({ status }, now) =>
        status?.lastScheduleTime ? since(status.lastScheduleTime, now) : '<none>',
      ),
      age,
      ...containerColumns<types.CronJob>(({ spec }) => spec?.jobTemplate.spec?.template.spec?.containers ?? []),
      column('Selector', ({ spec }) => formatLabelSelector(labelSelectorOf(spec?.jobTemplate.spec?.selector)), {
        priority: 1,
      }),
    ],
  }),
];

const controllerUid = 'batch.kubernetes.io/controller-uid';
const jobName = 'batch.kubernetes.io/job-name';

function defaultJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.completionMode ??= 'NonIndexed';
  if (spec.backoffLimit === undefined) spec.backoffLimit = spec.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1;
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  if (spec.template) defaultPodTemplate(spec.template);
}

/** A job's pods carry its uid, and it selects by that, unless its writer insists on a selector. */
function selectOwnPods(job: Draft<types.Job>): void {
  job.status = {};
  const { spec, metadata } = job;
  if (!spec || spec.manualSelector || !metadata?.uid || !spec.template) return;
  const own = { [controllerUid]: metadata.uid };
  const names = {
    ...own,
    [jobName]: metadata.name ?? '',
    'controller-uid': metadata.uid,
    'job-name': metadata.name ?? '',
  };
  const meta = (spec.template.metadata ??= {});
  meta.labels = { ...meta.labels, ...names };
  spec.selector = { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, ...own } };
}

function statusOf({ status, spec, metadata }: types.Job): string {
  const holds = (name: string) => status?.conditions?.some(({ type, status }) => type === name && status === 'True');
  if (holds('Complete')) return 'Complete';
  if (holds('Failed')) return 'Failed';
  if (metadata?.deletionTimestamp) return 'Terminating';
  if (spec?.suspend || holds('Suspended')) return 'Suspended';
  if (holds('FailureTarget')) return 'FailureTarget';
  if (holds('SuccessCriteriaMet')) return 'SuccessCriteriaMet';
  return 'Running';
}

function completions({ spec, status }: types.Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function duration({ status }: types.Job, now: number): string {
  if (!status?.startTime) return '';
  const end = status.completionTime ? Date.parse(status.completionTime) : now;
  return humanDuration(end - Date.parse(status.startTime));
}
