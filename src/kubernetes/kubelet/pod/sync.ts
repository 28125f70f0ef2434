import { messageOf } from '#base';
import { pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type * as types from '../../types.ts';
import { exitCodeOf, isOver } from '../status/container-status.ts';
import { VolumeFailed } from '../volume/volumes.ts';
import { containersOf, isRestarted } from './containers.ts';
import type { PodRun } from './run.ts';
import { newestRun, readRuns, type Runs } from './runs.ts';
import { advance } from './steps/advance.ts';
import { endContainers } from './steps/end.ts';
import { observe, removeRuns } from './steps/observe.ts';
import { endPause } from './steps/pause.ts';
import { releasePod, releaseSandbox } from './steps/release.ts';
import { judge, report } from './steps/report.ts';
import { resize } from './steps/resize.ts';
import { prepareSandbox } from './steps/sandbox.ts';
import { downwardFacts } from './steps/start.ts';

/** What a step asks for: to be called again then, or that the pod be forgotten. */
export type Again = { readonly afterMs: number } | 'forgotten' | undefined;

/**
 * One step of a pod's life, from wherever it is towards what its object wants. Everything is read anew: the object as last seen, the engine's containers, the note on disk. What
 * takes long goes on as a task and wakes the pod when it is done.
 */
export async function syncPod(run: PodRun, signal: AbortSignal): Promise<Again> {
  for (;;) {
    const runs = await runsOf(run);
    await observe(run, runs);
    if (run.isEnding || isFinished(run, runs)) return await finish(run, runs, signal);
    const again = await live(run, runs, signal);
    if (again !== 'more') return again;
  }
}

async function runsOf({ context, ref }: PodRun): Promise<Runs> {
  return await readRuns(context.engine.containers, { nodeId: context.node.id, uid: ref.uid });
}

/** A pod that is to run. */
async function live(run: PodRun, runs: Runs, signal: AbortSignal): Promise<Again | 'more'> {
  const { clock, networks } = run.context;
  const now = clock.now();
  const deadline = deadlineOf(run.pod);
  if (deadline !== undefined && now >= deadline) {
    run.failure = {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    };
    run.event('Normal', 'DeadlineExceeded', run.failure.message);
    return 'more';
  }
  const hostIp = (await networks.own()).privateIp;
  try {
    // Tells of the pod as soon as it is seen.
    if (!run.sandbox && runs.size === 0) report(run, judge(run, runs), { hostIp });
    await prepare(run, { hostIp, signal });
    await run.hostPorts.open(run);
    const { hasChanged, retryAt } = await resize(run, runs, () => report(run, judge(run, runs), { hostIp }));
    const { hasStarted, wakeAt } = await advance(run, runs);
    if (hasStarted) return 'more';
    report(run, judge(run, hasChanged ? await runsOf(run) : runs), { hostIp });
    const times = [wakeAt, retryAt, deadline, run.volumes.refreshAt].filter((at) => at !== undefined);
    return times.length ? { afterMs: Math.max(0, Math.min(...times) - clock.now()) } : undefined;
  } catch (error) {
    // What is known so far is worth telling, whatever went wrong; the pod comes again.
    report(run, judge(run, await runsOf(run)), { hostIp });
    throw error;
  }
}

/** Network and volumes, at the same time. */
async function prepare(
  run: PodRun,
  { hostIp, signal }: { readonly hostIp: string; readonly signal: AbortSignal },
): Promise<void> {
  await prepareSandbox(run, signal);
  try {
    await run.volumes.mount(run.pod, downwardFacts(run, hostIp), signal);
    run.areVolumesMade = true;
  } catch (error) {
    if (!(error instanceof VolumeFailed)) throw error;
    run.event('Warning', 'FailedMount', error.message);
    // A volume that was there stays as it was; its source is looked for again.
    if (!run.areVolumesMade) throw error;
    run.context.logger.warn('a volume was not refreshed', { pod: run.ref.name, error: messageOf(error) });
  }
}

/** A pod that is to end, or has. */
async function finish(run: PodRun, runs: Runs, signal: AbortSignal): Promise<Again> {
  if (!(await endContainers(run, runs))) {
    if (!hasEndedBefore(run.pod)) report(run, judge(run, runs), { hostIp: await hostIpOf(run) });
    return undefined;
  }
  await run.tasks.idle();
  const isDeleted = run.isGone || run.pod.metadata?.deletionTimestamp !== undefined;
  if (!isDeleted) {
    if (!run.isReleased) {
      await endPause(run, runs);
      await releaseSandbox(run, signal);
    }
    run.isReleased = true;
    // How a pod ended is told once.
    if (hasEndedBefore(run.pod)) {
      // What an evicted pod's containers wrote goes too, as it had to make room: kubelet `pod_workers.go`, "ShouldPodContentBeRemoved".
      if (run.pod.status?.reason === 'Evicted') await removeRuns(run, [...runs.values()].flat());
      return undefined;
    }
    report(run, judge(run, runs), { hostIp: await hostIpOf(run), failure: run.failure });
    return undefined;
  }
  if (!run.isGone && !hasEndedBefore(run.pod)) {
    report(run, judge(run, runs), { hostIp: await hostIpOf(run), isEnded: true, failure: run.failure });
    // Before the containers go, for nothing else remembers how they ended.
    await run.status.flush();
  }
  await releasePod(run, [...runs.values()].flat(), signal);
  if (!run.isGone) await deleteObject(run, signal);
  return 'forgotten';
}

async function hostIpOf({ context, pod }: PodRun): Promise<string> {
  return pod.status?.hostIP ?? (await context.networks.own()).privateIp;
}

/** Nothing holds the pod any more: its object may go. */
async function deleteObject({ context, ref }: PodRun, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid } = ref;
  try {
    await context.client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid }, signal });
  } catch (error) {
    if (!isStatusError(error, 'NotFound', 'Conflict')) throw error;
  }
}

/** True when every container has done what it was for. */
function isFinished(run: PodRun, runs: Runs): boolean {
  if (hasEndedBefore(run.pod)) return true;
  const { pod } = run;
  const over = (name: string) => {
    const newest = newestRun(runs, name);
    return newest && isOver(newest) ? exitCodeOf(newest) : undefined;
  };
  const containers = containersOf(pod);
  const mains = containers.filter(({ role }) => role === 'main');
  const isDone = mains.every((container) => {
    const exitCode = over(container.spec.name);
    return exitCode !== undefined && !isRestarted(pod, container, exitCode);
  });
  if (isDone && mains.length) return true;
  if (mains.some(({ spec }) => newestRun(runs, spec.name))) return false;
  return containers.some((container) => {
    const exitCode = container.role === 'init' ? over(container.spec.name) : undefined;
    return exitCode !== undefined && exitCode !== 0 && !isRestarted(pod, container, exitCode);
  });
}

function hasEndedBefore({ status }: types.Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function deadlineOf({ spec, status }: types.Pod): number | undefined {
  if (spec?.activeDeadlineSeconds === undefined || !status?.startTime) return undefined;
  return Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000;
}
