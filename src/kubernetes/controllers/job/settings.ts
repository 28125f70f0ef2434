import { batchLabel } from './labels.ts';
import type { Job, Pod } from '../../types.ts';
import { conditionOf, isTrue } from '../conditions.ts';
import { isDeleting } from '../meta.ts';
import { isFinished } from '../pods.ts';

/** What a job asks for, defaults filled in: kubernetes `pkg/apis/batch/v1/defaults.go`. */
export interface JobSettings {
  readonly parallelism: number;
  /** Undefined: a work queue, done when one pod succeeds and all have ended. */
  readonly completions: number | undefined;
  readonly isIndexed: boolean;
  readonly isSuspended: boolean;
  readonly backoffLimit: number;
  readonly backoffLimitPerIndex: number | undefined;
  readonly maxFailedIndexes: number | undefined;
  /** Pods are replaced when they have ended, not when they begin to. */
  readonly replacesFailedOnly: boolean;
}

export function settingsOf({ spec }: Job): JobSettings {
  const isIndexed = spec?.completionMode === 'Indexed';
  const isPlain = spec?.completions === undefined && spec?.parallelism === undefined;
  return {
    parallelism: spec?.parallelism ?? 1,
    completions: isPlain ? 1 : spec?.completions,
    isIndexed,
    isSuspended: spec?.suspend ?? false,
    backoffLimit: spec?.backoffLimit ?? (spec?.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1),
    backoffLimitPerIndex: isIndexed ? spec?.backoffLimitPerIndex : undefined,
    maxFailedIndexes: spec?.maxFailedIndexes,
    replacesFailedOnly: spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy !== undefined,
  };
}

export function isJobFinished({ status }: Job): boolean {
  return isTrue(status?.conditions, 'Complete') || isTrue(status?.conditions, 'Failed');
}

/** When the job ended; undefined while it has not. */
export function finishedAt({ status }: Job): string | undefined {
  const ended = ['Complete', 'Failed'].map((type) => conditionOf(status?.conditions, type));
  return ended.find((condition) => condition?.status === 'True')?.lastTransitionTime;
}

/** The completion index that a pod works on; undefined if it names none that the job has. */
export function indexOf({ metadata }: Pod, completions: number | undefined): number | undefined {
  const text = metadata?.annotations?.[batchLabel('job-completion-index')];
  const index = text === undefined ? Number.NaN : Number(text);
  return Number.isInteger(index) && index >= 0 && index < (completions ?? 0) ? index : undefined;
}

/** Whether the pod counts as failed: ended so, or on its way out before it could succeed. */
export function isPodFailed(pod: Pod, { replacesFailedOnly }: JobSettings): boolean {
  if (pod.status?.phase === 'Failed') return true;
  return !replacesFailedOnly && isDeleting(pod) && !isFinished(pod);
}
