import { isRunning } from '../../status/container-status.ts';
import { containersOf, type PodContainer } from '../containers.ts';
import type { PodRun } from '../run.ts';
import { newestRun, type Runs } from '../runs.ts';
import { beginKill, killNow } from './kill.ts';

/**
 * Ends what runs of a pod: everything at once, then the sidecars, the last first ("Sidecar containers and Pod termination", Kubernetes documentation). True when nothing runs any
 * more; otherwise the end of what does wakes the pod.
 */
export async function endContainers(run: PodRun, runs: Runs): Promise<boolean> {
  run.tasks.abort('pull/');
  run.tasks.abort('hook/');
  run.probes.close();
  run.hostPorts.close();
  const running = containersOf(run.pod).filter(({ spec }) => {
    const newest = newestRun(runs, spec.name);
    return newest && isRunning(newest);
  });
  if (!running.length) return true;
  const others = running.filter(({ role }) => role !== 'sidecar');
  const next = others.length ? others : running.slice(-1);
  for (const container of next) await end(run, container, runs);
  return false;
}

/** How long what is left may take: a pod whose time is up has no more. */
function graceOf(run: PodRun): number {
  const { deletionTimestamp } = run.pod.metadata ?? {};
  if (deletionTimestamp === undefined || run.graceMs === 0) return run.graceMs;
  // Set by the server to the end of the grace; another kubelet may have waited for most of it.
  const leftMs = Date.parse(deletionTimestamp) - run.context.clock.now();
  return Math.min(run.graceMs, Math.max(leftMs, 1000));
}

async function end(run: PodRun, container: PodContainer, runs: Runs): Promise<void> {
  const newest = newestRun(runs, container.spec.name)!;
  const graceMs = graceOf(run);
  // Told to go at once, though it was given time before.
  if (graceMs === 0 && run.tasks.has(`kill/${newest.id}`)) return await killNow(run, newest);
  beginKill(run, container, newest, { graceMs, message: `Stopping container ${container.spec.name}` });
}
