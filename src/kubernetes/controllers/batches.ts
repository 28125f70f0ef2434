/**
 * Calls `make` so many times: one at first, then twice as many at once with each round that succeeds, so that what fails always (a quota, a bad template) fails once and
 * not a thousand times. Returns how many succeeded and the first error. Behaviour: kubernetes `pkg/controller`, "slowStartBatch".
 */
export async function slowStart(
  count: number,
  make: (index: number) => Promise<unknown>,
): Promise<{ readonly made: number; readonly error?: unknown }> {
  let made = 0;
  for (let size = 1; made < count; size *= 2) {
    const round = Array.from({ length: Math.min(size, count - made) }, (_, index) => make(made + index));
    const results = await Promise.allSettled(round);
    made += results.filter(({ status }) => status === 'fulfilled').length;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) return { made, error: failed.reason };
  }
  return { made };
}
