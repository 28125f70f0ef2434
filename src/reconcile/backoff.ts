import type { Random } from '#base';

const FIRST_MS = 50;
const LONGEST_MS = 60_000;

/** The pause behind the given number of failures in a row: doubled each time, and spread, so that what failed together does not return together. */
export function backoffMs(failures: number, random: Random): number {
  const pauseMs = Math.min(FIRST_MS * 2 ** (failures - 1), LONGEST_MS);
  return pauseMs * (0.5 + random.fraction() / 2);
}
