import type { CronJob } from '../../types.ts';
import { instantOf, metaOf } from '../meta.ts';
import type { Schedule } from './schedule.ts';

export interface Missed {
  /** The latest time that came. */
  readonly at: number;
  /** So many came unseen that something is wrong. */
  readonly isMany: boolean;
}

const MANY = 100;

/** The latest time of the schedule that has come since the last one that was acted on. Behaviour: kubernetes `pkg/controller/cronjob/utils.go`, "mostRecentScheduleTime". */
export function missedTime(cronJob: CronJob, schedule: Schedule, nowMs: number): Missed | undefined {
  const { startingDeadlineSeconds } = cronJob.spec!;
  const last = instantOf(cronJob.status?.lastScheduleTime ?? metaOf(cronJob).creationTimestamp);
  const deadline = startingDeadlineSeconds === undefined ? 0 : nowMs - startingDeadlineSeconds * 1000;
  const since = Math.max(last, deadline);
  const first = schedule.next(since);
  if (first === undefined || first > nowMs) return undefined;
  const second = schedule.next(first);
  if (second === undefined || second > nowMs) return { at: first, isMany: false };
  // After a long absence most of the way is leapt over; the pace is only an estimate, so it starts a little earlier.
  const paceMs = second - first;
  const count = Math.floor((nowMs - first) / paceMs) + 1;
  let at = first;
  let from = count > MANY ? Math.max(first, nowMs - 10 * paceMs) : first;
  for (;;) {
    const next = schedule.next(from);
    if (next === undefined || next > nowMs) break;
    at = next;
    from = next;
  }
  return { at, isMany: count > MANY && startingDeadlineSeconds === undefined };
}
