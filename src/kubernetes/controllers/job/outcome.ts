/** Whether a job is done, and how. Behaviour: kubernetes `pkg/controller/job/job_controller.go`, "syncJob", and `success_policy.go`. */
import type { Job, Pod } from '../../types.ts';
import { conditionOf } from '../conditions.ts';
import { instantOf } from '../meta.ts';
import { isActive } from '../pods.ts';
import { judge } from './failure-policy.ts';
import { parseIndexes } from './indexes.ts';
import { isTracked } from './labels.ts';
import { type JobSettings, isPodFailed } from './settings.ts';
import type { Counts } from './tracking.ts';

export interface JobOutcome {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

export interface OutcomeRequest {
  readonly job: Job;
  readonly settings: JobSettings;
  readonly pods: readonly Pod[];
  readonly counts: Counts;
  readonly nowMs: number;
}

/** How the job ends, or undefined while it goes on. What was once decided stays. */
export function outcomeOf(request: OutcomeRequest): JobOutcome | undefined {
  const { job } = request;
  for (const [interim, type] of [
    ['FailureTarget', 'Failed'],
    ['SuccessCriteriaMet', 'Complete'],
  ] as const) {
    const decided = conditionOf(job.status?.conditions, interim);
    if (decided?.status === 'True') return { type, reason: decided.reason ?? '', message: decided.message ?? '' };
  }
  return failureOf(request) ?? successOf(request);
}

function failureOf({ job, settings, pods, counts, nowMs }: OutcomeRequest): JobOutcome | undefined {
  const fail = (reason: string, message: string): JobOutcome => ({ type: 'Failed', reason, message });
  const policy = job.spec?.podFailurePolicy;
  for (const pod of policy ? pods : []) {
    const { action, message } = judge(policy, pod);
    if (isTracked(pod) && isPodFailed(pod, settings) && action === 'FailJob') return fail('PodFailurePolicy', message);
  }
  if (counts.failed > settings.backoffLimit || isRestartedTooOften(job, settings, pods))
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if ((untilDeadlineMs(job, nowMs) ?? 1) <= 0)
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  const { backoffLimitPerIndex, maxFailedIndexes, completions = 0 } = settings;
  if (backoffLimitPerIndex === undefined || !counts.failedIndexes.size) return undefined;
  if (maxFailedIndexes !== undefined && counts.failedIndexes.size > maxFailedIndexes)
    return fail('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  if (counts.failedIndexes.size + counts.completedIndexes.size >= completions)
    return fail('FailedIndexes', 'Job has failed indexes');
  return undefined;
}

/** With `restartPolicy: OnFailure` containers fail in place: their restarts count. */
function isRestartedTooOften(job: Job, { backoffLimit }: JobSettings, pods: readonly Pod[]): boolean {
  if (job.spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  const restarts = pods
    .filter(isActive)
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
}

/** How long the job may still be active; undefined if there is no end to it. */
export function untilDeadlineMs({ spec, status }: Job, nowMs: number): number | undefined {
  const seconds = spec?.activeDeadlineSeconds;
  if (seconds === undefined || !status?.startTime || spec?.suspend) return undefined;
  return instantOf(status.startTime) + seconds * 1000 - nowMs;
}

function successOf({ job, settings, pods, counts }: OutcomeRequest): JobOutcome | undefined {
  const { completions, parallelism } = settings;
  for (const [index, { succeededCount, succeededIndexes }] of (job.spec?.successPolicy?.rules ?? []).entries()) {
    const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions ?? 0);
    const done = wanted ? wanted.intersection(counts.completedIndexes).size : counts.completedIndexes.size;
    if (done >= (succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY))
      return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${index}` };
  }
  const isQueueDone = completions === undefined && counts.succeeded > 0 && !pods.some(isActive) && parallelism > 0;
  if (isQueueDone || (completions !== undefined && counts.succeeded >= completions))
    return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
  return undefined;
}
