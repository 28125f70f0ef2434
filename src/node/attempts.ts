import { type Clock, isDabbaError } from '#base';

/** Pauses between attempts at something that was out of reach. Whoever was away says nothing when it returns, so these are timers. */
const PAUSES_MS = [100, 200, 400, 800, 1600, 3200];

/** Does `action`, again while it throws `Unavailable`, a few times. Any other error is thrown at once, and the last one in the end. */
export async function attempt<T>(clock: Clock, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await action();
    } catch (error) {
      if (!isDabbaError(error, 'Unavailable')) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
  return await action();
}
