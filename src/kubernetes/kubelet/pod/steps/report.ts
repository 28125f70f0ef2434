import { isoSeconds } from '#base';
import type { Container } from '#engine';
import type * as types from '../../../types.ts';
import { containerStatus, isRunning } from '../../status/container-status.ts';
import type { Judged } from '../../status/phase.ts';
import { podStatus } from '../../status/pod-status.ts';
import { containersOf, findContainer, type PodContainer } from '../containers.ts';
import { isAsAsked } from '../resize.ts';
import type { PodRun } from '../run.ts';
import { newestRun, type Runs } from '../runs.ts';

/** Each container of a pod with its status now. */
export function judge(run: PodRun, runs: Runs): readonly Judged[] {
  const containers = containersOf(run.pod);
  const isInitialised = containers.some(({ role, spec }) => role === 'main' && newestRun(runs, spec.name));
  const hasInits = containers.some(({ role }) => role === 'init' || role === 'sidecar');
  return containers.map((container) => {
    const { name } = container.spec;
    const known = runs.get(name) ?? [];
    const newest = known[0];
    const isLive = newest !== undefined && isRunning(newest) && !run.hooks.has(newest.id);
    const waitsForInit = container.role === 'main' && hasInits && !isInitialised;
    return {
      container,
      status: containerStatus({
        container,
        runs: known,
        waiting: run.waiting.get(name),
        defaultWaiting: { reason: waitsForInit ? 'PodInitializing' : 'ContainerCreating' },
        imageId: imageIdOf(run, newest),
        isReady: isLive && !run.isEnding && run.probes.isReady(newest),
        isStarted: isLive && run.probes.isStarted(newest),
        messages: run.messages,
        resources: resourcesOf(run, container, newest),
        before: statusBefore(run.pod, container),
      }),
    };
  });
}

export interface ReportOptions {
  readonly hostIp: string;
  /** The pod is being deleted and everything of it has ended. */
  readonly isEnded?: boolean;
  /** Everything of it has ended, for this reason. */
  readonly failure?: PodRun['failure'];
}

/** Puts the pod's status on its way to the API server. */
export function report(
  run: PodRun,
  containers: readonly Judged[],
  { hostIp, isEnded = false, failure }: ReportOptions,
): void {
  if (run.isGone) return;
  const { context, sandbox, firstSeenAt } = run;
  const podIp = sandbox?.privateIp;
  const hasSandbox = sandbox !== undefined;
  run.status.write(run.pod, (pod) => {
    const kept = podIp ?? pod.status?.podIP;
    return podStatus(pod, {
      containers,
      hasSandbox,
      podIp: kept,
      hostIp,
      startTime: pod.status?.startTime ?? isoSeconds(firstSeenAt),
      now: isoSeconds(context.clock.now()),
      ...(failure && { failure }),
      resize: run.resize,
      isEvicted: run.isEvicted,
      isEnded,
    });
  });
}

/** What it runs with: what it was given, or had before until that has come about. */
function resourcesOf(
  { pod, allocated }: PodRun,
  container: PodContainer,
  newest: Container | undefined,
): types.Container['resources'] {
  if (!newest) return undefined;
  const spec = findContainer(allocated, container.spec.name)?.spec ?? container.spec;
  return !isRunning(newest) || isAsAsked(spec, newest)
    ? spec.resources
    : (statusBefore(pod, container)?.resources ?? spec.resources);
}

function imageIdOf(run: PodRun, newest: Container | undefined): string | undefined {
  return newest && run.imageNames.get(newest.imageId);
}

function statusBefore({ status }: types.Pod, { role, spec }: PodContainer): types.ContainerStatus | undefined {
  const lists = {
    init: status?.initContainerStatuses,
    sidecar: status?.initContainerStatuses,
    main: status?.containerStatuses,
    ephemeral: status?.ephemeralContainerStatuses,
  };
  return lists[role]?.find(({ name }) => name === spec.name);
}
