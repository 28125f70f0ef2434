import { isDabbaError, messageOf, systemCode } from '#base';
import { askedBy, isAllocated } from '../allocation.ts';
import { obstacle, resizingsOf, type Resizing } from '../resize.ts';
import type { PodRun } from '../run.ts';
import type { Runs } from '../runs.ts';
import { shapeCgroup } from './sandbox.ts';

/** How soon a change that the node has no room for, or that the kernel refused, is tried again: nothing announces that it would go now. */
const RETRY_MS = 10_000;

export interface Resized {
  /** What is known of the runs is no longer so. */
  readonly hasChanged: boolean;
  /** When it is to be tried again. */
  readonly retryAt?: number;
}

/** Brings what containers run with to what the pod says now, in place or by their next run; `onBegin` is called before the first change. */
export async function resize(run: PodRun, runs: Runs, onBegin: () => void): Promise<Resized> {
  const { context, pod } = run;
  const retryAt = context.clock.now() + RETRY_MS;
  if (run.allocation && !isAllocated(pod, run.allocation)) {
    run.resize = obstacle(pod, { others: context.others(run.ref.uid), allocatable: context.allocatable });
    if (run.resize) return { hasChanged: false, retryAt };
    await allocate(run);
  }
  const resizings = resizingsOf(run.allocated, runs);
  run.resize = resizings.length ? { type: 'PodResizeInProgress' } : undefined;
  if (!run.resize) return { hasChanged: false };
  onBegin();
  try {
    await change(run, runs, resizings);
    // Those that are to be begun again are not done yet.
    if (!resizings.some(({ needsRestart }) => needsRestart)) run.resize = undefined;
    return { hasChanged: true };
  } catch (error) {
    if (!isDabbaError(error) && systemCode(error) === undefined) throw error;
    run.resize = { type: 'PodResizeInProgress', reason: 'Error', message: messageOf(error) };
    return { hasChanged: true, retryAt };
  }
}

/** Gives the pod what it asks for. It is noted before anything changes: after a restart its containers are begun with this and nothing else. */
async function allocate(run: PodRun): Promise<void> {
  const { context, pod, ref } = run;
  const note = await context.local.find(ref.uid);
  const allocation = askedBy(pod);
  if (note) await context.local.save({ ...note, allocation });
  run.allocation = allocation;
}

async function change(run: PodRun, runs: Runs, resizings: readonly Resizing[]): Promise<void> {
  const { context } = run;
  // The pod's own bound comes down last: until then containers have what they had.
  shapeCgroup(run, memoryOf(runs));
  for (const { container, id, wanted, needsRestart } of resizings)
    if (!needsRestart) await context.engine.containers.update(id, { resources: wanted });
    else
      run.doomed.set(id, {
        message: `Container ${container.spec.name} resize requires restart`,
        graceMs: run.graceMs,
      });
  shapeCgroup(run);
}

/** What the newest runs may hold together. */
function memoryOf(runs: Runs): number {
  return [...runs.values()].reduce((sum, [newest]) => sum + (newest?.create.resources?.memoryBytes ?? 0), 0);
}
