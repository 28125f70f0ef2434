import { isDabbaError } from '#base';
import type { Container } from '#engine';
import type { PodContainer } from '../containers.ts';
import type { PodRun } from '../run.ts';
import { runPreStop } from './hooks.ts';

/** What is left for a process to end by itself, however long its preStop hook took. */
const fewestMs = 2_000;

export interface Killing {
  readonly graceMs: number;
  /** What the pod's Event says. */
  readonly message: string;
}

/** Begins to end a run: its preStop hook, its stop signal, SIGKILL when the grace is over. Its end wakes the pod. */
export function beginKill(run: PodRun, container: PodContainer, { id }: Container, killing: Killing): void {
  const task = `kill/${id}`;
  if (run.tasks.has(task)) return;
  run.event('Normal', 'Killing', killing.message, container);
  run.tasks.begin(task, (signal) => kill(run, container, { id, graceMs: killing.graceMs, letGo: signal }));
}

/** Ends a run at once, whether or not it is being ended. */
export async function killNow({ context: { engine } }: PodRun, { id }: Container): Promise<void> {
  try {
    await engine.containers.kill(id, 'SIGKILL');
  } catch (error) {
    // It has just ended, or is gone.
    if (!isDabbaError(error, 'Conflict') && !isDabbaError(error, 'NotFound')) throw error;
  }
}

async function kill(
  run: PodRun,
  container: PodContainer,
  { id, graceMs, letGo }: { readonly id: string; readonly graceMs: number; readonly letGo: AbortSignal },
): Promise<void> {
  const { engine, clock } = run.context;
  let timeoutMs = graceMs;
  if (container.spec.lifecycle?.preStop && graceMs > 0) {
    const beganAt = clock.now();
    // The grace is for the hook and the process together.
    const signal = AbortSignal.any([letGo, AbortSignal.timeout(graceMs)]);
    await runPreStop(run, container, { id, signal });
    letGo.throwIfAborted();
    timeoutMs = Math.max(fewestMs, graceMs - (clock.now() - beganAt));
  }
  try {
    await engine.containers.stop(id, { timeoutMs, letGo, ...(graceMs === 0 && { signal: 'SIGKILL' }) });
  } catch (error) {
    if (!isDabbaError(error, 'NotFound')) throw error;
  }
}
