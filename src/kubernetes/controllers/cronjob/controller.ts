/** Makes jobs at the times of a schedule. Behaviour: kubernetes `pkg/controller/cronjob`. */
import { isDeepStrictEqual } from 'node:util';
import { messageOf, isoSeconds } from '#base';
import { referenceTo } from '../../events.ts';
import { keyOf } from '../../object.ts';
import { cronJobs, jobs } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { CronJob, Job } from '../../types.ts';
import { conditionOf, isTrue } from '../conditions.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { ownedIn } from '../indexes.ts';
import { isJobFinished } from '../job/settings.ts';
import { instantOf, isDeleting, metaOf, nameOf, omitEmpty } from '../meta.ts';
import { controllerReference, isControlledBy, keysOfController } from '../ownership.ts';
import { type Missed, missedTime } from './missed.ts';
import { parseSchedule, type Schedule } from './schedule.ts';
import { isTimeZone } from './time-zone.ts';

const NAME = 'cronjob-controller';
/** Upstream's small margin, so that the clock has passed the instant for sure. */
const MARGIN_MS = 100;

type CronStatus = NonNullable<CronJob['status']>;

export function cronJobController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(cronJobs);
  const jobCopy = ownedIn(parts.informers, jobs);
  return {
    name: NAME,
    wokenBy: [
      wakes(copy, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(jobCopy, (change) => keysOfController(cronJobs, change)),
    ],
    reads: [copyOf(cronJobs, copy), copyOf(jobs, jobCopy)],
    async reconcile(key, step) {
      const cronJob = copy.get(key);
      if (!cronJob) return undefined;
      const mine = jobCopy.by('controller', metaOf(cronJob).uid).filter((job) => isControlledBy(job, cronJob));
      return new CronStep(parts, step, cronJob, mine).run();
    },
  };
}

class CronStep {
  readonly #parts: ControllerParts;
  readonly #step: Step;
  readonly #cronJob: CronJob;
  readonly #jobs: readonly Job[];
  readonly #now: number;

  constructor(parts: ControllerParts, step: Step, cronJob: CronJob, mine: readonly Job[]) {
    this.#parts = parts;
    this.#step = step;
    this.#cronJob = cronJob;
    this.#jobs = mine;
    this.#now = parts.clock.now();
  }

