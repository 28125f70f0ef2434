import type { TaskRecord } from './records.ts';

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 5 * 60_000;
/** A copy that ran at least so long counts as having started. */
const SETTLED_MS = 10_000;
/** From so many copies in a row that never ran, the service says so. */
const CONSISTENT_FAILURES = 3;

export interface Throttle {
  /** When the next copy may be started, milliseconds since the epoch; 0 for now. */
  readonly nextStartAt: number;
  /** Copies in a row that failed, newest first. */
  readonly failures: readonly TaskRecord[];
  /** None of them came to run, nor did any copy of the deployment before. */
  readonly neverRan: boolean;
  /** So many that the service says so. */
  readonly isConsistent: boolean;
}

/**
 * Slows down a deployment whose copies cannot start or die at once: ECS Developer Guide, "Service throttle logic". All of it follows from
 * the stopped tasks still on record, so that a restart forgets nothing.
 */
export function throttleOf(tasks: readonly TaskRecord[], deploymentId: string | undefined): Throttle {
  const newestFirst = tasks
    .filter(({ startedBy }) => startedBy === deploymentId)
    .toSorted((a, b) => b.createdAt - a.createdAt);
  const decided = newestFirst.filter((task) => isSettled(task) || hasFailed(task));
  const firstGood = decided.findIndex(isSettled);
  const failures = firstGood === -1 ? decided : decided.slice(0, firstGood);
  const lastEnd = Math.max(
    0,
    ...failures.map(({ stoppedAt, stoppingAt, createdAt }) => stoppedAt ?? stoppingAt ?? createdAt),
  );
  const delayMs = failures.length ? Math.min(FIRST_DELAY_MS * 2 ** (failures.length - 1), LONGEST_DELAY_MS) : 0;
  const neverRan = firstGood === -1 && failures.every(({ startedAt }) => startedAt === undefined);
  return {
    nextStartAt: failures.length ? lastEnd + delayMs : 0,
    failures,
    neverRan,
    isConsistent: failures.length >= CONSISTENT_FAILURES && failures.every(({ startedAt }) => startedAt === undefined),
  };
}

function hasFailed({ desiredStatus, stopCode }: TaskRecord): boolean {
  return desiredStatus === 'STOPPED' && (stopCode === 'TaskFailedToStart' || stopCode === 'EssentialContainerExited');
}

/** Ran long enough, or was ended by somebody while it ran. */
function isSettled(task: TaskRecord): boolean {
  if (task.startedAt === undefined) return false;
  if (task.desiredStatus === 'RUNNING') return false;
  const end = task.stoppingAt ?? task.stoppedAt ?? 0;
  return end - task.startedAt >= SETTLED_MS || !hasFailed(task);
}
