/** Runs pods to completion. Behaviour: kubernetes `pkg/controller/job`. */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import { keyOf, nameOfKey } from '../../object.ts';
import { jobs, pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Job, Pod } from '../../types.ts';
import { slowStart } from '../batches.ts';
import { conditionOf, withCondition } from '../conditions.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { candidatesOf, podsIn } from '../indexes.ts';
import { isDeleting, metaOf, nameOf, omitEmpty, timestampOf } from '../meta.ts';
import { claim, controllerOf, isControlledBy, keysOfController, keysOfAdopters } from '../ownership.ts';
import { createPod, deletePod, type Tell } from '../pod-control.ts';
import { isActive, isFinished, isReady } from '../pods.ts';
import { podsToDelete } from '../replicaset/ranking.ts';
import { isTracked, selectorOf, TRACKING } from './labels.ts';
import { type JobOutcome, outcomeOf, untilDeadlineMs } from './outcome.ts';
import { backoffMs, jobPod, nextIndexes, wantedActive } from './pods.ts';
import { isJobFinished, type JobSettings, settingsOf } from './settings.ts';
import { type Counts, countPods } from './tracking.ts';

const NAME = 'job-controller';
/** Pods made or deleted in one step at most. */
const BURST = 500;

type JobStatus = NonNullable<Job['status']>;

export function jobController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(jobs);
  const podCopy = podsIn(parts.informers);
  return {
    name: NAME,
    wokenBy: [
      wakes(copy, ({ now, before }) => [keyOf((now ?? before)!)]),
      wakes(podCopy, (change) => [...keysOfController(jobs, change), ...keysOfAdopters(copy, selectorOf, change)]),
    ],
    reads: [copyOf(jobs, copy), copyOf(pods, podCopy)],
    concurrency: 5,
    async reconcile(key, step) {
      const job = copy.get(key);
      await freeOrphans(podCopy, key, { job, step });
      if (!job) return undefined;
      const candidates = candidatesOf(podCopy, job);
      const selector = selectorOf(job);
      const mine = await claim({
        ...step,
        ownerType: jobs,
        owner: job,
        type: pods,
        selector,
        candidates,
        finalizer: TRACKING,
      });
      return new JobStep(parts, step, job, mine).run();
    },
  };
}

/** Pods whose job is gone, or which it let go, have nobody left to count them. */
async function freeOrphans(
  podCopy: Informer<Pod>,
  key: string,
  { job, step }: { readonly job: Job | undefined; readonly step: Step },
): Promise<void> {
  if (job && !isDeleting(job)) return;
  const { namespace, name } = nameOfKey(key);
  for (const pod of podCopy.list(namespace)) {
    const owner = controllerOf(pod);
    if (owner?.kind === 'Job' && owner.name === name && isTracked(pod) && !(job && isControlledBy(pod, job)))
      await removeFinalizer(pod, step);
  }
}

async function removeFinalizer(pod: Pod, { api }: Step): Promise<void> {
  const { resourceVersion, finalizers = [] } = metaOf(pod);
  const rest = finalizers.filter((name) => name !== TRACKING);
  const body = { metadata: { resourceVersion, finalizers: rest.length ? rest : null } };
  await api.patch(pods, nameOf(pod), { kind: 'merge', body }).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
}

/** One step for one job. */
class JobStep {
  readonly #parts: ControllerParts;
  readonly #step: Step;
  readonly #job: Job;
  readonly #pods: readonly Pod[];
  readonly #settings: JobSettings;
  readonly #now: string;

  constructor(parts: ControllerParts, step: Step, job: Job, mine: readonly Pod[]) {
    this.#parts = parts;
    this.#step = step;
    this.#job = job;
    this.#pods = mine;
    this.#settings = settingsOf(job);
    this.#now = timestampOf(parts.clock);
  }