  async run(): Promise<void | { readonly afterMs: number }> {
    const { spec } = this.#cronJob;
    this.#tellEnded();
    await this.#forgetOld();
    const schedule = this.#schedule();
    if (!schedule || isDeleting(this.#cronJob) || spec?.suspend) return this.#writeStatus({});
    const missed = missedTime(this.#cronJob, schedule, this.#now);
    const started = missed && (await this.#start(missed));
    await this.#writeStatus(started ? { lastScheduleTime: isoSeconds(missed.at), started } : {});
    const next = schedule.next(this.#now);
    return next === undefined ? undefined : { afterMs: next - this.#now + MARGIN_MS };
  }

  #schedule(): Schedule | undefined {
    const { schedule = '', timeZone } = this.#cronJob.spec ?? {};
    if (timeZone !== undefined && !isTimeZone(timeZone)) {
      this.#tell(
        'Warning',
        'UnknownTimeZone',
        `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`,
      );
      return undefined;
    }
    try {
      return parseSchedule(schedule, timeZone ?? 'UTC');
    } catch (error) {
      this.#tell(
        'Warning',
        'UnparseableCronJobSchedule',
        `unparseable schedule: ${JSON.stringify(schedule)} : ${messageOf(error)}`,
      );
      return undefined;
    }
  }

  /** Starts the job of a time, if it may still be started; returns it if it was. */
  async #start({ at, isMany }: Missed): Promise<Job | undefined> {
    const { startingDeadlineSeconds, concurrencyPolicy = 'Allow' } = this.#cronJob.spec!;
    if (isMany)
      this.#tell(
        'Warning',
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      );
    if (startingDeadlineSeconds !== undefined && at + startingDeadlineSeconds * 1000 < this.#now) {
      this.#tell('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${new Date(at).toUTCString()}`);
      return undefined;
    }
    const name = `${metaOf(this.#cronJob).name}-${Math.floor(at / 60_000)}`;
    const active = this.#jobs.filter((job) => !isJobFinished(job));
    if (active.some((job) => metaOf(job).name === name)) return undefined;
    if (concurrencyPolicy === 'Forbid' && active.length) {
      const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
      this.#tell('Normal', 'JobAlreadyActive', message);
      return undefined;
    }
    if (concurrencyPolicy === 'Replace') for (const job of active) await this.#delete(job);
    return this.#create(name, at);
  }

  async #create(name: string, at: number): Promise<Job | undefined> {
    const { namespace } = metaOf(this.#cronJob);
    const { metadata = {}, spec } = this.#cronJob.spec!.jobTemplate;
    const annotations = { ...metadata.annotations, 'batch.kubernetes.io/cronjob-scheduled-timestamp': isoSeconds(at) };
    const job: Job = {
      metadata: {
        ...(namespace && { namespace }),
        name,
        annotations,
        ...(metadata.labels && { labels: metadata.labels }),
        ownerReferences: [controllerReference(cronJobs, this.#cronJob)],
      },
      ...(spec && { spec }),
    };
    try {
      const made = await this.#step.api.create(jobs, job);
      this.#tell('Normal', 'SuccessfulCreate', `Created job ${name}`);
      return made;
    } catch (error) {
      if (isStatusError(error, 'AlreadyExists')) {
        // Ours, from a step whose status was never written; another's name is in the way until the next time.
        const there = await this.#step.api.get(jobs, { namespace, name });
        return isControlledBy(there, this.#cronJob) ? there : undefined;
      }
      this.#tell('Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
      throw error;
    }
  }

  async #delete(job: Job): Promise<void> {
    try {
      await this.#step.api.delete(jobs, nameOf(job), { propagationPolicy: 'Background' });
      this.#tell('Normal', 'SuccessfulDelete', `Deleted job ${metaOf(job).name}`);
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }

  /** Deletes the oldest of the jobs that have ended, beyond what history keeps. */
  async #forgetOld(): Promise<void> {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = this.#cronJob.spec ?? {};
    const ended = (type: string) =>
      this.#jobs
        .filter((job) => isTrue(job.status?.conditions, type) && !isDeleting(job))
        .sort((a, b) => instantOf(b.status?.startTime) - instantOf(a.status?.startTime));
    const old = [
      ...ended('Complete').slice(successfulJobsHistoryLimit),
      ...ended('Failed').slice(failedJobsHistoryLimit),
    ];
    for (const job of old) await this.#delete(job);
  }

  #tellEnded(): void {
    for (const { uid, name } of this.#cronJob.status?.active ?? []) {
      const job = this.#jobs.find((each) => metaOf(each).uid === uid);
      if (!job) this.#tell('Normal', 'MissingJob', `Active job went missing: ${name}`);
      else if (isJobFinished(job)) {
        const type = isTrue(job.status?.conditions, 'Complete') ? 'Complete' : 'Failed';
        this.#tell('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${type}`);
      }
    }
  }

  async #writeStatus({
    lastScheduleTime,
    started,
  }: {
    readonly lastScheduleTime?: string;
    readonly started?: Job;
  }): Promise<void> {
    const { status: before = {} } = this.#cronJob;
    const active = [
      ...this.#jobs.filter((job) => !isJobFinished(job) && !isDeleting(job)),
      ...(started ? [started] : []),
    ];
    const unique = [...new Map(active.map((job) => [metaOf(job).uid, job])).values()];
    const ends = this.#jobs.flatMap(
      (job) => job.status?.completionTime ?? conditionOf(job.status?.conditions, 'Complete')?.lastTransitionTime ?? [],
    );
    const status: CronStatus = omitEmpty({
      active: unique.map((job) => referenceTo(jobs, job)),
      lastScheduleTime: lastScheduleTime ?? before.lastScheduleTime,
      lastSuccessfulTime: [...ends, ...(before.lastSuccessfulTime ? [before.lastSuccessfulTime] : [])].sort().at(-1),
    });
    if (isSameStatus(status, before)) return;
    await this.#step.api.update(cronJobs, { ...this.#cronJob, status }, { subresource: 'status' });
  }

  #tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#parts.events.as(NAME).record(cronJobs, this.#cronJob, { type, reason, message });
  }
}

/** References go by identity: the versions of running jobs change all the time. */
function isSameStatus(a: CronStatus, b: CronStatus): boolean {
  const uids = ({ active }: CronStatus) => (active ?? []).map(({ uid }) => uid);
  return isDeepStrictEqual({ ...a, active: uids(a) }, { ...b, active: uids(b) });
}
