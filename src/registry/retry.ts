import { DabbaError } from '#base';

/** How often a transaction reads again after losing a race before it gives up. */
const ATTEMPTS = 32;

/** Repeats `attempt`, which reads and then writes what it read by compare-and-swap, until it answers true. Throws `Unavailable` in the end. */
export async function retryOnConflict(what: string, attempt: () => Promise<boolean>): Promise<void> {
  for (let count = 0; count < ATTEMPTS; count++) if (await attempt()) return;
  throw new DabbaError('Unavailable', `${what} changes faster than it can be updated`);
}
