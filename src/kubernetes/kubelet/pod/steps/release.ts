import type { Container } from '#engine';
import { releaseHoldings } from '../../traces.ts';
import type { PodRun } from '../run.ts';
import { removeRuns } from './observe.ts';

/** Lets go of what a pod holds beside the logs of its containers: volumes, network, cgroup. Nothing of it runs any more. May be repeated. */
export async function releaseSandbox(run: PodRun, signal: AbortSignal): Promise<void> {
  const { context, ref } = run;
  context.objects.release(ref.uid);
  run.volumes.forget();
  await releaseHoldings(context, ref.uid, signal);
  run.sandbox = undefined;
  run.areVolumesMade = false;
}

/** Removes every trace of a pod. May be repeated; the note of what to release goes last. */
export async function releasePod(run: PodRun, runs: readonly Container[], signal: AbortSignal): Promise<void> {
  await removeRuns(run, runs);
  await releaseSandbox(run, signal);
  await run.context.local.remove(run.ref.uid);
}
