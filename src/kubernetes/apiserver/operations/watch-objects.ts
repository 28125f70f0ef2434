import type { WatchEvent } from '../../client/client.ts';
import type { KubernetesObject } from '../../object.ts';
import { StatusError } from '../../status.ts';
import type { ApiParts, Call } from '../parts.ts';
import { convert, objectIn } from './read.ts';
import { openWatch, type Seen, type WatchQuery } from './watch.ts';

/** Events that wait for a reader who is slow; with more than these he has to list again. */
const QUEUE_LIMIT = 10_000;

/** A watch as objects. Ends with the call's signal; throws `Expired` for a version that is gone and for a reader who fell behind. */
export async function* watchObjects(
  parts: ApiParts,
  call: Call,
  query: WatchQuery & { readonly signal: AbortSignal },
): AsyncIterable<WatchEvent<KubernetesObject>> {
  const { signal } = query;
  let queue: Seen[] = [];
  let wake: (() => void) | undefined;
  let isLost = false;
  const awaken = () => {
    wake?.();
    wake = undefined;
  };
  const {
    initial = [],
    backlog,
    stop,
  } = await openWatch(parts, call, query, (seen) => {
    if (queue.length >= QUEUE_LIMIT) isLost = true;
    else queue.push(seen);
    awaken();
  });
  signal.addEventListener('abort', awaken, { once: true });
  try {
    await convert(call.version, initial);
    for (const stored of initial) yield { type: 'ADDED', object: objectIn(call.version, stored) };
    queue = [...backlog, ...queue];
    while (!signal.aborted) {
      const taken = queue;
      queue = [];
      await convert(
        call.version,
        taken.map(({ change }) => change.shown),
      );
      for (const { type, change } of taken) {
        if (signal.aborted) return;
        yield { type, object: objectIn(call.version, change.shown) };
      }
      if (isLost) throw new StatusError('Expired', 'the watch fell behind; list again');
      if (!queue.length && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    stop();
    signal.removeEventListener('abort', awaken);
  }
}