  async run(): Promise<void | { readonly afterMs: number }> {
    const job = this.#job;
    if (isJobFinished(job)) return this.#free(this.#pods.filter(isTracked));
    if (isDeleting(job))
      return this.#free(this.#pods.filter((pod) => isTracked(pod) && (isFinished(pod) || isDeleting(pod))));
    const nowMs = this.#parts.clock.now();
    const request = { job, settings: this.#settings, pods: this.#pods };
    const isEnding = this.#interim !== undefined;
    const counts = countPods({ ...request, isEnding });
    const outcome = outcomeOf({ ...request, counts, nowMs });
    const active = this.#pods.filter(isActive);
    const { waitMs, error } = await this.#manage(counts, active, outcome);
    await this.#writeStatus(this.#status(counts, outcome));
    await this.#free(counts.settled);
    if (error !== undefined) throw error;
    const waits = [waitMs, untilDeadlineMs(job, nowMs)].filter((ms) => ms !== undefined && ms > 0);
    return waits.length ? { afterMs: Math.min(...(waits as number[])) } : undefined;
  }

  /** The condition by which an end was decided that is not final yet. */
  get #interim() {
    return this.#job.status?.conditions?.find(
      ({ type, status }) => (type === 'FailureTarget' || type === 'SuccessCriteriaMet') && status === 'True',
    );
  }

  /** Starts and stops pods. */
  async #manage(
    counts: Counts,
    active: readonly Pod[],
    outcome: JobOutcome | undefined,
  ): Promise<{ readonly waitMs?: number; readonly error?: unknown }> {
    const nowMs = this.#parts.clock.now();
    const wanted = outcome ? 0 : wantedActive(this.#settings, counts, active.length);
    if (active.length > wanted) {
      const surplus = podsToDelete(active, active, Math.min(active.length - wanted, BURST), nowMs);
      await Promise.all(surplus.map((pod) => deletePod(this.#step.api, pod, this.#tell)));
      return {};
    }
    const leaving = this.#settings.replacesFailedOnly
      ? this.#pods.filter((pod) => isDeleting(pod) && !isFinished(pod)).length
      : 0;
    const missing = Math.min(wanted - active.length - leaving, BURST);
    if (missing <= 0) return {};
    const waitMs = backoffMs(this.#pods, nowMs);
    if (waitMs > 0) return { waitMs };
    const { isIndexed } = this.#settings;
    const indexes = isIndexed ? nextIndexes(this.#settings, { counts, pods: this.#pods, count: missing }) : [];
    const count = isIndexed ? indexes.length : missing;
    return slowStart(count, (number) => createPod(this.#step.api, jobPod(this.#job, indexes[number]), this.#tell));
  }

  #status(counts: Counts, outcome: JobOutcome | undefined): JobStatus {
    const { status: before = {} } = this.#job;
    const active = outcome ? [] : this.#pods.filter(isActive);
    const isSuspended = this.#settings.isSuspended && !outcome;
    const startTime = before.startTime ?? (this.#settings.isSuspended ? undefined : this.#now);
    const resumedAt = this.#isResumed ? this.#now : undefined;
    const leaving = this.#pods.filter((pod) => isDeleting(pod) && !isFinished(pod)).length;
    const isDone =
      outcome &&
      !this.#pods.some((pod) => !isFinished(pod)) &&
      !Object.keys(counts.status.uncountedTerminatedPods ?? {}).length;
    return {
      ...omitEmpty({
        active: isSuspended ? 0 : active.length,
        ...counts.status,
        startTime: isSuspended && before.startTime === undefined ? undefined : (resumedAt ?? startTime),
        completionTime: isDone && outcome.type === 'Complete' ? this.#now : undefined,
        conditions: this.#conditions(outcome, Boolean(isDone)),
      }),
      ready: active.filter(isReady).length,
      terminating: leaving,
    };
  }

  get #isResumed(): boolean {
    return !this.#settings.isSuspended && conditionOf(this.#job.status?.conditions, 'Suspended')?.status === 'True';
  }

  /** First that the end was decided, then, when all pods have ended, that it is reached. */
  #conditions(outcome: JobOutcome | undefined, isDone: boolean): NonNullable<JobStatus['conditions']> {
    let conditions: NonNullable<JobStatus['conditions']> = this.#job.status?.conditions ?? [];
    const stamp = { lastProbeTime: this.#now, lastTransitionTime: this.#now };
    const set = (
      type: string,
      status: 'True' | 'False',
      why: { readonly reason: string; readonly message: string },
    ) => {
      const old = conditionOf(conditions, type);
      if (old?.status !== status) conditions = withCondition(conditions, { type, status, ...why, ...stamp });
    };
    if (outcome) {
      const { type, reason, message } = outcome;
      set(type === 'Failed' ? 'FailureTarget' : 'SuccessCriteriaMet', 'True', { reason, message });
      if (isDone) set(type, 'True', { reason, message });
    } else if (this.#settings.isSuspended)
      set('Suspended', 'True', { reason: 'JobSuspended', message: 'Job suspended' });
    else if (this.#isResumed) set('Suspended', 'False', { reason: 'JobResumed', message: 'Job resumed' });
    return conditions;
  }

  async #writeStatus(status: JobStatus): Promise<void> {
    if (isDeepStrictEqual(status, this.#job.status)) return;
    const before = this.#job;
    const written = await this.#step.api.update(jobs, { ...this.#job, status }, { subresource: 'status' });
    this.#tellTurns(before, written);
  }

  #tellTurns(before: Job, now: Job): void {
    const turned = (type: string, status: string) => {
      const condition = conditionOf(now.status?.conditions, type);
      return condition?.status === status && conditionOf(before.status?.conditions, type)?.status !== status
        ? condition
        : undefined;
    };
    if (turned('Complete', 'True')) this.#tell('Normal', 'Completed', 'Job completed');
    const failed = turned('Failed', 'True');
    if (failed) this.#tell('Warning', failed.reason ?? 'Failed', failed.message ?? '');
    if (turned('Suspended', 'True')) this.#tell('Normal', 'Suspended', 'Job suspended');
    if (turned('Suspended', 'False')) this.#tell('Normal', 'Resumed', 'Job resumed');
  }

  async #free(settled: readonly Pod[]): Promise<void> {
    await Promise.all(settled.map((pod) => removeFinalizer(pod, this.#step)));
  }

  readonly #tell: Tell = (type, reason, message) =>
    this.#parts.events.as(NAME).record(jobs, this.#job, { type, reason, message });
}
