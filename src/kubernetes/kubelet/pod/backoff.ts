import type { Container } from '#engine';
import { identityOf } from '../identity.ts';

/** Pauses before a container is run again, "CrashLoopBackOff": none at first, then 10 s, doubled each time up to five minutes; a run of ten minutes begins anew. */
const [firstMs, longestMs, soundRunMs] = [10_000, 300_000, 600_000] as const;

/** How long the next run waits after this one is over, and what its own successor will wait. */
export function restartPause(over: Container): { readonly pauseMs: number; readonly nextBackoffMs: number } {
  const { startedAt, finishedAt } = over.state;
  const ranForMs = startedAt === undefined ? 0 : (finishedAt ?? startedAt) - startedAt;
  const pauseMs = ranForMs >= soundRunMs ? 0 : (identityOf(over.create.labels)?.nextBackoffMs ?? 0);
  return { pauseMs, nextBackoffMs: doubled(pauseMs) };
}

/** The pause behind a pause. */
export function doubled(pauseMs: number): number {
  return pauseMs === 0 ? firstMs : Math.min(pauseMs * 2, longestMs);
}

/** `10s`, `2m40s`: as Go prints a duration. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}
