import type { ContainerCreate } from '../engine.ts';

const [firstDelayMs, longestDelayMs, soundRunMs] = [100, 60_000, 10_000] as const;

/** Docker's pauses between restarts: 100 ms, doubled each time up to a minute, and 100 ms again after a run of ten seconds. */
export class RestartBackoff {
  #delayMs = 0;

  /** The pause before the next start, after a run of `ranForMs`. */
  next(ranForMs: number): number {
    this.#delayMs =
      ranForMs > soundRunMs || this.#delayMs === 0 ? firstDelayMs : Math.min(this.#delayMs * 2, longestDelayMs);
    return this.#delayMs;
  }
}

export interface EndedRun {
  readonly exitCode: number;
  readonly restartCount: number;
  readonly isStoppedByHand: boolean;
}

/** Whether the policy brings a container back whose run ended while the engine watches (Docker's `--restart`). */
export function restarts(policy: ContainerCreate['restartPolicy'], ended: EndedRun): boolean {
  if (ended.isStoppedByHand || policy === undefined || policy.name === 'no') return false;
  if (policy.name !== 'on-failure') return true;
  return ended.exitCode !== 0 && (!policy.maximumRetryCount || ended.restartCount < policy.maximumRetryCount);
}

/** Whether a container that does not run is started when the engine starts: `always` even if a person had stopped it. */
export function startsWithEngine(policy: ContainerCreate['restartPolicy'], isStoppedByHand: boolean): boolean {
  return policy?.name === 'always' || (policy?.name === 'unless-stopped' && !isStoppedByHand);
}
