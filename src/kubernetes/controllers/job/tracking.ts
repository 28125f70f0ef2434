/**
 * Counting each ended pod exactly once, whatever dies in between: its uid is noted in the status first (*uncounted*), then its finalizer goes, then it moves from the notes into the count.
 * Behaviour: kubernetes `pkg/controller/job`, "trackJobStatusAndRemoveFinalizers".
 */
import type { Job, Pod } from '../../types.ts';
import { isDeleting, metaOf } from '../meta.ts';
import { judge } from './failure-policy.ts';
import { formatIndexes, parseIndexes } from './indexes.ts';
import { isTracked } from './labels.ts';
import { indexOf, isPodFailed, type JobSettings } from './settings.ts';

/** Uids noted in one status at most. */
const NOTED = 500;

export interface Counts {
  /** With those that are noted and not yet counted. */
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  /** The fields of the status to be written. */
  readonly status: Pick<
    NonNullable<Job['status']>,
    'succeeded' | 'failed' | 'completedIndexes' | 'failedIndexes' | 'uncountedTerminatedPods'
  >;
  /** Pods that the status to be written has noted: their finalizers may go once it is written. */
  readonly settled: readonly Pod[];
}

export interface CountRequest {
  readonly job: Job;
  readonly settings: JobSettings;
  /** All pods of the job. */
  readonly pods: readonly Pod[];
  /** The job ends: what still runs counts as failed when it goes. */
  readonly isEnding: boolean;
}

export function countPods({ job, settings, pods, isEnding }: CountRequest): Counts {
  const { completions = 0, isIndexed, backoffLimitPerIndex } = settings;
  const { status = {} } = job;
  const tracked = new Set(pods.filter(isTracked).map((pod) => metaOf(pod).uid));
  // What has lost its finalizer was counted in nobody's notes but ours.
  const keep = (uids: readonly string[] | undefined) => (uids ?? []).filter((uid) => tracked.has(uid));
  const noted = {
    succeeded: keep(status.uncountedTerminatedPods?.succeeded),
    failed: keep(status.uncountedTerminatedPods?.failed),
  };
  let succeeded =
    (status.succeeded ?? 0) + (status.uncountedTerminatedPods?.succeeded?.length ?? 0) - noted.succeeded.length;
  const failed = (status.failed ?? 0) + (status.uncountedTerminatedPods?.failed?.length ?? 0) - noted.failed.length;
  const completed = new Set(parseIndexes(status.completedIndexes, completions));
  const failedIndexes = new Set(parseIndexes(status.failedIndexes, completions));
  const settled: Pod[] = [];
  for (const pod of pods) {
    if (!isTracked(pod)) continue;
    const { uid } = metaOf(pod);
    if (noted.succeeded.includes(uid) || noted.failed.includes(uid)) settled.push(pod);
    else if (noted.succeeded.length + noted.failed.length >= NOTED) continue;
    else if (pod.status?.phase === 'Succeeded') {
      const index = indexOf(pod, completions);
      if (!isIndexed) noted.succeeded.push(uid);
      else if (index !== undefined) completed.add(index);
      settled.push(pod);
    } else if (settings.isSuspended && isDeleting(pod)) settled.push(pod);
    else if (isPodFailed(pod, settings) || (isEnding && isDeleting(pod))) {
      const { action } = judge(job.spec?.podFailurePolicy, pod);
      const index = indexOf(pod, completions);
      if (index !== undefined && backoffLimitPerIndex !== undefined && action !== 'Ignore')
        if (action === 'FailIndex' || failuresOf(pod) >= backoffLimitPerIndex) failedIndexes.add(index);
      if (action !== 'Ignore') noted.failed.push(uid);
      settled.push(pod);
    }
  }
  if (isIndexed) succeeded = completed.size;
  const notes = noted.succeeded.length || noted.failed.length ? noted : {};
  return {
    succeeded: isIndexed ? completed.size : succeeded + noted.succeeded.length,
    failed: failed + noted.failed.length,
    completedIndexes: completed,
    failedIndexes,
    settled,
    status: {
      succeeded,
      failed,
      ...(isIndexed && completed.size && { completedIndexes: formatIndexes(completed) }),
      ...(backoffLimitPerIndex !== undefined && { failedIndexes: formatIndexes(failedIndexes) }),
      uncountedTerminatedPods: { ...notes },
    },
  };
}

/** How often the pod's index had failed before it. */
export function failuresOf({ metadata }: Pod): number {
  return Number(metadata?.annotations?.['batch.kubernetes.io/job-index-failure-count'] ?? 0) || 0;
}
